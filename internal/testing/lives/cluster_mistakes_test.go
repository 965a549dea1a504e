package lives

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

// Mistakes that somebody might make in a cluster: what a model of it was seen to break by.
var clusterMistakes = []struct {
	words string
	small bool // the small world has it, too
	play  func(*script)
	make  func(*world)
}{
	{"the stream is read only where a publish is refused", false, undoneMeanwhile, func(w *world) {
		w.lies.ownBroker = func(_ *process, b publish.Broker) publish.Broker { return deaf{b} }
	}},
	{"who is not the owner never takes the look that it owes", true, whatHappens("the owner is cut off"), func(w *world) {
		w.lies.owed = func(*process, func(context.Context) error) func(context.Context) error {
			return func(ctx context.Context) error { <-ctx.Done(); return nil }
		}
	}},
	{"who is not the owner keeps its outbox unsent", false, undoneMeanwhile, func(w *world) {
		w.lies.ownBroker = func(p *process, b publish.Broker) publish.Broker { return selfish{b, p} }
	}},
	{"a cut owner stops polling", false, whatHappens("NATS is away for all"), func(w *world) {
		w.lies.ownSource = func(p *process, s poller.Source) poller.Source { return fenced{s, p} }
	}},
	{"death is judged by one's own clock alone", false, whatHappens("who waits stands still"), func(w *world) {
		w.lies.bucket = func(p *process, b stream.Bucket) stream.Bucket { return &hurried{Bucket: b, me: p.watcher.name} }
	}},
}

// whatHappens gives what a fact of a cluster's is about.
func whatHappens(words string) func(*script) {
	return func(s *script) {
		for _, fact := range clusterFacts {
			if strings.HasPrefix(fact.words, words) {
				s.moves = true
				fact.play(s)
			}
		}
	}
}

// undoneMeanwhile: the owner sees something, and is killed before it is told; who takes over sees it undone, and has nothing
// to tell. Then the file of the first one returns.
func undoneMeanwhile(s *script) {
	s.serve.moves(1, s.random)
	s.runs(time.Minute)
	owner, _ := s.owner()
	before, _ := s.serve.of(1, 0)
	after := before
	after.state, after.at = "Suspended", time.Now().Truncate(time.Second)
	s.serve.becomes(1, after)
	for !slices.ContainsFunc(s.calls(), func(c *call) bool { return c.process == owner.process && c.what == "Publish" }) {
		if err := s.step(); err != nil {
			s.t.Error(err)
			return
		}
		synctest.Wait()
	}
	s.crash(owner)
	before.at = time.Now().Truncate(time.Second)
	s.serve.becomes(1, before)
	s.runs(time.Minute)
	s.starts(owner)
	s.runs(time.Minute)
}

func TestMistakesInAClusterAreFound(t *testing.T) {
	slow.Test(t, "2 s", "planted mistakes: the simulation of a cluster must be able to fail")
	for _, m := range clusterMistakes {
		t.Run(m.words, func(t *testing.T) {
			t.Parallel()
			f := folder(t)
			if wrong := scripted(t, f, 1, plainCluster(2), nil, m.play); len(wrong) > 0 {
				t.Errorf("without the mistake: %v", wrong)
			}
			for n := range uint64(20) {
				if wrong := scripted(t, f, n, plainCluster(2), m.make, m.play); len(wrong) > 0 {
					t.Logf("found at moment %d: %v", n, wrong)
					return
				}
			}
			t.Error("not found")
		})
	}
}

func TestMistakesInAClusterAreFoundInTheSmallWorld(t *testing.T) {
	for _, m := range clusterMistakes {
		if !m.small {
			continue
		}
		t.Run(m.words, func(t *testing.T) {
			e := newExplorer(0, 20_000, m.make)
			e.cluster, e.begins = true, (*world).bothHaveSeen // what is sought lies behind that
			e.explore(t)
			if len(e.found) == 0 {
				t.Fatalf("not found in %d states", len(e.seen))
			}
			t.Logf("found after %d states: %.2000s", len(e.seen), e.found[0])
		})
	}
}

// deaf reads nothing of the stream but what a job's last message is.
type deaf struct{ publish.Broker }

func (d deaf) Scan(ctx context.Context, from uint64, _ func(stream.Message) error) (uint64, error) {
	return d.Broker.Scan(ctx, from, func(stream.Message) error { return nil })
}

func (d deaf) Each(ctx context.Context, filter string, from uint64, yield func(stream.Message) error) error {
	if filter == ">" {
		yield = func(stream.Message) error { return nil }
	}
	return d.Broker.Each(ctx, filter, from, yield)
}

func (d deaf) FollowHeaders(ctx context.Context, from uint64, _ func(stream.Message) error) error {
	return d.Broker.FollowHeaders(ctx, from, func(stream.Message) error { return nil })
}

// selfish publishes nothing of a CommCell that another polls.
type selfish struct {
	publish.Broker
	p *process
}

func (s selfish) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	if tokens := strings.Split(m.Subject, "."); !s.p.part.polls(tokens[1]) {
		return 0, stream.ErrBusy
	}
	return s.Broker.Publish(ctx, m)
}

// hurried takes for dead whom it has not heard for six seconds by its own clock.
type hurried struct {
	stream.Bucket
	me   string
	read time.Time
}

func (h *hurried) Since(ctx context.Context, revision uint64) ([]stream.Entry, error) {
	if !h.read.IsZero() && time.Since(h.read) > 6*time.Second {
		h.takeAll(ctx)
	}
	all, err := h.Bucket.Since(ctx, revision)
	if err == nil {
		h.read = time.Now()
	}
	return all, err
}

func (h *hurried) takeAll(ctx context.Context) {
	all, err := h.Entries(ctx, "owner.>")
	if err != nil {
		return
	}
	for _, e := range all {
		var c map[string]any
		if json.Unmarshal(e.Value, &c) != nil || c["instance"] == h.me {
			continue
		}
		c["instance"], c["why"], c["term"] = h.me, "death", c["term"].(float64)+1
		if e.Value, err = json.Marshal(c); err == nil {
			_, _ = h.Put(ctx, e)
		}
	}
}

// fenced asks nothing while it is cut off from NATS.
type fenced struct {
	poller.Source
	p *process
}

func (f fenced) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	if !f.p.conn.Connected() {
		return job.Observation{}, errors.New("cut off from NATS")
	}
	return f.Source.JobDetails(ctx, number)
}

// forgetful has a new owner not know something that the last one knew.
type forgetful struct {
	cluster.Work
	forgets func(*cluster.Facts)
}

func (f forgetful) Prepare(ctx context.Context, commCell string, facts cluster.Facts) error {
	f.forgets(&facts)
	return f.Work.Prepare(ctx, commCell, facts)
}

func forgetting(forgets func(*cluster.Facts)) func(*world) {
	return func(w *world) {
		w.lies.atWork = func(_ *process, work cluster.Work) cluster.Work { return forgetful{work, forgets} }
	}
}

// facts that no stream tells a new owner, and what is wrong where one is not carried over.
var carried = []struct {
	words string
	knobs func(*knobs)
	play  func(*script)
	lie   func(*world)
}{
	{"what was untracked by hand", func(k *knobs) { k.discover = true }, func(s *script) {
		s.serve.moves(2, s.random)
		s.runs(time.Minute)
		s.said(2, cluster.Untracked)
		s.dies()
		if n := len(s.about(2, time.Now().Add(-time.Minute))); n > 0 {
			s.wrong("job 2 was untracked by hand, and is asked about %d times", n)
		}
		s.said(2, cluster.Tracked)
	}, forgetting(func(f *cluster.Facts) { f.Hands = nil })},
	{"what was tracked by hand", func(k *knobs) { k.cluster.unnamed = 2 }, func(s *script) {
		s.serve.moves(2, s.random)
		s.said(2, cluster.Tracked)
		s.dies()
		if n := len(s.about(2, time.Now().Add(-time.Minute))); n == 0 {
			s.wrong("job 2 was tracked by hand, and nobody asks about it")
		}
	}, nil},
	{"when the Job list was read", func(k *knobs) { k.discover, k.cluster.finishedWithin, k.asks = true, 3*time.Minute, 1 }, func(s *script) {
		s.runs(2 * time.Minute)
		s.serve.away.Store(true)
		s.runs(time.Minute)
		for s.serve.moves(1, s.random); !s.ended(1); s.serve.moves(1, s.random) {
		}
		s.runs(5 * time.Minute)
		owner, _ := s.owner()
		s.crash(owner)
		s.serve.away.Store(false)
		s.runs(time.Minute)
	}, forgetting(func(f *cluster.Facts) { f.Listed = nil })},
	{"which CommServe it is", func(k *knobs) { k.asks = 1 }, func(s *script) {
		s.runs(time.Minute)
		s.serve.guid = "another"
		owner, others := s.owner()
		s.crash(owner)
		began := time.Now()
		s.runs(time.Minute)
		if n := len(s.about(1, began)); n > 0 {
			s.wrong("another CommServe answers behind the url, and %s asks it %d times", others[0].name, n)
		}
		s.serve.guid = "ours"
	}, forgetting(func(f *cluster.Facts) { f.GUID = "" })},
	{"that a job which has just ended is looked at again", func(k *knobs) { k.discover = true }, func(s *script) {
		for s.serve.moves(1, s.random); !s.ended(1); s.serve.moves(1, s.random) {
			s.runs(time.Second)
		}
		s.runs(2 * time.Minute)
		owner, _ := s.owner()
		s.crash(owner)
		s.runs(20 * time.Second)
		began := time.Now()
		s.runs(6 * time.Minute)
		if n := len(s.about(1, began)); n == 0 {
			s.wrong("job 1 has ended two minutes before its watcher died, and nobody looks again")
		}
	}, nil},
}

// said has a person say something of a job, at any member.
func (s *script) said(number int64, h cluster.Hand) {
	k := cluster.JobKey{CommCell: "prod", Number: strconv.FormatInt(number, 10)}
	if err := cluster.Say(context.Background(), s.spy(), k, h); err != nil {
		s.t.Error(err)
	}
	s.runs(time.Minute)
}

// dies has the owner die, and another take over.
func (s *script) dies() {
	owner, _ := s.owner()
	s.crash(owner)
	s.runs(90 * time.Second)
}

func (s *script) ended(number int64) bool {
	now, begun := s.serve.of(number, 0)
	return begun && now.ended
}

// about gives the questions about a job since a time.
func (s *script) about(number int64, since time.Time) (all []question) {
	for _, q := range s.board.questions(since) {
		if q.job == number {
			all = append(all, q)
		}
	}
	return all
}

// TestFactsAreCarriedOver has an owner die, and wants the next one to know what no stream tells.
func TestFactsAreCarriedOver(t *testing.T) {
	slow.Test(t, "2 s", "a new owner has to know what the last one knew, and a mistake in that be found")
	for _, fact := range carried {
		t.Run(fact.words, func(t *testing.T) {
			t.Parallel()
			f := folder(t)
			k := plainCluster(2)
			fact.knobs(&k)
			if wrong := scripted(t, f, 1, k, known, fact.play); len(wrong) > 0 {
				t.Errorf("not carried over: %v", wrong)
			}
			if fact.lie == nil {
				return
			}
			if wrong := scripted(t, f, 1, k, func(w *world) { known(w); fact.lie(w) }, fact.play); len(wrong) == 0 {
				t.Error("it is not found that this is not carried over")
			} else {
				t.Logf("found: %v", wrong)
			}
		})
	}
}

// known has the CommServe say which it is.
func known(w *world) { w.serve.guid = "ours" }
