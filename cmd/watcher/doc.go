// Watcher asks Commvault CommServes what their jobs do, and tells a NATS stream what changed.
//
// # The picture
//
//	CommServe                                               JetStream ──▶ subscribers
//	    │                                                       ▲
//	    ▼                                                       │
//	commvault ───▶ poller ─────────▶ store ─────────▶ publish ──┘
//	(asks once)   (loop 1)      (one bbolt file)     (loop 2)
//	                 │
//	                diff    what lies between what was told and what was seen: a pure function
//
// Left of the store the program finds out; right of it the program tells. The halves share a file,
// not a channel: each can stop, crash or fall behind without the other noticing.
//
// # The life of one poll
//
// Read internal/poller/poll.go: poll asks, compares and commits. Then internal/store/commit.go: the
// commit point, where a snapshot and the events it owes reach the disk together. Then
// internal/publish/send.go: an event goes to the stream and leaves the outbox on the broker's
// acknowledgement; reconcile.go beside it says what a refusal means.
//
// # The start
//
// Read internal/daemon/daemon.go: Run opens the store, makes a poller for each CommCell, takes the HTTP
// address and prepares NATS; start runs what serves and listens, the publisher once the stream is
// there, and the pollers once it has been read, or after a short wait. supervisor.go beside it is what an edited configuration changes.
//
// # The packages, from the ground up
//
//   - internal/job: what is known of one job, and what was told of it
//   - internal/config: the configuration file
//   - internal/sim: plays a CommServe, for demo, sim and the tests
//   - internal/printable: texts from outside, fit for a terminal
//   - internal/limiter: when the next request may be sent to a CommServe
//   - internal/failpoint: names the moments at which a test kills the program, or has a write fail
//   - internal/event: what is told, its subjects, and the way back from events to what was told
//   - internal/commvault: asks a CommServe; Commvault's shapes end there
//   - internal/stream: the connection to NATS, the stream, the embedded server
//   - internal/diff: which changes lie between told and seen
//   - internal/store: snapshots and outbox in one file
//   - internal/publish: loop 2
//   - internal/poller: loop 1
//   - internal/relay: takes events from the stream to a destination, in order for each job
//   - internal/guard, internal/webhook, internal/slack, internal/email, internal/audit: the destinations
//   - internal/control: what an administrator asks of a watcher, also through a Unix socket
//   - internal/metrics: what the loops count, for Prometheus
//   - internal/web: page, API, health over HTTP; it reads and changes nothing
//   - internal/daemon: the running program: the order of its start, a poller for each CommCell, reload
//   - internal/doctor: what watcher check finds
//   - internal/console: jobs as a person's terminal shows them
//   - internal/cli: commands, what they print, and exit statuses
//
// Each safeguard of what jobwatch promises, and the test that fails without it, is in docs/promises.md; how to add
// an event, a key or a trap, in CONTRIBUTING.md; the words that are our own, in docs/words.md.
//
// Tests that run, kill and judge the whole program are in internal/testing/endtoend; those that simulate
// whole lives in internal/testing/lives.
package main
