package publish

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/modelbroker"
)

// These were found by the simulation of internal/testing/lives: a broker forgets while the connection to it lasts.

// bubble is a model broker, and a watcher beside it that keeps what it sent.
type bubble struct {
	*watcher
	stream *modelbroker.Stream
	conn   *modelbroker.Conn
	stop   func()

	gate atomic.Pointer[func(context.Context, modelbroker.Call) error] // of conn, which is in use when it is set
}

func (b *bubble) lets(gate func(context.Context, modelbroker.Call) error) { b.gate.Store(&gate) }

func inABubble(t *testing.T, test func(t *testing.T, b *bubble)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.db")
	synctest.Test(t, func(t *testing.T) {
		st, err := store.Open(path, event.NewMinter(nil))
		if err != nil {
			t.Fatal(err)
		}
		defer st.Close()
		st.KeepSent = time.Hour
		b := &bubble{watcher: &watcher{w: &world{t: t}, store: st}, stream: modelbroker.New(modelbroker.Config{})}
		b.conn = b.stream.Connect()
		b.conn.Gate = func(ctx context.Context, at modelbroker.Call) error {
			if gate := b.gate.Load(); gate != nil {
				return (*gate)(ctx, at)
			}
			return nil
		}
		b.starts()
		defer func() { b.stop() }()
		test(t, b)
	})
}

func (b *bubble) starts() {
	ctx, cancel := context.WithCancel(b.w.t.Context())
	var group sync.WaitGroup
	group.Go(func() { _ = New(Config{Store: b.store, Broker: b.conn}).Run(ctx) })
	b.stop = func() {
		cancel()
		group.Wait()
	}
}

// tells waits until all is sent, and wants just these events in the stream: "71 #1".
func (b *bubble) tells(want ...string) {
	b.w.t.Helper()
	if got := b.told(); !slices.Equal(got, want) {
		b.w.t.Fatalf("the stream tells %q, want %q", got, want)
	}
}

func (b *bubble) told() (got []string) {
	b.w.t.Helper()
	time.Sleep(2*defaultRound + time.Second)
	synctest.Wait() // a round may begin in this moment
	for _, m := range b.stream.Messages() {
		e, err := event.Parse(m.Data)
		if err != nil {
			b.w.t.Fatal(err)
		}
		id, _ := e.JobID()
		got = append(got, fmt.Sprintf("%d #%d", id.Number, e.Number()))
	}
	return got
}

// failsOnce has the next request of its kind fail, when it begins or, though it was done, at its end. What it returns wants
// that to have happened.
func (b *bubble) failsOnce(operation string, atEnd bool) (happened func()) {
	failed := false
	b.lets(func(_ context.Context, at modelbroker.Call) error {
		if at.Operation != operation || at.End != atEnd || failed {
			return nil
		}
		failed = true
		return errors.New("no answer")
	})
	return func() {
		b.w.t.Helper()
		if !failed {
			b.w.t.Errorf("no %s was asked that could fail", operation)
		}
	}
}

// Of two jobs whose events are lost one notices, and its events are sent again at the sequences of those lost: the last
// event acknowledged then stands at its position, and does not show the loss of the other job's.
func TestALossThatOneJobNoticesIsFoundForAll(t *testing.T) {
	inABubble(t, func(t *testing.T, b *bubble) {
		b.sees(72, "Waiting", "")
		b.tells("72 #1")
		b.sees(71, "Waiting", "")
		b.tells("72 #1", "71 #1")
		b.stream.Forget(2)
		b.sees(71, "Running", "Scan")
		b.tells("71 #1", "71 #2", "71 #3", "72 #1")
	})
}

// What is forgotten is sent again before the next publish expects what the stream still holds.
func TestAnErrorBetweenNoticingAndSendingAgain(t *testing.T) {
	inABubble(t, func(t *testing.T, b *bubble) {
		b.sees(71, "Waiting", "")
		b.tells("71 #1")
		b.sees(71, "Running", "")
		b.tells("71 #1", "71 #2")
		b.stream.Forget(1)
		failed := b.failsOnce("Info", false)
		b.sees(71, "Suspended", "")
		b.tells("71 #1", "71 #2", "71 #3")
		failed()
	})
}

// Another job's event takes the sequence of the one lost, whose job never publishes again.
func TestASequenceGivenTwiceShowsARollback(t *testing.T) {
	inABubble(t, func(t *testing.T, b *bubble) {
		b.sees(71, "Completed", "")
		b.tells("71 #1")
		b.stream.Forget(1)
		b.sees(72, "Waiting", "")
		b.tells("72 #1", "71 #1")
	})
}

// The event at the position of the one lost is found there, its acknowledgement lost; or what would say so fails once.
func TestARollbackIsNoticedWhateverFails(t *testing.T) {
	for _, fails := range []string{"Publish", "Info"} {
		t.Run(fails, func(t *testing.T) {
			inABubble(t, func(t *testing.T, b *bubble) {
				b.sees(71, "Completed", "")
				b.tells("71 #1")
				b.stream.Forget(1)
				failed := b.failsOnce(fails, fails == "Publish")
				b.sees(72, "Waiting", "")
				b.tells("72 #1", "71 #1")
				failed()
			})
		})
	}
}

// Where all of the stream is read, what was known of its positions is cleared: it holds something else there.
func TestPositionsAreClearedWhenAllIsRead(t *testing.T) {
	inABubble(t, func(t *testing.T, b *bubble) {
		b.sees(71, "Completed", "")
		b.tells("71 #1")
		b.sees(72, "Completed", "")
		b.tells("71 #1", "72 #1")
		last := b.stream.Messages()[1]
		b.conn.Cut()
		b.stream.Forget(2)
		if _, _, err := b.stream.Store(stream.Outgoing{ID: last.ID, Subject: last.Subject, Data: last.Data}); err != nil {
			t.Fatal(err)
		}
		b.conn.Restore()
		b.tells("72 #1", "71 #1")
	})
}

// A stream that forgets a second time, before anything is acknowledged to us again, has another's event where we had read to.
func TestAStreamThatForgetsTwice(t *testing.T) {
	inABubble(t, func(t *testing.T, b *bubble) {
		b.sees(71, "Completed", "")
		b.tells("71 #1")
		b.sees(72, "Completed", "")
		b.tells("71 #1", "72 #1")
		first := b.stream.Messages()[0]

		var mute atomic.Bool
		mute.Store(true)
		synctest.Wait()
		b.lets(func(_ context.Context, at modelbroker.Call) error {
			if at.Operation == "Publish" && mute.Load() {
				return errors.New("no answer")
			}
			return nil
		})
		b.conn.Cut()
		b.stream.Forget(1)
		b.conn.Restore()
		b.tells("71 #1")

		b.conn.Cut()
		b.stream.Forget(1)
		another := strings.NewReplacer(`/71"`, `/73"`, `"id":71,`, `"id":73,`, first.ID, first.ID[:len(first.ID)-1]+"9")
		if _, _, err := b.stream.Store(stream.Outgoing{
			ID: another.Replace(first.ID), Subject: "jobs.prod.73.fall.state.completed", Data: []byte(another.Replace(string(first.Data))),
		}); err != nil {
			t.Fatal(err)
		}
		mute.Store(false)
		b.conn.Restore()
		if got := slices.Sorted(slices.Values(b.told())); !slices.Equal(got, []string{"71 #1", "72 #1", "73 #1"}) {
			t.Errorf("the stream tells %q", got)
		}
	})
}

// What was acknowledged to an earlier start is known by the end of what this one has read.
func TestARollbackIsNoticedAfterAStart(t *testing.T) {
	for words, readBefore := range map[string]bool{"which reads it": false, "which has nothing new to read": true} {
		t.Run(words, func(t *testing.T) {
			inABubble(t, func(t *testing.T, b *bubble) {
				b.sees(71, "Completed", "")
				synctest.Wait()
				if readBefore {
					b.tells("71 #1")
				}
				b.stop()
				b.starts()
				synctest.Wait()
				b.stream.Forget(1)
				b.sees(72, "Waiting", "")
				b.tells("72 #1", "71 #1")
			})
		})
	}
}

// The stream forgets between the look whether it has and the reading.
func TestWhatIsForgottenBeforeTheReadingIsNoticed(t *testing.T) {
	inABubble(t, func(t *testing.T, b *bubble) {
		b.sees(71, "Completed", "")
		synctest.Wait()
		b.stop()
		forgotten := false
		b.lets(func(_ context.Context, at modelbroker.Call) error {
			if at.Operation == "Scan" && !at.End && !forgotten {
				forgotten = true
				b.stream.Forget(1)
			}
			return nil
		})
		b.starts()
		synctest.Wait()
		b.sees(72, "Waiting", "")
		b.tells("72 #1", "71 #1")
		if !forgotten {
			t.Error("nothing was read")
		}
	})
}

// An acknowledgement that comes in its turn, or that of an event sent before, says nothing of the kind.
func TestPositionsInAnyOrderAreNoLoss(t *testing.T) {
	var p positions
	for _, s := range []position{{2, "b"}, {1, "a"}, {3, "c"}, {2, "b"}, {3 + 1<<10, "d"}, {3, "c"}} {
		if !p.note(s) {
			t.Errorf("%v is taken for a place given twice", s)
		}
	}
	if p.note(position{3 + 1<<10, "e"}) {
		t.Error("a place given twice is not noticed")
	}
}
