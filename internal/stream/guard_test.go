package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/testing/slow"
)

func watchful(c *Config) { c.CheckEvery = 10 * time.Millisecond }

// Each row is an edit of a stream in use, what is said of it, and the edit that mends it.
func TestAStreamEditedUnderWay(t *testing.T) {
	for name, row := range map[string]struct {
		edit, mend func(*jetstream.StreamConfig)
		want       string
	}{
		"discard old with a limit": {
			func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardOld, 10 },
			func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardNew },
			"discard is old, needs new"},
		"max_msgs_per_subject": {
			func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 },
			func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = -1 },
			"max_msgs_per_subject is 1"},
		"other subjects": {
			func(c *jetstream.StreamConfig) { c.Subjects = []string{"jobs.other.>", "commcells.>"} },
			func(c *jetstream.StreamConfig) { c.Subjects = []string{"jobs.>", "commcells.>"} },
			"subjects are jobs.other.>, commcells.>"},
		"no acknowledgement": {
			func(c *jetstream.StreamConfig) { c.NoAck = true },
			func(c *jetstream.StreamConfig) { c.NoAck = false },
			"no_ack is true"},
		"small messages": {
			func(c *jetstream.StreamConfig) { c.MaxMsgSize = 100 },
			func(c *jetstream.StreamConfig) { c.MaxMsgSize = -1 },
			"max_msg_size is 100"},
		"interest": {
			func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
			func(c *jetstream.StreamConfig) { c.Retention = jetstream.LimitsPolicy },
			"retention is interest"},
		"a transform": {
			func(c *jetstream.StreamConfig) {
				c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "jobs.>", Destination: "x.jobs.>"}
			},
			func(c *jetstream.StreamConfig) { c.SubjectTransform = nil },
			"subject_transform is set"},
		"max_age below what waits": {
			func(c *jetstream.StreamConfig) { c.MaxAge = 59 * time.Minute },
			func(c *jetstream.StreamConfig) { c.MaxAge = 2 * time.Hour },
			"max_age is 59m0s, and events wait longer than that; mend with: nats stream edit JOBS --max-age=720h0m0s, or set nats.max_age to 59m0s"},
		"few consumers": {
			func(c *jetstream.StreamConfig) { c.MaxConsumers = 2 },
			func(c *jetstream.StreamConfig) { c.MaxConsumers = -1 },
			"max_consumers is 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := use(t, startServer(t), watchful, func(c *Config) {
				c.MaxAge, c.Waiting = 720*time.Hour, func() time.Duration { return time.Hour }
			})
			refuted := ready(t, b)
			changeStream(t, b, row.edit)
			await(t, "the verdict's end", refuted)
			if err := b.Usable(); err == nil || !strings.Contains(err.Error(), "stream JOBS: "+row.want) {
				t.Errorf("usable: got %v, want %s", err, row.want)
			}
			if _, err := b.Publish(soon(t), event(1, "a", 0)); !errors.Is(err, ErrDisconnected) {
				t.Errorf("published in spite of it: %v", err)
			}
			if _, err := b.Ready(soon(t)); err == nil || !strings.Contains(err.Error(), "stream JOBS: "+row.want) {
				t.Errorf("ready: got %v, want %s", err, row.want)
			}
			changeStream(t, b, row.mend)
			ready(t, b)
			if err := b.Usable(); err != nil {
				t.Errorf("mended: %v", err)
			}
			publish(t, b, event(1, "a", 0))
		})
	}
}

func TestAStreamDeletedAndMadeOtherwise(t *testing.T) {
	b := use(t, startServer(t), watchful)
	refuted := ready(t, b)
	makeStream(t, admin(t, b), jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>", "commcells.>"}, MaxMsgsPerSubject: 1})
	await(t, "the verdict's end", refuted)
	if _, err := b.Ready(soon(t)); err == nil || !strings.Contains(err.Error(), "max_msgs_per_subject is 1") {
		t.Errorf("got %v", err)
	}
}

func TestADeletedStreamIsMadeAgain(t *testing.T) {
	b := use(t, startServer(t), watchful)
	refuted := ready(t, b)
	if err := admin(t, b).DeleteStream(soon(t), "JOBS"); err != nil {
		t.Fatal(err)
	}
	await(t, "the verdict's end", refuted)
	ready(t, b)
	publish(t, b, event(1, "a", 0))
}

// A stream that has forgotten soon ever since is somebody's choice, as is one that the configuration knows; one that began
// to is an oversight.
func TestAStreamThatForgetsSoon(t *testing.T) {
	for name, row := range map[string]struct {
		first, configured, edited, waits time.Duration
		want                             string
	}{
		"ever since":                  {first: time.Second, configured: 720 * time.Hour, waits: time.Hour},
		"as configured":               {first: time.Hour, configured: time.Second, edited: time.Second},
		"for what waits":              {first: 2 * time.Hour, edited: time.Hour, waits: 61 * time.Minute, want: "max_age is 1h0m0s, and events wait longer than that; mend with: nats stream edit JOBS --max-age=2h0m0s, or set nats.max_age to 1h0m0s"},
		"not too soon for what waits": {first: 2 * time.Hour, edited: time.Hour, waits: 59 * time.Minute},
		"before it is read":           {first: 2 * time.Hour, edited: 59 * time.Second, want: "max_age is 59s"},
		"later than before":           {first: time.Second, edited: 30 * time.Second, configured: time.Hour},
		"for ever before":             {edited: time.Second, want: "max_age is 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t)
			is := Config{MaxAge: row.first}.withDefaults().newStream()
			makeStream(t, admin(t, run(t, Config{URL: srv.ClientURL()})), is)
			b := use(t, srv, func(c *Config) {
				c.MaxAge, c.Waiting = row.configured, func() time.Duration { return row.waits }
			})
			if row.edited > 0 {
				changeStream(t, b, func(c *jetstream.StreamConfig) {
					c.MaxAge, c.Duplicates = row.edited, min(c.Duplicates, row.edited)
				})
			}
			for range 2 {
				_, err := b.Ready(soon(t))
				if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
					t.Errorf("got %v, want %q", err, row.want)
				}
			}
		})
	}
}

// What differs under way and does no harm is said, and the work goes on.
func TestWhatDiffersUnderWayIsSaid(t *testing.T) {
	var log logbook
	b := use(t, startServer(t), watchful, func(c *Config) { c.Log, c.MaxAge = log.logger(), 720*time.Hour })
	changeStream(t, b, func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour })
	until(t, "it is said", func() bool { return log.count("max_age is 1h0m0s, nats.max_age says 720h0m0s") == 1 })
	publish(t, b, event(1, "a", 0))
}

// A verdict of Ready does not outlive another that refutes it, and those who rely on the first learn of it.
func TestReadyRefutesAnEarlierVerdict(t *testing.T) {
	b := use(t, startServer(t))
	refuted := ready(t, b)
	changeStream(t, b, func(c *jetstream.StreamConfig) { c.NoAck = true })
	if _, err := b.Ready(soon(t)); err == nil {
		t.Fatal("a stream that does not fit is ready")
	}
	await(t, "the verdict's end", refuted)
	if err := b.Usable(); err == nil || !strings.Contains(err.Error(), "no_ack is true") {
		t.Errorf("usable: %v", err)
	}
}

// One look without an answer, as while a leader is elected, refutes nothing; the second in a row does.
func TestOneCheckWithoutAnAnswerRefutesNothing(t *testing.T) {
	slow.Test(t, "10 s", "the check that finds no answer has its time-out")
	t.Parallel()
	srv := startServer(t)
	b := use(t, srv)
	s, err := b.usable()
	if err != nil {
		t.Fatal(err)
	}
	refuted := ready(t, b)
	if err := srv.DisableJetStream(); err != nil {
		t.Fatal(err)
	}
	unanswered := b.recheck(t.Context(), s, false)
	if err := b.Usable(); !unanswered || err != nil {
		t.Errorf("after one look: unanswered %t, usable: %v", unanswered, err)
	}
	b.recheck(t.Context(), s, unanswered)
	await(t, "the verdict's end", refuted)
}

// Who only waited no longer has refuted nothing.
func TestReadyThatIsGivenUpRefutesNothing(t *testing.T) {
	b := use(t, startServer(t))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Ready(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := b.Usable(); err != nil {
		t.Errorf("usable: %v", err)
	}
}
