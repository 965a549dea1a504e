package stream

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

func TestReadyMakesTheStream(t *testing.T) {
	b := use(t, startServer(t), func(c *Config) {
		c.Stream, c.Subjects, c.MaxAge, c.MaxBytes = "ACME", []string{"acme.jobs.>", "acme.commcells.>"}, time.Minute, 1<<20
	})
	st, err := admin(t, b).Stream(soon(t), "ACME")
	if err != nil {
		t.Fatal(err)
	}
	is := st.CachedInfo().Config
	if strings.Join(is.Subjects, " ") != "acme.jobs.> acme.commcells.>" || is.MaxAge != time.Minute || is.MaxBytes != 1<<20 ||
		is.Retention != jetstream.LimitsPolicy || is.Storage != jetstream.FileStorage || is.Discard != jetstream.DiscardNew ||
		is.MaxMsgsPerSubject != -1 || is.MaxMsgSize != -1 || is.Duplicates != time.Minute {
		t.Errorf("made %+v", is)
	}
	ready(t, b) // what it made, it finds to fit
}

func TestReadyMakesTheStreamOnce(t *testing.T) {
	var said logbook
	b := run(t, Config{URL: startServer(t).ClientURL(), Log: said.logger()})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { ready(t, b) })
	}
	all.Wait()
	if got := said.count("made stream JOBS"); got != 1 {
		t.Errorf("made %d times:\n%s", got, said.String())
	}
}

// Each row is a stream made by hand, and what is said of it.
func TestReadyRefusesAStreamThatDoesNotFit(t *testing.T) {
	srv := startServer(t)
	hands := run(t, Config{URL: srv.ClientURL()})
	js := admin(t, hands)
	for name, row := range map[string]struct {
		change func(*jetstream.StreamConfig)
		want   []string // none: it fits
	}{
		"ours":          {func(*jetstream.StreamConfig) {}, nil},
		"more subjects": {func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "other.>") }, nil},
		"republishing": {func(c *jetstream.StreamConfig) {
			c.RePublish = &jetstream.RePublish{Source: "jobs.>", Destination: "copy.>"}
		}, nil},
		"old and unlimited":  {func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld }, nil},
		"new and limited":    {func(c *jetstream.StreamConfig) { c.MaxBytes, c.MaxMsgs = 1<<20, 10 }, nil},
		"large enough":       {func(c *jetstream.StreamConfig) { c.MaxMsgSize = 64 << 10 }, nil},
		"a subject too few":  {func(c *jetstream.StreamConfig) { c.Subjects = []string{"jobs.>", "mine"} }, []string{"stream JOBS: subjects are jobs.>, mine, needs jobs.>, commcells.>; mend with: nats stream edit JOBS --subjects='jobs.>,commcells.>,mine'"}},
		"narrower subjects":  {func(c *jetstream.StreamConfig) { c.Subjects = []string{"jobs.prod.>", "commcells.>"} }, []string{"stream JOBS: subjects are jobs.prod.>, commcells.>, needs jobs.>, commcells.>; mend with: nats stream edit JOBS --subjects='jobs.>,commcells.>'"}},
		"work queue":         {func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy }, []string{"stream JOBS: retention is workqueue, needs limits; name another stream in nats.stream"}},
		"interest":           {func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy }, []string{"stream JOBS: retention is interest, needs limits; mend with: nats stream edit JOBS --retention=limits"}},
		"mirror":             {func(c *jetstream.StreamConfig) { c.Subjects, c.Mirror = nil, &jetstream.StreamSource{Name: "SOURCE"} }, []string{"stream JOBS: is a mirror, which takes no messages; name another stream in nats.stream"}},
		"no acknowledgement": {func(c *jetstream.StreamConfig) { c.NoAck = true }, []string{"stream JOBS: no_ack is true, needs false; mend with: nats stream edit JOBS --ack"}},
		"one per subject":    {func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 1 }, []string{"stream JOBS: max_msgs_per_subject is 1, needs -1; mend with: nats stream edit JOBS --max-msgs-per-subject=-1"}},
		"old with max_bytes": {func(c *jetstream.StreamConfig) { c.Discard, c.MaxBytes = jetstream.DiscardOld, 1<<20 }, []string{"stream JOBS: discard is old, needs new: a full stream would forget in silence; mend with: nats stream edit JOBS --discard=new"}},
		"old with max_msgs":  {func(c *jetstream.StreamConfig) { c.Discard, c.MaxMsgs = jetstream.DiscardOld, 10 }, []string{"stream JOBS: discard is old, needs new: a full stream would forget in silence; mend with: nats stream edit JOBS --discard=new"}},
		"small messages":     {func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 }, []string{"stream JOBS: max_msg_size is 1000, needs -1 or at least 65536; mend with: nats stream edit JOBS --max-msg-size=-1"}},
		"renamed subjects": {func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "jobs.>", Destination: "x.jobs.>"}
		}, []string{"stream JOBS: subject_transform is set, needs none; mend with: nats stream edit JOBS --no-transform"}},
		"counter":      {func(c *jetstream.StreamConfig) { c.AllowMsgCounter, c.Discard = true, jetstream.DiscardOld }, []string{"stream JOBS: allow_msg_counter is true, needs false; name another stream in nats.stream"}},
		"one consumer": {func(c *jetstream.StreamConfig) { c.MaxConsumers = 1 }, []string{"stream JOBS: max_consumers is 1, needs -1 or at least 3; mend with: nats stream edit JOBS --max-consumers=0"}},
		"two at once": {func(c *jetstream.StreamConfig) { c.NoAck, c.MaxMsgsPerSubject = true, 5 }, []string{
			"stream JOBS: no_ack is true, needs false; mend with: nats stream edit JOBS --ack",
			"stream JOBS: max_msgs_per_subject is 5, needs -1; mend with: nats stream edit JOBS --max-msgs-per-subject=-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "mirror" {
				makeStream(t, js, jetstream.StreamConfig{Name: "SOURCE", Subjects: []string{"source"}})
			}
			cfg := hands.cfg.newStream()
			row.change(&cfg)
			makeStream(t, js, cfg)
			before, err := js.Stream(soon(t), "JOBS")
			if err != nil {
				t.Fatal(err)
			}

			_, err = hands.Ready(soon(t))
			expectMisfit(t, err, row.want)
			after, err := js.Stream(soon(t), "JOBS")
			if err != nil {
				t.Fatal(err)
			}
			if b, a := before.CachedInfo().Config, after.CachedInfo().Config; strings.Join(b.Subjects, " ") != strings.Join(a.Subjects, " ") || b.MaxMsgsPerSubject != a.MaxMsgsPerSubject {
				t.Errorf("the stream was changed: %+v, was %+v", a, b)
			}
		})
	}
}

func TestAWiderSubjectCoversOurs(t *testing.T) {
	ours := []string{"acme.jobs.>", "acme.commcells.>"}
	for theirs, want := range map[string]bool{
		"acme.>": true, ">": true, "*.jobs.> *.commcells.>": true, "acme.*.>": true,
		"acme.*": false, "acme.jobs.>": false, "acme.jobs.* acme.commcells.>": false, "jobs.> commcells.>": false, "": false,
	} {
		if got := covers(strings.Fields(theirs), ours); got != want {
			t.Errorf("%q covers %q: got %v, want %v", theirs, ours, got, want)
		}
	}
}

func TestReadyRefusesASealedStream(t *testing.T) {
	b := use(t, startServer(t))
	changeStream(t, b, func(c *jetstream.StreamConfig) { c.Sealed = true })
	_, err := b.Publish(soon(t), event(1, "a", 0))
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Reason != Misfit {
		t.Errorf("publish: got %v, want a refusal: misfit", err)
	}
	_, err = b.Ready(soon(t))
	if err == nil || !strings.Contains(err.Error(), "stream JOBS: is sealed; name another stream in nats.stream") {
		t.Errorf("got %v", err)
	}
}

func TestReadyWarnsOnceOfWhatDiffers(t *testing.T) {
	srv := startServer(t)
	use(t, srv, func(c *Config) { c.MaxAge = time.Hour })
	var log logbook
	b := use(t, srv, func(c *Config) { c.Log, c.MaxAge, c.Replicas, c.MaxBytes = log.logger(), 720*time.Hour, 3, 1<<30 })
	ready(t, b)
	for _, want := range []string{
		"stream JOBS: max_age is 1h0m0s, nats.max_age says 720h0m0s; adopt it in the configuration, or mend with: nats stream edit JOBS --max-age=720h0m0s",
		"stream JOBS: replicas is 1, nats.replicas says 3; adopt it in the configuration, or mend with: nats stream edit JOBS --replicas=3",
		"stream JOBS: max_bytes is -1, nats.max_bytes says 1073741824; adopt it in the configuration, or mend with: nats stream edit JOBS --max-bytes=1073741824",
	} {
		if n := log.count(want); n != 1 {
			t.Errorf("logged %d times, want once: %s\n%s", n, want, &log)
		}
	}
}

func TestReadySaysWhyTheStreamCannotBeMade(t *testing.T) {
	for name, row := range map[string]struct {
		server func(*server.Options)
		config func(*Config)
		theirs *jetstream.StreamConfig
		want   string
	}{
		"others hold the subjects": {
			theirs: &jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"commcells.*.unreachable"}},
			want:   "stream JOBS cannot be made: stream THEIRS holds subjects of commcells.>; take them from it, set nats.stream to THEIRS, or set nats.subject_prefix",
		},
		"three replicas of one server": {
			config: func(c *Config) { c.Replicas = 3 },
			want:   "this server is alone: set nats.replicas to 1",
		},
		"larger than the server": {
			server: func(o *server.Options) { o.JetStreamMaxStore = 1 << 20 },
			config: func(c *Config) { c.MaxBytes = 1 << 30 },
			want:   "nats.max_bytes is 1073741824: set it within the limits of the account and the server",
		},
		"no JetStream": {
			server: func(o *server.Options) { o.JetStream = false },
			want:   "NATS without JetStream; where it is reached through a leaf node, set nats.domain to its domain; else mend with: jetstream {store_dir",
		},
		"no right to look": {
			server: user("jobwatch", "$JS.API.STREAM.INFO.>"),
			want:   "$JS.API.STREAM.INFO.JOBS: no right; allow jobwatch's NATS user to publish to it",
		},
		"no right to make": {
			server: user("jobwatch", "$JS.API.STREAM.CREATE.>"),
			want:   "$JS.API.STREAM.CREATE.JOBS: no right; allow jobwatch's NATS user to publish to it",
		},
		"no right to read": {
			server: user("jobwatch", "$JS.API.CONSUMER.CREATE.>"),
			want:   "no right; allow jobwatch's NATS user to publish to it",
		},
		"no right to hear": {
			server: func(o *server.Options) {
				user("jobwatch")(o)
				o.Users[0].Permissions.Subscribe = &server.SubjectPermission{Deny: []string{"_INBOX.>"}}
			},
			want: "_INBOX.>: no right; allow jobwatch's NATS user to subscribe to it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := Config{URL: startServer(t, orNothing(row.server)).ClientURL(), User: "jobwatch", Password: "secret"}
			if row.config != nil {
				row.config(&cfg)
			}
			b := run(t, cfg)
			if row.theirs != nil {
				makeStream(t, admin(t, b), *row.theirs)
			}
			for range 2 { // it stays so
				_, err := b.Ready(soon(t))
				var misfit *MisfitError
				if !errors.As(err, &misfit) || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("got %v, want a misfit: %s", err, row.want)
				}
			}
		})
	}
}

func TestReadyEndsWithItsContext(t *testing.T) {
	b := run(t, Config{URL: "nats://127.0.0.1:1"})
	ctx, cancel := context.WithCancel(t.Context())
	until(t, "a reason is known", func() bool { return b.LastError() != nil })
	cancel()
	if _, err := b.Ready(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestNewEnough(t *testing.T) {
	for version, ok := range map[string]bool{
		"2.11.0": true, "2.11.0-RC.3": true, "2.15.2": true, "3.0.0": true, "v2.12.1": true, "2.100.0": true,
		"2.10.4": false, "2.9.25": false, "1.4.1": false, "": false, "dev": false, "2": false,
	} {
		err := newEnough("nats.example.com:4222", version)
		if ok != (err == nil) {
			t.Errorf("%q: got %v, want fits: %v", version, err, ok)
		}
	}
	want := "nats.example.com:4222 is nats-server 2.10.4; jobwatch needs 2.11 or newer"
	if err := newEnough("nats.example.com:4222", "2.10.4"); err == nil || err.Error() != want {
		t.Errorf("got %q\nwant %q", err, want)
	}
}

// Behind a server that is new enough, an old one may hold the stream.
func TestTheHolderOfTheStreamIsNewEnough(t *testing.T) {
	is := &jetstream.StreamInfo{Config: jetstream.StreamConfig{Name: "JOBS", Metadata: map[string]string{"_nats.ver": "2.15.2"}}}
	if err := holderNewEnough(is); err != nil {
		t.Error(err)
	}
	is.Config.Metadata = nil
	expectMisfit(t, holderNewEnough(is), []string{"the server of stream JOBS is nats-server 2.10 or older; jobwatch needs 2.11 or newer"})
}

// makeStream makes a stream in place of an earlier one of that name.
func makeStream(t *testing.T, js jetstream.JetStream, cfg jetstream.StreamConfig) {
	t.Helper()
	if err := js.DeleteStream(soon(t), cfg.Name); err != nil && !errors.Is(err, jetstream.ErrStreamNotFound) {
		t.Fatal(err)
	}
	var err error
	until(t, "the server has removed what it deleted", func() bool {
		_, err = js.CreateStream(soon(t), cfg)
		return err == nil || !isCode(err, server.JSStreamCreateErrF)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func expectMisfit(t *testing.T, err error, want []string) {
	t.Helper()
	var misfit *MisfitError
	if err != nil && !errors.As(err, &misfit) {
		t.Fatalf("got %v, want a *MisfitError", err)
	}
	var got []string
	if misfit != nil {
		got = misfit.Lines
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Such a server would take each publish, and not look at what it expects.
func TestAnOldServerIsNotAskedForAnything(t *testing.T) {
	b := New(Config{})
	err := b.check(soon(t), &session{host: "nats.example.com:4222", version: "2.10.4"})
	expectMisfit(t, err, []string{"nats.example.com:4222 is nats-server 2.10.4; jobwatch needs 2.11 or newer"})
}
