package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/modelbroker"
)

// house is a broker and the watchers that meet there, in simulated time.
type house struct {
	t      *testing.T
	stream *modelbroker.Stream
	all    []*watcher
}

func newHouse(t *testing.T) *house {
	return &house{t: t, stream: modelbroker.New(modelbroker.Config{})}
}

// watcher is a member, with a Work that notes what it is told.
type watcher struct {
	*Member
	conn  *modelbroker.Conn
	stop  context.CancelFunc
	ended chan error

	mu       sync.Mutex
	settings map[string]string
	polls    map[string]bool
	facts    map[string]Facts
	marks    map[JobKey]Hand
	owned    []string
	reads    []time.Time // of the stream, ahead of a claim
	log      strings.Builder

	stuck    atomic.Bool  // the stream is not read, and nothing sent, before somebody gives up
	underway atomic.Int32 // readings and sendings
}

func (w *watcher) works(ctx context.Context) {
	w.underway.Add(1)
	defer w.underway.Add(-1)
	if w.stuck.Load() {
		<-ctx.Done()
	}
}

// starts starts a watcher, or one again, with the file of a store.
func (h *house) starts(instance, store string, change ...func(*watcher)) *watcher {
	w := &watcher{
		conn: h.stream.Connect(), ended: make(chan error, 1), settings: map[string]string{"c1": "a", "c2": "a"},
		polls: map[string]bool{}, facts: map[string]Facts{}, marks: map[JobKey]Hand{},
	}
	for _, c := range change {
		c(w)
	}
	ctx, stop := context.WithCancel(h.t.Context())
	w.stop = stop
	go func() {
		for ctx.Err() == nil { // as the publisher does
			if lost, err := w.conn.Ready(ctx); err == nil {
				select {
				case <-lost:
				case <-ctx.Done():
				}
			}
		}
	}()
	w.Member = New(Config{
		Instance: instance, Store: store, Epoch: fmt.Sprint(store, len(h.all)), Version: "test", Host: instance + ".example.com",
		Bucket: w.conn.Bucket("JOBS_cluster"), Work: w, Log: slog.New(slog.NewTextHandler(w, nil)),
	})
	h.all = append(h.all, w)
	go func() { w.ended <- w.Run(ctx) }()
	return w
}

// dies ends it as a kill does: nobody hears of it.
func (w *watcher) dies() {
	w.conn.Cut()
	w.stop()
	<-w.ended
}

func (w *watcher) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(text)
}

func (w *watcher) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

func (w *watcher) Settings() map[string]string { return w.settings }
func (w *watcher) CaughtUp() bool              { return true }

func (w *watcher) Prepare(_ context.Context, cell string, f Facts) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.facts[cell] = f
	maps.Copy(w.marks, f.Hands)
	return nil
}

func (w *watcher) ReadOn(ctx context.Context) error {
	w.mu.Lock()
	w.reads = append(w.reads, time.Now())
	w.mu.Unlock()
	w.works(ctx)
	return ctx.Err()
}

func (w *watcher) Poll(cell string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.polls[cell] = true
	return nil
}

func (w *watcher) Rest(cell string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.polls, cell)
}

func (w *watcher) Drain(ctx context.Context, _ string) { w.works(ctx) }

func (w *watcher) Standing(cell string) Standing {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Standing{Facts: w.facts[cell], Tracked: 5, Answers: true}
}

func (w *watcher) Mark(k JobKey, h Hand) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marks[k] = h
	return nil
}

func (w *watcher) Marks(string) (map[JobKey]Hand, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.marks), nil
}

func (w *watcher) Own(cells []string) error { w.owned = cells; return nil }
func (w *watcher) Owned() ([]string, error) { return w.owned, nil }

func (w *watcher) marked(k JobKey) Hand {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.marks[k]
}

func (w *watcher) polled() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Sorted(maps.Keys(w.polls))
}

// pollers are those that poll a CommCell.
func (h *house) pollers(cell string) (names []string) {
	for _, w := range h.all {
		if slices.Contains(w.polled(), cell) {
			names = append(names, w.Instance)
		}
	}
	return names
}

// within waits until something holds, and gives how long that took.
func (h *house) within(most time.Duration, what string, holds func() bool) (took time.Duration) {
	h.t.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > most {
			h.t.Fatalf("not within %v: %s", most, what)
		}
		time.Sleep(10 * time.Millisecond)
		synctest.Wait()
	}
	return time.Since(began)
}

func (h *house) eachPolledOnce() bool {
	return len(h.pollers("c1")) == 1 && len(h.pollers("c2")) == 1
}

// in plays a story in simulated time, and ends all who still run.
func in(t *testing.T, story func(h *house)) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		defer func() { // after a failure, too
			for _, w := range h.all {
				w.stop()
			}
			time.Sleep(time.Minute)
		}()
		story(h)
	})
}

func two(h *house) (a, b *watcher) {
	a, b = h.starts("w1", "s1"), h.starts("w2", "s2")
	h.within(10*time.Second, "each polls one", func() bool { return len(a.polled()) == 1 && len(b.polled()) == 1 })
	return a, b
}

func TestADeadMemberIsReplaced(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		a.dies()
		took := h.within(15*time.Second, "the other polls both", func() bool { return len(b.polled()) == 2 })
		t.Logf("after %v", took)
		if len(b.reads) != 1 || time.Since(b.reads[0]) < 2*time.Second {
			t.Errorf("read ahead at %v, claimed at %v", b.reads, time.Now())
		}
		if b.Counts()[Death] != 1 {
			t.Errorf("counted %v", b.Counts())
		}
		if v := b.View(); v.Owner("c1") != "w2" || v.Owner("c2") != "w2" {
			t.Errorf("shown as %+v", v)
		}
		time.Sleep(time.Hour)
		a = h.starts("w1", "s1")
		time.Sleep(10 * time.Second)
		if len(a.polled()) > 0 {
			t.Error("it takes back what another polls by now")
		}
		h.within(5*time.Minute, "it has its share", func() bool { return len(a.polled()) == 1 && h.eachPolledOnce() })
	})
}

func TestAStopHandsOver(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		own := a.polled()[0]
		a.facts[own] = Facts{GUID: "its-guid", Listed: new(40 * time.Second)}
		a.stop()
		if err := <-a.ended; err != nil {
			t.Fatal(err)
		}
		took := h.within(1500*time.Millisecond, "the other polls both", func() bool { return len(b.polled()) == 2 }) // it is not even nudged
		t.Logf("after %v", took)
		f := b.facts[own]
		if f.GUID != "its-guid" || f.Listed == nil || *f.Listed < 40*time.Second || *f.Listed > 43*time.Second {
			t.Errorf("handed over %+v", f)
		}
		if b.Counts()[Handover] != 1 {
			t.Errorf("counted %v", b.Counts())
		}
		if len(b.View().Members) != 1 {
			t.Errorf("who has stopped is still there: %+v", b.View().Members)
		}
	})
}

// Behind the end of Run the store is closed, and its file given back.
func TestNothingRunsOnBehindTheEnd(t *testing.T) {
	for name, begins := range map[string]func(h *house, a, b *watcher){
		"a reading ahead of a claim": func(_ *house, _, b *watcher) { b.dies() },
		"a CommCell being given away": func(h *house, a, _ *watcher) {
			if err := Leave(h.t.Context(), a.Bucket, a.Instance); err != nil {
				h.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(h *house) {
				a, b := two(h)
				a.stuck.Store(true)
				begins(h, a, b)
				h.within(15*time.Second, "it has begun", func() bool { return a.underway.Load() > 0 })
				a.stop()
				<-a.ended
				if left := a.underway.Load(); left > 0 {
					t.Errorf("%d run on", left)
				}
			})
		})
	}
}

func TestTheSameFileIsTheSameMember(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		own := a.polled()[0]
		a.dies()
		a = h.starts("w1", "s1")
		h.within(time.Second, "it polls on at once", func() bool { return slices.Equal(a.polled(), []string{own}) })
		time.Sleep(time.Minute)
		if len(b.polled()) != 1 {
			t.Errorf("the other polls %v", b.polled())
		}
	})
}

func TestASecondOfTheSameNameIsRefused(t *testing.T) {
	in(t, func(h *house) {
		a, _ := two(h)
		second := h.starts("w1", "another-file")
		err := <-second.ended
		if used, is := errors.AsType[*InUseError](err); !is || used.Host != "w1.example.com" {
			t.Fatalf("got %v", err)
		}
		if len(a.polled()) != 1 {
			t.Errorf("the first one polls %v", a.polled())
		}
		a.dies()
		third := h.starts("w1", "a-third-file")
		h.within(15*time.Second, "the name of a dead one is free", func() bool { return third.View().Trouble == "" && len(third.View().Members) == 2 })
	})
}

func TestWhoIsCutOffPollsOn(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		own := a.polled()[0]
		a.conn.Cut()
		h.within(15*time.Second, "the other polls both", func() bool { return len(b.polled()) == 2 })
		if !slices.Equal(a.polled(), []string{own}) {
			t.Errorf("who is cut off polls %v", a.polled())
		}
		if a.View().Trouble == "" {
			t.Error("it says that all is well")
		}
		a.conn.Restore()
		h.within(3*time.Second, "it leaves it to the other", func() bool { return len(a.polled()) == 0 })
	})
}

func TestWithoutNATSNobodyTakesAnything(t *testing.T) {
	for _, away := range []time.Duration{3 * time.Second, 8 * time.Second, 13 * time.Second, 2 * time.Minute, time.Hour} {
		in(t, func(h *house) {
			a, b := two(h)
			own, other := a.polled(), b.polled()
			a.conn.Cut()
			b.conn.Cut()
			time.Sleep(away)
			a.conn.Restore()
			time.Sleep(2 * time.Second) // it connects sooner
			b.conn.Restore()
			time.Sleep(20 * time.Second)
			if !slices.Equal(a.polled(), own) || !slices.Equal(b.polled(), other) || a.Counts()[Death]+b.Counts()[Death] > 0 {
				t.Errorf("away for %v: w1 polls %v and w2 %v, counted %v and %v", away, a.polled(), b.polled(), a.Counts(), b.Counts())
			}
		})
	}
}

// TestASlowBrokerPutsOffNoDeath: of each three beats two have no answer.
func TestASlowBrokerPutsOffNoDeath(t *testing.T) {
	in(t, func(h *house) {
		beats, slow := 0, atomic.Bool{}
		a := h.starts("w1", "s1")
		b := h.starts("w2", "s2", func(w *watcher) {
			w.conn.Gate = func(_ context.Context, c modelbroker.Call) error {
				if c.Operation == "Put" && strings.HasPrefix(c.Subject, memberPrefix) && !c.End && slow.Load() {
					if beats++; beats%3 > 0 {
						return errors.New("no answer")
					}
				}
				return nil
			}
		})
		h.within(10*time.Second, "each polls one", func() bool { return len(a.polled()) == 1 && len(b.polled()) == 1 })
		slow.Store(true)
		a.dies()
		h.within(15*time.Second, "the other polls both", func() bool { return len(b.polled()) == 2 })
	})
}

func TestAStartWithoutNATSPollsOn(t *testing.T) {
	in(t, func(h *house) {
		a := h.starts("w1", "s1", func(w *watcher) {
			w.owned = []string{"c2", "gone"}
			w.conn.Cut()
		})
		h.within(10*time.Second, "it polls what it polled", func() bool { return slices.Equal(a.polled(), []string{"c2"}) })
		a.conn.Restore()
		h.within(10*time.Second, "then all", func() bool { return len(a.polled()) == 2 })
	})
}

func TestTheClustersBucketIsDeleted(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		own, other := a.polled(), b.polled()
		for range 3 {
			h.stream.DeleteBucket("JOBS_cluster")
			time.Sleep(20 * time.Second)
			if !slices.Equal(a.polled(), own) || !slices.Equal(b.polled(), other) {
				t.Fatalf("w1 polls %v and w2 %v", a.polled(), b.polled())
			}
			if v := a.View(); v.Owner(own[0]) != "w1" || v.Owner(other[0]) != "w2" {
				t.Fatalf("shown as %+v", v)
			}
		}
	})
}

func TestAnswersThatAreLost(t *testing.T) {
	in(t, func(h *house) {
		random := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex // of random
		lossy := func(w *watcher) {
			w.conn.Gate = func(_ context.Context, c modelbroker.Call) error {
				if c.Operation == "Put" || c.Operation == "Delete" {
					mu.Lock()
					defer mu.Unlock()
					if random.IntN(10) == 0 { // at its begin: it fails; at its end: it fails but happened
						return errors.New("lost")
					}
				}
				return nil
			}
		}
		a, b := h.starts("w1", "s1", lossy), h.starts("w2", "s2", lossy)
		h.within(20*time.Second, "each is polled once", h.eachPolledOnce)
		time.Sleep(10 * time.Minute)
		if !h.eachPolledOnce() || a.Counts()[Death]+b.Counts()[Death] > 0 {
			t.Errorf("w1 polls %v, w2 %v; counted %v, %v", a.polled(), b.polled(), a.Counts(), b.Counts())
		}
		a.stop()
		<-a.ended
		h.within(15*time.Second, "the other polls both", func() bool { return len(b.polled()) == 2 })
	})
}

func TestAMemberIsToldToLeave(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		if err := Leave(h.t.Context(), b.Bucket, "w1"); err != nil {
			t.Fatal(err)
		}
		h.within(3*time.Second, "the other polls both", func() bool { return len(b.polled()) == 2 && len(a.polled()) == 0 })
		b.dies()
		time.Sleep(time.Minute)
		if len(a.polled()) > 0 {
			t.Error("it takes something before its next start")
		}
		a.stop()
		<-a.ended
		a = h.starts("w1", "s1")
		h.within(15*time.Second, "started again, it takes its part", func() bool { return len(a.polled()) == 2 })
		if err := Leave(h.t.Context(), a.Bucket, "w9"); !errors.Is(err, ErrNoMember) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAStopRightAfterItWasToldToLeave(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		if err := Leave(h.t.Context(), b.Bucket, "w1"); err != nil {
			t.Fatal(err)
		}
		a.stop()
		<-a.ended
		if s, err := Read(h.t.Context(), b.Bucket); err != nil || len(s.Members) != 1 {
			t.Errorf("it is still shown: %+v, %v", s.Members, err)
		}
	})
}

func TestWhatPeopleSayReachesTheOwner(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		if a.polled()[0] != "c1" {
			a, b = b, a
		}
		job, other := JobKey{"c1", "71"}, JobKey{"c1", "72"}
		if err := errors.Join(Say(h.t.Context(), b.Bucket, job, Tracked), Say(h.t.Context(), b.Bucket, other, Untracked)); err != nil {
			t.Fatal(err)
		}
		h.within(2*time.Second, "the owner knows", func() bool { return a.marked(job) == Tracked && a.marked(other) == Untracked })
		if b.marked(job) != "" {
			t.Error("the other one's store knows it, too")
		}
		a.dies()
		h.within(15*time.Second, "so does the next one", func() bool { return b.marked(job) == Tracked && b.marked(other) == Untracked })
		b.mu.Lock()
		delete(b.marks, job) // its end is told
		b.mu.Unlock()
		h.within(3*time.Minute, "the bucket has the one alone", func() bool {
			all, err := b.Bucket.Entries(h.t.Context(), handPrefix+">")
			return err == nil && len(all) == 1 && all[0].Key == other.key()
		})
	})
}

// TestANewerMember: what this version does not know is kept, and nothing is claimed.
func TestANewerMember(t *testing.T) {
	in(t, func(h *house) {
		conn := h.stream.Connect()
		if _, err := conn.Ready(h.t.Context()); err != nil {
			t.Fatal(err)
		}
		bucket := conn.Bucket("JOBS_cluster")
		for key, value := range map[string]string{
			"owner.c1":  `{"v":1,"instance":"w1","term":7,"shade":{"of":"blue"}}`,
			"owner.c2":  `junk`,
			"member.w9": `{"v":2,"epoch":"e9","store":"s9","commcells":{"c1":"a","c2":"a"},"caughtUp":true}`,
		} {
			if _, err := bucket.Put(h.t.Context(), stream.Entry{Key: key, Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
		}
		a := h.starts("w1", "s1")
		time.Sleep(time.Minute)
		if !slices.Equal(a.polled(), []string{"c1"}) {
			t.Errorf("polls %v, want what it had", a.polled())
		}
		if newer := a.View().Newer; !slices.Equal(newer, []string{"member.w9"}) {
			t.Errorf("shows %q as written by a newer version", newer)
		}
		if n := strings.Count(a.said(), "newer version"); n != 1 {
			t.Errorf("said %d times:\n%s", n, a.said())
		}
		e, err := bucket.Get(h.t.Context(), "owner.c1")
		if err != nil || !strings.Contains(string(e.Value), `"shade":{"of":"blue"}`) || !strings.Contains(string(e.Value), `"term":8`) {
			t.Errorf("rewritten as %s, %v", e.Value, err)
		}
	})
}

// TestJunkInTheClustersBucket: somebody with the right to write the bucket fills it with what no member writes. What can be
// no member's is passed over; a claim and a member's own key are written anew.
func TestJunkInTheClustersBucket(t *testing.T) {
	junk := []string{
		"", "hello\nworld\x1b[2J", `["a"]`, "1e999", `{"v":"x"}`, `{"instance":"w`, strings.Repeat(`{"rest":[`, 20_000),
		`{"v":1,"instance":"` + strings.Repeat("x", 300<<10) + `"}`, `{"term":-1}`, `{"listedAgo":9223372036854775807,"v":1}`, `null`,
	}
	in(t, func(h *house) {
		a, b := two(h)
		for _, value := range junk {
			for _, key := range []string{
				"owner.c1", "owner.", "owner.\x1b[2J", "member.w9", "member.", "member.w1", "hand.c1.71", "hand.c1.x", "hand.c1", "hand.", "x", "owner.c1.c2",
			} {
				err := stream.ErrChanged // a member beats at the same moment
				for errors.Is(err, stream.ErrChanged) {
					var e stream.Entry
					if e, err = b.Bucket.Get(h.t.Context(), key); err == nil {
						_, err = b.Bucket.Put(h.t.Context(), stream.Entry{Key: key, Value: []byte(value), Revision: e.Revision})
					}
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(20 * time.Second)
			if !h.eachPolledOnce() || len(a.marks)+len(b.marks) > 0 {
				t.Fatalf("%.40q: w1 polls %v, w2 %v; marks %v, %v", value, a.polled(), b.polled(), a.marks, b.marks)
			}
			if v := b.View(); v.Trouble != "" || v.Owner("c1") == "" {
				t.Fatalf("%.40q: shown as %.300s", value, fmt.Sprint(v))
			}
		}
		if said := a.said() + b.said(); len(said) > 20_000 {
			t.Errorf("%d bytes of log: %.2000s", len(said), said)
		}
	})
}

func TestDifferentConfigurationsAreWarnedOf(t *testing.T) {
	in(t, func(h *house) {
		a := h.starts("w1", "s1")
		h.starts("w2", "s2")
		h.starts("w3", "s3", func(w *watcher) { w.settings = map[string]string{"c1": "other", "c2": "a"} })
		time.Sleep(4 * time.Minute)
		const words = "configured differently"
		if strings.Contains(a.said(), words) {
			t.Error("warned before a reload can have come everywhere")
		}
		time.Sleep(10 * time.Minute)
		if n := strings.Count(a.said(), words); n != 1 || !strings.Contains(a.said(), "instance=w3 commcells=c1") {
			t.Errorf("warned %d times:\n%s", n, a.said())
		}
	})
}

func TestReadAsOthersDo(t *testing.T) {
	in(t, func(h *house) {
		a, b := two(h)
		a.dies()
		time.Sleep(30 * time.Second)
		s, err := Read(h.t.Context(), b.Bucket)
		if err != nil || len(s.Members) != 2 || s.Members[0].Alive || !s.Members[1].Alive || s.Owner("c1") != "w2" || s.Members[1].Tracked != 10 {
			t.Errorf("read %+v, %v", s, err)
		}
		b.conn.Cut()
		other := h.stream.Connect()
		if _, err := other.Ready(h.t.Context()); err != nil {
			t.Fatal(err)
		}
		s, err = Read(h.t.Context(), other.Bucket("JOBS_cluster"))
		if err != nil || s.Members[1].Alive || s.Owner("c1") != "" {
			t.Errorf("with nobody there: %+v, %v", s, err)
		}
		if s, err = Read(h.t.Context(), other.Bucket("NOBODYS_cluster")); err != nil || len(s.Members) > 0 {
			t.Errorf("without a bucket: %+v, %v", s, err)
		}
	})
}
