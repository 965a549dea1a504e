package stream

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/tlsfile"
)

// Config says where NATS is and what the stream looks like. The zero value asks nats://127.0.0.1:4222 for JOBS.
type Config struct {
	URL       string    // nats://, tls://, ws:// or wss:// URLs, separated by commas; default nats://127.0.0.1:4222
	InProcess *Embedded // connect to this server instead of URL, without a socket

	CredsFile string         // read again at each connection, as is NKeyFile
	NKeyFile  string         // the file of an nkey seed
	User      string         // with Password
	Password  string         // with User
	Token     string         // instead of User and Password
	TLS       tlsfile.Source // nil: as the URL says

	// Secrets is asked at each connection in the place of Password and Token; nil: they stay.
	Secrets func() (password, token string, err error)

	HandshakeFirst bool   // TLS before NATS says a word, as such a server wants it
	Domain         string // the JetStream domain, where it is reached through a leaf node; "": the server's own

	Stream   string        // default JOBS
	Subjects []string      // what the stream must take; default jobs.>, commcells.>
	Replicas int           // default 1
	MaxAge   time.Duration // 0: messages are kept for ever
	MaxBytes int64         // 0: no limit

	Samples []string // subjects as they are published to, for Probe to ask where they lead

	ReadOnly bool // never make the stream, and read one whatever it is like

	CheckEvery time.Duration        // how often server and stream are checked again while they are in use; default 15 s
	Waiting    func() time.Duration // how long the oldest event has waited to be published; nil: none waits

	Log  *slog.Logger // default slog.Default()
	Name string       // of the connection, as NATS shows it; default jobwatch
}

// duplicateWindow is JetStream's own default. The expected sequence does the work; the window only saves reading the
// stream.
const duplicateWindow = 2 * time.Minute

func (c Config) withDefaults() Config {
	c.URL = cmp.Or(c.URL, "nats://127.0.0.1:4222")
	c.Stream = cmp.Or(c.Stream, "JOBS")
	c.Replicas = cmp.Or(c.Replicas, 1)
	c.Name = cmp.Or(c.Name, "jobwatch")
	c.Log = cmp.Or(c.Log, slog.Default())
	c.CheckEvery = cmp.Or(c.CheckEvery, 15*time.Second)
	if len(c.Subjects) == 0 {
		c.Subjects = []string{"jobs.>", "commcells.>"}
	}
	return c
}

// newStream is the stream as we make it where there is none.
func (c Config) newStream() jetstream.StreamConfig {
	window := duplicateWindow
	if c.MaxAge > 0 {
		window = min(window, c.MaxAge) // JetStream allows no window beyond max_age
	}
	return jetstream.StreamConfig{
		Name:              c.Stream,
		Description:       "What jobwatch told of jobs and CommCells",
		Subjects:          c.Subjects,
		Retention:         jetstream.LimitsPolicy,
		Storage:           jetstream.FileStorage,
		Replicas:          c.Replicas,
		MaxAge:            c.MaxAge,
		MaxBytes:          unlimited(c.MaxBytes),
		MaxMsgs:           -1,
		MaxMsgsPerSubject: -1,
		MaxMsgSize:        -1,
		MaxConsumers:      -1,
		Discard:           jetstream.DiscardNew, // a full stream refuses, and we say so; it does not forget in silence
		Duplicates:        window,
		AllowDirect:       true, // cheap reading for others; we ask the leader
	}
}

func unlimited(n int64) int64 {
	if n <= 0 {
		return -1
	}
	return n
}
