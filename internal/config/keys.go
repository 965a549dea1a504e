package config

import (
	"math"
	"time"
)

// key declares one key of the configuration.
type key struct {
	name  string
	value value  // its type, default and check, and where it goes
	doc   string // documents it: for editors, configs/watcher.yaml and docs/configuration.md
}

// keys are those at the top of the file. It fills in the defaults, as each function of this name does.
func (c *Config) keys() []key {
	return []key{
		{"commcells", commCells(&c.CommCells), "The CommServes to watch, at least one."},
		{"nats", sectionOf(c.NATS.keys(), c.NATS.rules), "The broker, and the stream that takes the events."},
		{"store", sectionOf([]key{
			{"path", file(&c.Store.Path, "data/watcher.db"), "the file that holds what was seen of each job, and the events that wait"},
			{"keep_sent", one(&c.Store.KeepSent, 24*time.Hour, duration(0)),
				"keep what was told for so long, at most 256 MiB, for nats.on_new_stream; 0: do not"},
			{"socket_group", one(&c.Store.SocketGroup, "", text()),
				"a group whose members may command the watcher (docs/security.md); empty: its user alone"},
		}), "What the watcher remembers."},
		{"http", sectionOf(c.HTTP.keys()), "Page, API, health, metrics (docs/http.md); it changes nothing."},
		{"log", sectionOf([]key{
			{"level", one(&c.Log.Level, "info", word("debug", "info", "warn", "error")), "the least that is logged"},
			{"format", one(&c.Log.Format, "auto", word("auto", "text", "json")), "auto: coloured text on a terminal, JSON elsewhere"},
		}), "What is logged, and how."},
		{"cluster", sectionOf([]key{
			{"enabled", one(&c.Cluster.Enabled, false, boolean()), "true: this watcher is one of several, with the same file on each machine"},
			{"instance", one(&c.Cluster.Instance, "", like(instancePattern,
				"wants letters, digits, _ and -, and single dots between them")), "this one's name among them; empty: the host's name"},
		}), "Several watchers that share the CommCells among them (docs/cluster.md)."},
		{"severity", severities(&c.Severity), "what a state means to you: {committed: info, killed: error}"},
		{"metrics", sectionOf([]key{
			{"last_success", sectionOf([]key{
				{"clients", globs(&c.Metrics.LastSuccess.Clients), `which clients: ["sql*", "erp-01"]; none: no such metric`},
				{"limit", one(&c.Metrics.LastSuccess.Limit, 1000, whole(1, 100_000)), "subclients at most; those beyond are counted only"},
			}), "When a backup of a client's subclient last ended well, as a metric for each (docs/metrics.md)."},
		}), "What is measured only where it is asked for."},
		{"relays", relays(&c.Relays), "Where else events go: each relay takes them to one destination (docs/relays.md)."},
	}
}

func (c *CommCell) keys() []key {
	return []key{
		{"name", one(&c.Name, "", like(`^[A-Za-z0-9_-]+$`, "wants letters, digits, _ and - only: it becomes part of each subject")),
			"letters, digits, _ and -; the second word of each subject: jobs.prod.…"},
		{"url", one(&c.URL, "", text(serviceURL).hint(`^[hH][tT][tT][pP][sS]?://`, "wants http:// or https:// in front")),
			"the root of the CommServe's REST API"},
		{"commcell_id", one(&c.CommCellID, 0, whole(0, math.MaxInt32)), "sent with each request; 0: not sent, and the CommServe takes 2"},
		{"guid", one(&c.GUID, "", text()), "another CommServe at this URL is refused; empty: the first one met counts"},
		{"format", one(&c.Format, "json", word("json", "xml")), "the form of requests and answers"},
		{"auth", sectionOf(c.Auth.keys(), c.Auth.rules), "One way to log in: a token that does not expire, a user, or a pair of tokens that " +
			"renew each other. A file holds the secret alone, as UTF-8 without a byte order mark."},
		{"tls", sectionOf(c.TLS.keys()).then(c.TLS.rules), "How the connection to the CommServe is secured. Files that change are taken without a restart."},
		{"schedule", one(&c.Schedule, "@every 30s", text(schedule)), "When to ask. Five cron fields, six with the seconds in front, or @every; " +
			`the time zone before them if it matters: "CRON_TZ=Europe/Berlin */30 * 6-22 * * *". The first time is at the start.`},
		{"jobs", jobs(c), "job ids to follow in any case: [71, 1248]"},
		{"discover", sectionOf(c.Discover.keys()), "Follow what the CommServe's Job list names."},
		{"sweep", one(&c.Sweep, "auto", word("auto", "list", "details")), "details: ask for the details of every job in every cycle.\n" +
			"list: only of those whose line in the Job list changed, and of each one every full_refresh. States, phases and ends " +
			"are told as soon; what no line says (a machine that failed, a job that stalls) within full_refresh.\n" +
			"auto: list from 50 jobs up, where the CommServe allows it."},
		{"full_refresh", one(&c.FullRefresh, 10*time.Minute, duration(positive)), "where sweep is list: the details of every unfinished job at least this often"},
		{"feed_every", one(&c.FeedEvery, 5*time.Second, duration(time.Second)),
			"ask the CommServe's own events this often for jobs that just changed; 0: never"},
		{"concurrency", one(&c.Concurrency, 8, whole(1, math.MaxInt32)), "requests under way at once; fewer while the CommServe refuses them or slows down"},
		{"rate_limit", one(&c.RateLimit, 0, rate()), "requests a second; 0: as many as come, or as a quota allows that the CommServe names"},
		{"timeout", one(&c.Timeout, 30*time.Second, duration(positive)), "for one request"},
		{"stall_after", one(&c.StallAfter, 30*time.Minute, duration(positive)), "a running job without progress for so long is told as stalled"},
		{"lost_after", one(&c.LostAfter, 2*time.Minute, duration(positive)), "a job that the CommServe no longer knows for so long is told as lost"},
		{"keep_finished", one(&c.KeepFinished, 168*time.Hour, duration(positive)),
			"then a finished job is forgotten; at least discover.finished_within"},
	}
}

func (a *Auth) keys() []key {
	return []key{
		{"token", secret(&a.Token), "the token itself: ${CV_TOKEN}"},
		{"token_file", file(&a.TokenFile, ""), "a token that does not expire"},
		{"username", one(&a.Username, "", text()), "a user, logged in again whenever the session ends"},
		{"password", secret(&a.Password), "instead of password_file: ${CV_PASSWORD}"},
		{"password_file", file(&a.PasswordFile, ""), "of the user"},
		{"domain", one(&a.Domain, "", text()), "of the user"},
		{"access_token_file", file(&a.AccessTokenFile, ""), "one of a pair, where the watcher may write: both files are written at each renewal"},
		{"refresh_token_file", file(&a.RefreshTokenFile, ""), "the other of the pair"},
		{"scheme", one(&a.Scheme, "authtoken", word("authtoken", "bearer")), "the header that carries the token"},
	}
}

func (t *TLS) keys() []key {
	return []key{
		{"ca_file", file(&t.CAFile, ""), "empty: the authorities that the system trusts"},
		{"cert_file", file(&t.CertFile, ""), "a client certificate, with key_file"},
		{"key_file", file(&t.KeyFile, ""), "of the client certificate"},
		{"insecure_skip_verify", one(&t.InsecureSkipVerify, false, boolean()), "true: whoever answers is trusted"},
	}
}

func (d *Discover) keys() []key {
	return []key{
		{"enabled", one(&d.Enabled, true, boolean()), "false: follow the jobs named here alone"},
		{"finished_within", one(&d.FinishedWithin, time.Hour, duration(positive)), "finished jobs too, for so long after their end; " +
			"after a pause of the watcher or the CommServe all that ended meanwhile, however long it was"},
		{"include", filter(&d.Include), "Which of them, by client, client_group, job_type, operation, application, subclient: each takes a " +
			`list of patterns, upper and lower case alike: {client: ["fall*", "winter-[0-9]"], job_type: [backup]}. ` +
			"A job is followed if each key of include has a pattern that fits, and no pattern of exclude fits. " +
			"What the CommServe does not say of a job fits * alone. A job followed already is followed to its end."},
		{"exclude", filter(&d.Exclude), "which of them not, in the same form"},
	}
}

func (c *NATS) keys() []key {
	return []key{
		{"url", one(&c.URL, embedded, text(brokers).hint(`^embedded$|://`, "wants embedded, or nats://host:4222")),
			"embedded, or servers: nats://a:4222,nats://b:4222 (tls://, ws://, wss:// too)"},
		{"embedded", sectionOf([]key{
			{"listen", one(&c.Embedded.Listen, "127.0.0.1:4222", text(hostPort).hint(`:[0-9]+$`, "wants host:port")), "where clients reach it"},
			{"dir", file(&c.Embedded.Dir, "data/nats"), "where it keeps the stream"},
			{"sync", one(&c.Embedded.Sync, "always", word("always", "interval")), "always: each event is on the disk before it counts; interval: soon after"},
		}), "The server inside the watcher, for url: embedded."},
		{"creds_file", file(&c.CredsFile, ""), "One way to log in, or none: credentials, an nkey, a user or a token."},
		{"nkey_file", file(&c.NKeyFile, ""), "the seed of an nkey"},
		{"user", one(&c.User, "", text()), "with password_file"},
		{"password_file", file(&c.PasswordFile, ""), "of the user"},
		{"token_file", file(&c.TokenFile, ""), "a token"},
		{"tls", sectionOf(append(c.TLS.keys(), key{"handshake_first", one(&c.TLSFirst, false, boolean()),
			"true where the server says so too (its tls: handshake_first)"})).then(c.TLS.rules), "How the connection to the servers is secured. Files that change are taken at the next connection."},
		{"domain", one(&c.Domain, "", like(`^[^.*>\p{Z}\p{Cc}]*$`,
			"wants a name without . * > and spaces, as jetstream { domain: … } of the server's configuration says it")),
			"the JetStream domain, where it is reached through a leaf node (docs/nats.md)"},
		{"stream", one(&c.Stream, "JOBS", like(`^[^.*>/\\\p{Z}\p{Cc}]+$`, `wants a name without . * > / \ and spaces`)),
			"made if it is not there; one that is there is checked and left alone"},
		{"replicas", one(&c.Replicas, 1, whole(1, 5)), "1 to 5; more than 1 needs a NATS cluster"},
		{"max_age", one(&c.MaxAge, 720*time.Hour, duration(0)), "how long the stream keeps an event; 0: for ever"},
		{"max_bytes", one(&c.MaxBytes, 0, whole[int64](0, math.MaxInt64)), "how large it may grow; 0: as large as it likes"},
		{"subject_prefix", one(&c.SubjectPrefix, "", like(`^([^.*>\p{Z}\p{Cc}]+(\.[^.*>\p{Z}\p{Cc}]+)*)?$`,
			`wants words with a . between, without * > and spaces; write it like "acme" or "acme.backup"`)),
			"acme: the subjects begin with acme.jobs. and acme.commcells."},
		{"on_new_stream", one(&c.OnNewStream, "resend", word("resend", "continue")), "Where the stream is another than before, or has lost something:\n" +
			"resend: tell it what store.keep_sent has kept.\ncontinue: go on with what is new, keep nothing."},
	}
}

func (h *HTTP) keys() []key {
	return []key{
		{"listen", one(&h.Listen, "127.0.0.1:9480", text(hostPortOrOff).hint(`^$|:[0-9]+$`, `wants host:port, or "" for none`)),
			`"": off. Beyond 127.0.0.1 wants token_file or client_ca_file`},
		{"token_file", file(&h.TokenFile, ""), "a token to show as a bearer or password (any user); /healthz and /readyz do without"},
		{"tls", sectionOf([]key{
			{"cert_file", file(&h.TLS.CertFile, ""), "the server's certificate, with key_file"},
			{"key_file", file(&h.TLS.KeyFile, ""), "of the certificate"},
			{"client_ca_file", file(&h.TLS.ClientCAFile, ""), "only readers with a certificate of this authority"},
		}).then(h.TLS.rules), "HTTPS instead of HTTP. Files that change are taken without a restart."},
	}
}

func (c *Relay) keys() []key {
	return []key{
		{"name", one(&c.Name, "", like(`^[a-z0-9_-]+$`, "wants lower-case letters, digits, _ and - only: it becomes part of each subject")),
			"lower-case letters, digits, _ and -"},
		{"subjects", texts(&c.Subjects, text(filterOfSubjects), "jobs.>", "commcells.>"),
			"which events, as NATS filters without nats.subject_prefix: jobs.*.*.*.failure.>"},
		{"match", matches(&c.Match), "Which of them, by severity, class, commcell, client, client_group, agent, backupset, subclient, operation, level, " +
			`job_type: {severity: [warning, error], client: ["sql*"]}. Each key has to fit; one that an event has not is left out.`},
		{"start", one(&c.Start, StartNew, start()), "where a relay begins that has never run: new, all, or so long ago: 24h"},
		{"concurrency", one(&c.Concurrency, 16, whole(1, 10_000)), "deliveries under way at once, one of a job"},
		{"rate", one(&c.Rate, 0, rate()), "deliveries a second; 0: as many as come"},
		{"timeout", one(&c.Timeout, 15*time.Second, duration(positive)), "for one delivery"},
		{"give_up_after", one(&c.GiveUpAfter, 24*time.Hour, duration(0)),
			"an event refused for so long, while others were taken, becomes a dead letter; 0: never"},
		{"slack", optional(&c.Slack), "A channel of Slack. Each relay has one of slack, webhook, email, audit."},
		{"webhook", optional(&c.Webhook), "A receiver of HTTP, signed after Standard Webhooks."},
		{"email", optional(&c.Email), "People, by mail."},
		{"audit", optional(&c.Audit), "Files of which nobody can change a byte unseen (docs/audit.md)."},
	}
}

func (s *Slack) keys() []key {
	return []key{
		{"token_file", ownFile(&s.TokenFile), "the bot token (xoxb-…), with channel"},
		{"channel", one(&s.Channel, "", text(channel).hint(`^([CGD][A-Z0-9]{7,})?$`, "wants the channel's id, not its name; like C0123456789")),
			"its id, not its name: C0123456789"},
		{"webhook_url_file", ownFile(&s.WebhookURLFile), "instead: the URL of an incoming webhook; one message an event then"},
		{"broadcast", texts(&s.Broadcast, word(append(classes, "lost", "stalled")...), "failed"),
			"classes of states, lost, stalled: told to the channel too, not in the job's thread alone"},
		{"group", optional(&s.Group), "One message for many jobs; left out: none."},
		{"links", links(&s.Links), `pages about a job: {"Command Center": "https://cs.example.com/commandcenter/#/jobs/{id}"}; {commcell} too`},
		{"api_url", one(&s.APIURL, "https://slack.com/api/", text(destinationURL).hint(`^[hH][tT][tT][pP][sS]?://`, "wants http:// or https:// in front")),
			"where Slack's API is"},
	}
}

func (g *Group) keys() []key {
	return []key{
		{"by", one(&g.By, "client", word("client", "client_group", "subclient", "commcell")), "what the jobs have in common"},
		{"within", one(&g.Within, 2*time.Minute, duration(positive)), "events wait so long for others"},
		{"over", one(&g.Over, 3, whole(0, math.MaxInt32)), "so many jobs are told singly, more as one"},
	}
}

func (w *Webhook) keys() []key {
	return []key{
		{"url", hidden(one(&w.URL, "", text(destinationURL).hint(`^$|^[hH][tT][tT][pP][sS]?://`, "wants https:// in front"))), "where to send: https://hooks.example.com/backup"},
		{"url_file", ownFile(&w.URLFile), "instead of url: a file that holds it, where it is a secret"},
		{"secret_files", ownFiles(&w.SecretFiles), "whsec_… each; each signs: the new one first, the old one during a rotation"},
		{"headers", headers(&w.Headers), "sent along; the values stand in files: {X-Api-Key: {value_file: /run/secrets/key}}"},
		{"body", anything(&w.Body), "another body than the event: any value whose texts may hold places, as {text: \"{data.job.client}\"}"},
		{"allow", prefixes(&w.Allow), "private, loopback and link-local addresses are refused but for these: [10.20.0.0/16]"},
		{"allow_http", one(&w.AllowHTTP, false, boolean()), "true: http:// too"},
		{"tls", sectionOf(w.TLS.keys()).then(w.TLS.rules), "How the connection is secured."},
	}
}

func (h *Header) keys() []key {
	return []key{{"value_file", ownFile(&h.ValueFile), "the file that holds its value"}}
}

func (e *Email) keys() []key {
	return []key{
		{"server", one(&e.Server, "", text(serverAddress).hint(`^$|:[0-9]+$`, "wants host:port")), "host:port"},
		{"tls", one(&e.TLS, "starttls", word("starttls", "implicit", "none")), "starttls (587), implicit (465), none (25)"},
		{"username", one(&e.Username, "", text()), "with password_file"},
		{"password_file", ownFile(&e.PasswordFile), "of the user"},
		{"from", one(&e.From, "", text(address)), "the sender: backup@example.com"},
		{"to", texts(&e.To, text(notEmpty, address)), "the receivers: [ops@example.com]"},
		{"group", optional(&e.Group), "One mail for many jobs; left out: none."},
	}
}

func (a *Audit) keys() []key {
	return []key{
		{"dir", ownFile(&a.Dir), "the folder; empty: data/audit/ and the relay's name"},
		{"rotate", sectionOf([]key{
			{"size", size(&a.Rotate.Size, "64MiB"), "the next file begins at this size"},
			{"age", one(&a.Rotate.Age, 24*time.Hour, duration(0)), "or at this age; 0: at none"},
		}), "When a file ends."},
		{"keep", one(&a.Keep, 0, whole(0, math.MaxInt32)), "rotated files to keep; 0: all"},
		{"key_file", ownFile(&a.KeyFile), "the key that signs, made at the first start; empty: the folder's name and .key"},
	}
}
