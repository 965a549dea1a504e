package modelbroker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/stream"
)

func of(number int, id string, expect uint64) stream.Outgoing {
	return stream.Outgoing{
		Subject: fmt.Sprintf("jobs.prod.%d.fall.state.running", number), Filter: fmt.Sprintf("jobs.prod.%d.>", number),
		ID: id, ExpectLast: expect, Data: []byte(id),
	}
}

func ready(t *testing.T, c *Conn) *Conn {
	t.Helper()
	if _, err := c.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func stored(t *testing.T, c *Conn, m stream.Outgoing) uint64 {
	t.Helper()
	sequence, err := c.Publish(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return sequence
}

func ids(s *Stream) (all []string) {
	for _, m := range s.Messages() {
		all = append(all, fmt.Sprintf("%d %s", m.Sequence, m.ID))
	}
	return all
}

func holds(t *testing.T, s *Stream, want ...string) {
	t.Helper()
	if got := ids(s); !slices.Equal(got, want) {
		t.Fatalf("holds %q, want %q", got, want)
	}
}

func TestResend(t *testing.T) {
	for _, row := range []struct {
		replicated bool
		want       error
	}{{false, stream.ErrSequence}, {true, nil}} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Config{Replicated: row.replicated})
			c := ready(t, s.Connect())
			stored(t, c, of(71, "a", 0))
			if _, err := c.Publish(t.Context(), of(71, "a", 0)); !errors.Is(err, row.want) {
				t.Errorf("replicated %v, sent again: got %v, want %v", row.replicated, err, row.want)
			}
			if sequence := stored(t, c, of(71, "a", 1)); sequence != 1 {
				t.Errorf("a known id with the right expectation is stored as %d", sequence)
			}
			time.Sleep(2 * time.Minute)
			stored(t, c, of(71, "a", 1))
			holds(t, s, "1 a", "2 a")
		})
	}
}

var errBroken = errors.New("broken")

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		c := ready(t, s.Connect())
		var fails bool
		c.Gate = func(_ context.Context, at Call) error {
			if at.End == fails {
				return errBroken
			}
			return nil
		}
		if _, err := c.Publish(t.Context(), of(71, "a", 0)); !errors.Is(err, errBroken) {
			t.Errorf("failing: %v", err)
		}
		holds(t, s)
		fails = true
		if _, err := c.Publish(t.Context(), of(71, "a", 0)); !errors.Is(err, errBroken) {
			t.Errorf("failing after it happened: %v", err)
		}
		holds(t, s, "1 a")
		c.Gate = func(ctx context.Context, _ Call) error { <-ctx.Done(); return context.Cause(ctx) }
		if _, err := c.Publish(t.Context(), of(71, "b", 1)); !errors.Is(err, errNoAnswer) {
			t.Errorf("hanging: %v", err)
		}
	})
}

func TestForgetting(t *testing.T) {
	for _, row := range []struct {
		words string
		lose  func(*Stream)
		want  []string
		again error // what comes of sending c again
	}{
		{"the last one", func(s *Stream) { s.Forget(1) }, []string{"1 a", "2 b", "3 c"}, nil},
		{"the first two", func(s *Stream) { s.Age(2) }, []string{"3 c"}, nil},
		{"a job's", func(s *Stream) { s.Purge("jobs.prod.72.>") }, []string{"1 a"}, stream.ErrBusy},
		{"all of it", func(s *Stream) { s.Age(3) }, nil, stream.ErrBusy},
		{"itself", (*Stream).Delete, nil, stream.ErrNoStream},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := New(Config{})
			c := ready(t, s.Connect())
			stored(t, c, of(71, "a", 0))
			stored(t, c, of(72, "b", 0))
			stored(t, c, of(72, "c", 2))
			row.lose(s)
			expect := uint64(0)
			for _, m := range s.Messages() {
				if matches("jobs.prod.72.>", m.Subject) {
					expect = m.Sequence
				}
			}
			if _, err := c.Publish(t.Context(), of(72, "c", expect)); !errors.Is(err, row.again) {
				t.Errorf("%s: sent again: got %v, want %v", row.words, err, row.again)
			}
			holds(t, s, row.want...)
		})
	}
}

func TestADeletedStreamIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		c := ready(t, s.Connect())
		before, _ := c.Info(t.Context())
		s.Delete()
		after, err := ready(t, c).Info(t.Context())
		if err != nil || after.Created.Equal(before.Created) {
			t.Errorf("made again at %v, and before at %v (%v)", after.Created, before.Created, err)
		}
	})
}

func TestCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		c, other := s.Connect(), ready(t, s.Connect())
		lost, err := c.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c.Gate = func(ctx context.Context, _ Call) error { <-ctx.Done(); return context.Cause(ctx) }
		failed := make(chan error)
		go func() {
			_, err := c.Publish(t.Context(), of(71, "a", 0))
			failed <- err
		}()
		synctest.Wait()
		c.Cut()
		<-lost
		if err := <-failed; !errors.Is(err, stream.ErrDisconnected) {
			t.Errorf("under way: %v", err)
		}
		c.Gate = nil
		c.Restore()
		if _, err := c.Info(t.Context()); !errors.Is(err, stream.ErrDisconnected) {
			t.Errorf("before Ready: %v", err)
		}
		ready(t, c)
		stored(t, c, of(71, "a", 0))
		stored(t, other, of(71, "b", 1))
		holds(t, s, "1 a", "2 b")
	})
}

func TestReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		c := ready(t, s.Connect())
		stored(t, c, of(71, "a", 0))
		stored(t, c, of(72, "b", 0))
		stored(t, c, of(71, "c", 1))
		var each, heads []string
		note := func(to *[]string) func(stream.Message) error {
			return func(m stream.Message) error { *to = append(*to, m.ID+string(m.Data)); return nil }
		}
		if err := c.Each(t.Context(), "jobs.prod.71.>", 0, note(&each)); err != nil || !slices.Equal(each, []string{"aa", "cc"}) {
			t.Errorf("each of 71: %q, %v", each, err)
		}
		if m, err := c.Last(t.Context(), "jobs.*.72.>"); err != nil || m.ID != "b" {
			t.Errorf("last of 72: %q, %v", m.ID, err)
		}
		ended := make(chan error)
		go func() { ended <- c.FollowHeaders(t.Context(), 2, note(&heads)) }()
		synctest.Wait()
		stored(t, c, of(73, "d", 0))
		synctest.Wait()
		c.Cut()
		if err := <-ended; !errors.Is(err, stream.ErrDisconnected) || !slices.Equal(heads, []string{"b", "c", "d"}) {
			t.Errorf("heads: %q, %v", heads, err)
		}
	})
}

func TestMatches(t *testing.T) {
	for _, row := range []struct {
		filter, subject string
		want            bool
	}{
		{"jobs.prod.1.>", "jobs.prod.1.fall.state.running", true},
		{"jobs.prod.1.>", "jobs.prod.12.fall.state.running", false},
		{"jobs.prod.1.>", "jobs.prod.1", false},
		{"jobs.*.1.*.state.running", "jobs.prod.1.fall.state.running", true},
		{"jobs.*", "jobs.prod.1", false},
		{">", "jobs", true},
	} {
		if got := matches(row.filter, row.subject); got != row.want {
			t.Errorf("%s of %s: got %v", row.subject, row.filter, got)
		}
	}
}
