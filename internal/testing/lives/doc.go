// Package lives simulates whole lives of jobwatch: poller, diff, store and publisher, one watcher or two, with a
// CommServe and a broker that are models, in one synctest bubble. It holds tests alone.
//
// synctest fixes the time, and not the order. So each call to the outside (a question to the CommServe, a transaction,
// a request to the broker) waits at a gate, and only when all is at rest the seed chooses what happens next: which
// call goes on, which fails, which happens without an answer, whether a watcher crashes, a job moves on, the broker
// forgets. One thing at a time; a seed drives everything, and replays it exactly.
//
// A judge with its own small reading of the contract holds the stream against the answers that the model has given.
// How to replay a seed, and what was run: docs/simulation.md.
//
// A relay lives beside that (relay_test.go), with a model of the broker and a destination; its seeds are not replayed
// exactly.
package lives
