package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLast(t *testing.T) {
	b := use(t, startServer(t))
	if _, err := b.Last(soon(t), "jobs.prod.1.>"); !errors.Is(err, ErrNone) {
		t.Errorf("empty stream: got %v, want %v", err, ErrNone)
	}
	first := publish(t, b, event(1, "a", 0))
	publish(t, b, event(1, "b", first))
	publish(t, b, event(2, "c", 0))

	m, err := b.Last(soon(t), "jobs.prod.1.>")
	if err != nil || m.Sequence != 2 || m.ID != "b" || m.Subject != "jobs.prod.1.fall.state.running" || string(m.Data) != `{"id":"b"}` {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, err := b.Last(soon(t), "jobs.prod.3.>"); !errors.Is(err, ErrNone) {
		t.Errorf("another job: got %v, want %v", err, ErrNone)
	}
	forgetMessages(t, b, 2)
	if m, err := b.Last(soon(t), "jobs.prod.1.>"); err != nil || m.ID != "a" {
		t.Errorf("once the last was deleted: got %+v, %v", m, err)
	}
	if _, err := admin(t, b).Publish(soon(t), "jobs.foreign", nil); err != nil {
		t.Fatal(err)
	}
	if m, err := b.Last(soon(t), ">"); err != nil || m.Sequence != 4 || m.ID != "" || len(m.Data) != 0 {
		t.Errorf("a message without header or data: got %+v, %v", m, err)
	}
}

func TestEach(t *testing.T) {
	b := use(t, startServer(t))
	var one, two uint64 // last sequences of the two jobs
	for i := range 3 {
		one = publish(t, b, event(1, fmt.Sprintf("a%d", i), one))
		two = publish(t, b, event(2, fmt.Sprintf("b%d", i), two))
	}
	for _, row := range []struct {
		filter string
		from   uint64
		want   string
	}{
		{"jobs.prod.1.>", 0, "a0 a1 a2"},
		{"jobs.prod.1.>", 2, "a1 a2"},
		{"jobs.prod.1.>", 3, "a1 a2"},
		{"jobs.prod.1.>", 6, ""},
		{"jobs.prod.9.>", 0, ""},
		{">", 5, "a2 b2"},
	} {
		var got []string
		err := b.Each(soon(t), row.filter, row.from, func(m Message) error {
			got = append(got, m.ID)
			return nil
		})
		if err != nil || strings.Join(got, " ") != row.want {
			t.Errorf("%s from %d: got %s, %v; want %s", row.filter, row.from, got, err, row.want)
		}
	}
	enough := errors.New("enough")
	if err := b.Each(soon(t), ">", 0, func(Message) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want that of yield", err)
	}
}

func TestReadingWithoutTheRight(t *testing.T) {
	b := use(t, startServer(t, user("jobwatch", "$JS.API.STREAM.MSG.GET.>")), func(c *Config) {
		c.User, c.Password = "jobwatch", "secret"
	})
	var refused *RefusedError
	if _, err := b.Last(soon(t), ">"); !errors.As(err, &refused) || refused.Reason != Permission {
		t.Errorf("got %v, want a refusal: permission", err)
	}
}

func TestScan(t *testing.T) {
	for name, row := range map[string]struct {
		messages int
		gone     []uint64
		from     uint64
		want     string
		last     uint64
	}{
		"an empty stream":           {0, nil, 0, "", 0},
		"all":                       {4, nil, 0, "1 2 3 4", 4},
		"on from a sequence":        {4, nil, 3, "3 4", 4},
		"on from the end":           {4, nil, 5, "", 4},
		"beyond the end":            {4, nil, 100, "", 4},
		"gone in the middle":        {5, []uint64{2, 4}, 0, "1 3 5", 5},
		"gone at the start":         {5, []uint64{1, 2}, 0, "3 4 5", 5},
		"gone at the end":           {5, []uint64{4, 5}, 0, "1 2 3", 5},
		"gone from the start on":    {5, []uint64{4, 5}, 4, "", 5},
		"all gone":                  {3, []uint64{1, 2, 3}, 0, "", 3},
		"more than is read at once": {1200, nil, 1190, "1190 1191 1192 1193 1194 1195 1196 1197 1198 1199 1200", 1200},
	} {
		t.Run(name, func(t *testing.T) {
			b := use(t, startServer(t))
			fill(t, b, row.messages)
			forgetMessages(t, b, row.gone...)
			var got []string
			last, err := b.Scan(soon(t), row.from, func(m Message) error {
				got = append(got, fmt.Sprint(m.Sequence))
				if want := fmt.Sprintf("id-%d", m.Sequence); m.ID != want || string(m.Data) != `{"id":"`+want+`"}` {
					t.Errorf("message %d: %+v", m.Sequence, m)
				}
				return nil
			})
			if err != nil || strings.Join(got, " ") != row.want || last != row.last {
				t.Errorf("got %s, last %d, %v; want %s, last %d", got, last, err, row.want, row.last)
			}
		})
	}
}

func TestScanReadsAllOfManyMessages(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 2*readAhead+1)
	next := uint64(1)
	_, err := b.Scan(soon(t), 0, func(m Message) error {
		if m.Sequence != next {
			return fmt.Errorf("got %d, want %d", m.Sequence, next)
		}
		next++
		return nil
	})
	if err != nil || next != 2*readAhead+2 {
		t.Errorf("read up to %d, %v", next-1, err)
	}
}

// What is published while it reads is left for the next one; what is deleted then is not waited for.
func TestScanWhileTheStreamChanges(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 5)
	var got []uint64
	last, err := b.Scan(soon(t), 0, func(m Message) error {
		got = append(got, m.Sequence)
		if m.Sequence == 1 {
			publish(t, b, event(77, "new", 0))
		}
		return nil
	})
	if err != nil || last != 5 || !slices.Equal(got, []uint64{1, 2, 3, 4, 5}) {
		t.Errorf("got %d, last %d, %v", got, last, err)
	}
}

// The message that it is to end with is deleted between the look at the stream's end and the reading.
func TestScanDoesNotWaitForWhatIsGone(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 3)
	forgetMessages(t, b, 3)
	var got []uint64
	collect := func(m Message) error { got = append(got, m.Sequence); return nil }
	read, err := b.readThrough(soon(t), 1, 3, collect)
	if err != nil || read != 2 || !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("with nothing behind it: got %d, read %d, %v", got, read, err)
	}
	publish(t, b, event(9, "behind", 0))
	got = nil
	read, err = b.readThrough(soon(t), 1, 3, collect)
	if err != nil || read != 2 || !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("with one behind it: got %d, read %d, %v", got, read, err)
	}
}

func TestScanEndsWithItsErrors(t *testing.T) {
	srv := startServer(t)
	b := use(t, srv)
	fill(t, b, 3)
	enough := errors.New("enough")
	last, err := b.Scan(soon(t), 0, func(m Message) error {
		if m.Sequence == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || last != 1 {
		t.Errorf("error of yield: got last %d, %v; want 1, %v", last, err, enough)
	}
	ctx, cancel := context.WithCancel(soon(t))
	if last, err = b.Scan(ctx, 0, func(Message) error { cancel(); return nil }); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("end of the context: got last %d, %v", last, err)
	}
	srv.Shutdown()
	if _, err = b.Scan(soon(t), 0, func(Message) error { return nil }); !errors.Is(err, ErrDisconnected) {
		t.Errorf("connection lost: got %v, want %v", err, ErrDisconnected)
	}
}

// A reader that rests ends with its connection, though nobody asks for it again.
func TestAnIdleReaderEndsWithItsConnection(t *testing.T) {
	running := func() int {
		stacks := make([]byte, 4<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), ").pullMessages(")
	}
	before := running()
	srv := startServer(t)
	b := use(t, srv)
	fill(t, b, 1)
	if _, err := b.Scan(soon(t), 0, func(Message) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := running(); n != before+1 {
		t.Fatalf("%d readers rest, want 1", n-before)
	}
	srv.Shutdown()
	until(t, "the reader has ended", func() bool { return running() == before })
}

func TestScanWithoutTheRight(t *testing.T) {
	srv := startServer(t, user("jobwatch", "$JS.API.CONSUMER.>"))
	makeStream(t, admin(t, run(t, Config{URL: srv.ClientURL(), User: "jobwatch", Password: "secret"})), Config{}.withDefaults().newStream())
	b := use(t, srv, func(c *Config) { c.User, c.Password, c.ReadOnly = "jobwatch", "secret", true })
	fill(t, b, 1)
	var refused *RefusedError
	if _, err := b.Scan(soon(t), 0, func(Message) error { return nil }); !errors.As(err, &refused) || refused.Reason != Permission {
		t.Errorf("got %v, want a refusal: permission", err)
	}
}

func TestFollow(t *testing.T) {
	srv := startServer(t)
	b := use(t, srv)
	fill(t, b, 2)
	came, done := make(chan uint64, 9), make(chan error, 1)
	go func() {
		done <- b.Follow(context.Background(), 2, func(m Message) error { came <- m.Sequence; return nil })
	}()
	if got := <-came; got != 2 {
		t.Errorf("got %d, want 2", got)
	}
	publish(t, b, event(3, "later", 0))
	if got := <-came; got != 3 {
		t.Errorf("got %d, want 3", got)
	}
	srv.Shutdown()
	if err := <-done; !errors.Is(err, ErrDisconnected) {
		t.Errorf("connection lost: got %v, want %v", err, ErrDisconnected)
	}
}

func TestFollowFrom(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 2)
	until(t, "the clock moves on", func() bool { return time.Since(storedAt(t, b, 2)) > time.Millisecond })
	since := time.Now()
	for i, job := range []int{3, 4, 3} {
		publish(t, b, event(job, fmt.Sprintf("later-%d", i), []uint64{0, 0, 3}[i]))
	}
	for name, row := range map[string]struct {
		start Start
		want  []uint64
	}{
		"all":            {Start{}, []uint64{1, 2, 3, 4, 5}},
		"from the third": {Start{Sequence: 3}, []uint64{3, 4, 5}},
		"since a time":   {Start{Since: since}, []uint64{3, 4, 5}},
		"a job":          {Start{Subjects: []string{"jobs.*.3.>"}}, []uint64{3, 5}},
		"two jobs since": {Start{Since: since, Subjects: []string{"jobs.*.1.>", "jobs.*.4.>"}}, []uint64{4}},
	} {
		var got []uint64
		ended := errors.New("that was the last")
		err := b.FollowFrom(soon(t), row.start, func(m Message) error {
			if got = append(got, m.Sequence); len(got) == len(row.want) {
				return ended
			}
			return nil
		})
		if !errors.Is(err, ended) || !slices.Equal(got, row.want) {
			t.Errorf("%s: got %v (%v), want %v", name, got, err, row.want)
		}
	}
}

// storedAt is when the stream took a message.
func storedAt(t *testing.T, b *Broker, sequence uint64) time.Time {
	t.Helper()
	stream, err := admin(t, b).Stream(soon(t), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	m, err := stream.GetMsg(soon(t), sequence)
	if err != nil {
		t.Fatal(err)
	}
	return m.Time
}

func TestFollowEndsWithItsContext(t *testing.T) {
	b := use(t, startServer(t))
	ctx, cancel := context.WithCancel(t.Context())
	fill(t, b, 1)
	err := b.Follow(ctx, 0, func(Message) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestFollowHeaders(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 3)
	type head struct {
		subject, id string
		sequence    uint64
	}
	var got []head
	enough := errors.New("enough")
	err := b.FollowHeaders(soon(t), 2, func(m Message) error {
		if len(m.Data) > 0 {
			t.Errorf("message %d comes with its body %q", m.Sequence, m.Data)
		}
		got = append(got, head{m.Subject, m.ID, m.Sequence})
		switch len(got) {
		case 2:
			publish(t, b, event(4, "id-4", 0))
		case 3:
			return enough
		}
		return nil
	})
	want := []head{
		{"jobs.prod.2.fall.state.running", "id-2", 2},
		{"jobs.prod.3.fall.state.running", "id-3", 3},
		{"jobs.prod.4.fall.state.running", "id-4", 4},
	}
	if !errors.Is(err, enough) || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestInfo(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 3)
	forgetMessages(t, b, 1, 3)
	is, err := b.Info(soon(t))
	if err != nil || is.Name != "JOBS" || is.First != 2 || is.Last != 3 || is.Messages != 1 || is.Created.IsZero() {
		t.Errorf("got %+v, %v", is, err)
	}
	makeStream(t, admin(t, b), b.cfg.newStream())
	again, err := b.Info(soon(t))
	if err != nil || again.Created.Equal(is.Created) {
		t.Errorf("another stream of that name looks the same: %+v, was %+v", again, is)
	}
}

func forgetMessages(t *testing.T, b *Broker, sequences ...uint64) {
	t.Helper()
	st, err := admin(t, b).Stream(soon(t), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range sequences {
		if err := st.DeleteMsg(soon(t), seq); err != nil {
			t.Fatal(err)
		}
	}
}

// A message that is lost on its way to us ends the reading: behind it nothing may be taken for read.
func TestAGapInWhatIsReadIsNoticed(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 3)
	r, err := b.openReader(soon(t), Start{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if m, err := r.next(); err != nil || m.Sequence != 1 {
		t.Fatalf("got %d, %v", m.Sequence, err)
	}
	if _, err := r.msgs.Next(); err != nil { // the second one
		t.Fatal(err)
	}
	if m, err := r.next(); err == nil {
		t.Errorf("got %d, and nothing of the one before it", m.Sequence)
	}
}
