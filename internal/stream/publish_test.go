package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

func TestPublishStoresTheMessageWithItsHeaders(t *testing.T) {
	b := use(t, startServer(t))
	seq := publish(t, b, event(1, "a", 0))
	st, err := admin(t, b).Stream(soon(t), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	m, err := st.GetMsg(soon(t), seq)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Nats-Msg-Id": "a", "Content-Type": "application/cloudevents+json",
		"Nats-Expected-Last-Subject-Sequence-Subject": "jobs.prod.1.>", "Nats-Expected-Stream": "JOBS",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("header %s: got %q, want %q", name, got, want)
		}
	}
	if string(m.Data) != `{"id":"a"}` {
		t.Errorf("data: %s", m.Data)
	}
}

func TestPublishExpectsTheLastSequenceOfTheJob(t *testing.T) {
	b := use(t, startServer(t))
	first := publish(t, b, event(1, "a", 0))
	publish(t, b, event(2, "other job", 0))
	moved := event(1, "b", first)
	moved.Subject = "jobs.prod.1.another-client.phase.scan"
	second := publish(t, b, moved)

	for _, row := range []struct {
		m    Outgoing
		last uint64
	}{
		{event(1, "c", 0), second},
		{event(1, "c", first), second},
		{event(1, "a", 0), second}, // the id is known, but the expectation is checked first
		{event(3, "c", 7), 0},
	} {
		_, err := b.Publish(soon(t), row.m)
		var refused *SequenceError
		if !errors.Is(err, ErrSequence) || !errors.As(err, &refused) || refused.Last != row.last {
			t.Errorf("%s expecting %d of job: got %v, want another last sequence: %d", row.m.ID, row.m.ExpectLast, err, row.last)
		}
	}
	if third := publish(t, b, event(1, "c", second)); third != 4 {
		t.Errorf("third message of the job: got sequence %d, want 4: a refused one was stored", third)
	}
}

func TestPublishOfAKnownIDAnswersItsSequence(t *testing.T) {
	b := use(t, startServer(t))
	first := publish(t, b, event(1, "a", 0))
	if again := publish(t, b, event(1, "a", first)); again != first {
		t.Errorf("got sequence %d, want that of the first time, %d", again, first)
	}
	if info, err := b.Info(soon(t)); err != nil || info.Messages != 1 {
		t.Errorf("messages: %d, %v; want 1", info.Messages, err)
	}
}

func TestPublishRefused(t *testing.T) {
	const big = 70 << 10
	for name, row := range map[string]struct {
		server func(*server.Options)
		stream func(*jetstream.StreamConfig)
		m      func(Outgoing) Outgoing
		reason string
		text   string
	}{
		"larger than the server takes": {
			server: func(o *server.Options) { o.MaxPayload = 66 << 10 },
			m:      func(m Outgoing) Outgoing { m.Data = make([]byte, big); return m },
			reason: TooLarge,
			text:   "jobs.prod.9.fall.state.running: message of 71680 bytes is larger than max_payload of the NATS server",
		},
		"larger than the stream takes": {
			stream: func(c *jetstream.StreamConfig) { c.MaxMsgSize = 65 << 10 },
			m:      func(m Outgoing) Outgoing { m.Data = make([]byte, big); return m },
			reason: TooLarge,
			text:   "max_msg_size of stream JOBS; mend with: nats stream edit JOBS --max-msg-size=-1",
		},
		"messages full": {
			stream: func(c *jetstream.StreamConfig) { c.MaxMsgs = 1 },
			reason: StreamFull,
			text:   "stream JOBS is full: maximum messages exceeded; mend with: nats stream edit JOBS --max-msgs=-1",
		},
		"bytes full": {
			stream: func(c *jetstream.StreamConfig) { c.MaxBytes = 500 },
			reason: StreamFull,
			text:   "stream JOBS is full: maximum bytes exceeded; mend with: nats stream edit JOBS --max-bytes=-1",
		},
		"no right": {
			server: user("jobwatch", "jobs.prod.9.>"),
			reason: Permission,
			text:   "jobs.prod.9.fall.state.running: no right; allow jobwatch's NATS user to publish to it",
		},
		"empty token": {
			m:      func(m Outgoing) Outgoing { m.Subject = "jobs.prod..running"; return m },
			reason: Subject,
			text:   `"jobs.prod..running" is no subject`,
		},
		"subject longer than a line": {
			m:      func(m Outgoing) Outgoing { m.Subject = "jobs." + strings.Repeat("x", 5000); return m },
			reason: Subject,
			text:   "is no subject",
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := startServer(t, orNothing(row.server))
			b := use(t, srv, func(c *Config) { c.User, c.Password = "jobwatch", "secret" })
			if row.stream != nil {
				changeStream(t, b, row.stream)
			}
			publish(t, b, event(1, "fits", 0))
			m := event(9, "refused", 0)
			if row.m != nil {
				m = row.m(m)
			}
			began := time.Now()
			_, err := b.Publish(soon(t), m)
			var refused *RefusedError
			if !errors.As(err, &refused) || refused.Reason != row.reason || !strings.Contains(refused.Text, row.text) {
				t.Errorf("got %#v, want reason %s with %q", err, row.reason, row.text)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %v: the refusal was waited for in vain", took)
			}
			if !b.Connected() {
				t.Error("the refusal cost the connection")
			}
		})
	}
}

func TestPublishWithoutAStream(t *testing.T) {
	b := use(t, startServer(t))
	if err := admin(t, b).DeleteStream(soon(t), "JOBS"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(soon(t), event(1, "a", 0)); !errors.Is(err, ErrNoStream) {
		t.Errorf("publish: got %v, want %v", err, ErrNoStream)
	}
	if _, err := b.Last(soon(t), ">"); !errors.Is(err, ErrNoStream) {
		t.Errorf("last: got %v, want %v", err, ErrNoStream)
	}
	if _, err := b.Info(soon(t)); !errors.Is(err, ErrNoStream) {
		t.Errorf("info: got %v, want %v", err, ErrNoStream)
	}
	ready(t, b)
	if seq := publish(t, b, event(1, "a", 0)); seq != 1 {
		t.Errorf("in the stream that Ready made anew: got sequence %d, want 1", seq)
	}
}

func TestPublishIntoAnotherStreamThatTookTheSubjects(t *testing.T) {
	b := use(t, startServer(t))
	js := admin(t, b)
	if err := js.DeleteStream(soon(t), "JOBS"); err != nil {
		t.Fatal(err)
	}
	makeStream(t, js, jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"jobs.>"}})
	_, err := b.Publish(soon(t), event(1, "a", 0))
	var refused *RefusedError
	if !errors.As(err, &refused) || refused.Reason != Misfit {
		t.Errorf("got %v, want a refusal: misfit", err)
	}
}

// What JetStream says only in a cluster, or when its disk is full.
func TestRefusalCodes(t *testing.T) {
	for _, row := range []struct {
		code jetstream.ErrorCode
		text string
		want error
	}{
		{10158, "duplicate message id is in process", ErrBusy},
		{10163, "expected last sequence per subject temporarily unavailable", ErrBusy},
		{10164, "wrong last sequence", ErrBusy},
		{10071, "wrong last sequence: 42", ErrSequence},
		{10002, "resource limits exceeded for account", &RefusedError{Reason: Limits}},
		{10023, "insufficient resources", &RefusedError{Reason: Limits}},
		{10047, "insufficient storage resources available", &RefusedError{Reason: Limits}},
		{10077, "maximum messages per subject exceeded", &RefusedError{Reason: StreamFull}},
		{10077, "write 1.blk: no space left on device", &RefusedError{Reason: Storage}},
		{10077, "message too large", &RefusedError{Reason: TooLarge}},
		{10097, "header size exceeds maximum allowed of 64k", &RefusedError{Reason: TooLarge}},
		{10109, "invalid operation on sealed stream", &RefusedError{Reason: Misfit}},
		{10008, "JetStream system temporarily unavailable", nil},
		{10077, "store is closed", nil},
	} {
		err := refusal("JOBS", event(1, "a", 0), fmt.Errorf("nats: %w", &jetstream.APIError{ErrorCode: row.code, Description: row.text}))
		var want, got *RefusedError
		switch {
		case errors.As(row.want, &want):
			if !errors.As(err, &got) || got.Reason != want.Reason {
				t.Errorf("%d %s: got %v, want a refusal: %s", row.code, row.text, err, want.Reason)
			}
		case row.want != nil && !errors.Is(err, row.want):
			t.Errorf("%d %s: got %v, want %v", row.code, row.text, err, row.want)
		case row.want == nil && (errors.As(err, &got) || errors.Is(err, ErrBusy) || errors.Is(err, ErrSequence)):
			t.Errorf("%d %s: got %v, want an unknown outcome", row.code, row.text, err)
		}
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	b := use(t, startServer(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Publish(ctx, event(1, "a", 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestNothingIsAskedBeforeReady(t *testing.T) {
	b := run(t, Config{URL: startServer(t).ClientURL()})
	until(t, "connected", b.Connected)
	if _, err := b.Publish(soon(t), event(1, "a", 0)); !errors.Is(err, ErrDisconnected) {
		t.Errorf("publish: got %v, want %v", err, ErrDisconnected)
	}
	if _, err := b.Last(soon(t), ">"); !errors.Is(err, ErrDisconnected) {
		t.Errorf("last: got %v, want %v", err, ErrDisconnected)
	}
}

// user may do all but publish to the subjects denied.
func user(name string, denied ...string) func(*server.Options) {
	return func(o *server.Options) {
		o.Users = []*server.User{{Username: name, Password: "secret", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: []string{">"}, Deny: denied},
		}}}
	}
}

func orNothing(f func(*server.Options)) func(*server.Options) {
	if f == nil {
		return func(*server.Options) {}
	}
	return f
}

func changeStream(t *testing.T, b *Broker, change func(*jetstream.StreamConfig)) {
	t.Helper()
	js := admin(t, b)
	st, err := js.Stream(soon(t), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	cfg := st.CachedInfo().Config
	change(&cfg)
	if _, err := js.UpdateStream(soon(t), cfg); err != nil {
		t.Fatal(err)
	}
}

func TestADuplicateOfWhatIsNoLongerThereDoesNotCount(t *testing.T) {
	b := use(t, startServer(t))
	seq := publish(t, b, event(1, "a", 0))
	publish(t, b, event(2, "b", 0))
	st, err := admin(t, b).Stream(soon(t), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.DeleteMsg(soon(t), seq); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(soon(t), event(1, "a", 0)); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
	if _, err := b.At(soon(t), seq); !errors.Is(err, ErrNone) {
		t.Errorf("reading it: got %v, want %v", err, ErrNone)
	}
	if m, err := b.At(soon(t), seq+1); err != nil || m.ID != "b" {
		t.Errorf("the message behind it: got %q, %v", m.ID, err)
	}
}
