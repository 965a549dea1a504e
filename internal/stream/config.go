package stream

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// duplicateWindow is JetStream's own default. The expected sequence does the work; the window only saves a look.
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
