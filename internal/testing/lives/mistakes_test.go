package lives

import (
	"context"
	"errors"
	"testing"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/modelbroker"
	"jobwatch/internal/testing/slow"
)

// Mistakes that somebody might make in the product, made around it: the simulation has to find each of them.
var mistakes = []struct {
	words string
	small bool // the small world has it, too
	make  func(*world)
}{
	{"an acknowledgement is counted before it has come", false, func(w *world) {
		w.lies.toldBroker = func(b publish.Broker) publish.Broker { return hasty{b} }
	}},
	{"a refusal is taken for an acknowledgement, unread", true, func(w *world) {
		w.lies.toldBroker = func(b publish.Broker) publish.Broker { return blind{b} }
	}},
	{"the expected sequence is not sent", true, func(w *world) {
		w.stream = modelbroker.New(modelbroker.Config{Replicated: w.knobs.replicated, Unchecked: true})
	}},
	{"what is published is not on the disk yet", false, func(w *world) {
		w.lies.onCommit = func(p *process) {
			all, err := storetest.Copy(p.store)
			if err != nil {
				panic(err)
			}
			p.watcher.before = all
		}
		w.lies.onCrash = func(_ *world, x *watcher) { x.holds(x.before) }
	}},
	{"an old answer is taken for news", false, func(w *world) {
		w.lies.toldSource = func(s poller.Source) poller.Source { return timeless{s} }
	}},
	{"another job's answer is taken for this one's", false, func(w *world) {
		w.lies.toldSource = func(s poller.Source) poller.Source { return careless{s, w} }
	}},
	{"an error is taken for a job that is not known", false, func(w *world) {
		w.knobs.asks = 400 // it takes three of them in a row
		w.lies.toldSource = func(s poller.Source) poller.Source { return hopeless{s} }
	}},
}

// within so many lives each is found; most take fewer than ten.
const within = 400

func TestMistakesAreFound(t *testing.T) {
	slow.Test(t, "2 s", "planted mistakes: the simulation must be able to fail")
	for _, m := range mistakes {
		t.Run(m.words, func(t *testing.T) {
			began := time.Now()
			bad, lives, _ := many(t, 1, within, kind{edit: m.make}, 1)
			if len(bad) == 0 {
				t.Fatalf("not found in %d lives", lives)
			}
			t.Logf("found after %d lives (%v): %s", lives, time.Since(began).Round(time.Millisecond), bad[0].String())
		})
	}
}

func TestMistakesAreFoundInTheSmallWorld(t *testing.T) {
	for _, m := range mistakes {
		if !m.small {
			continue
		}
		t.Run(m.words, func(t *testing.T) {
			e := newExplorer(1, 60_000, m.make)
			e.anyOrder = true // what is sought may be anywhere
			e.explore(t)
			if len(e.found) == 0 {
				t.Fatalf("not found in %d states", len(e.seen))
			}
			t.Logf("found after %d states", len(e.seen))
		})
	}
}

// hasty takes a publish whose outcome nobody knows for one that was acknowledged.
type hasty struct{ publish.Broker }

func (h hasty) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	sequence, err := h.Broker.Publish(ctx, m)
	known := errors.Is(err, stream.ErrSequence) || errors.Is(err, stream.ErrNoStream)
	if err == nil || known || ctx.Err() != nil || errors.Is(err, errCrashed) {
		return sequence, err
	}
	return m.ExpectLast + 1, nil
}

type blind struct{ publish.Broker }

func (b blind) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	sequence, err := b.Broker.Publish(ctx, m)
	if refused := (*stream.SequenceError)(nil); errors.As(err, &refused) {
		return refused.Last, nil
	}
	return sequence, err
}

// timeless leaves out of an answer when the CommServe has last changed the job.
type timeless struct{ poller.Source }

func (s timeless) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	o, err := s.Source.JobDetails(ctx, number)
	o.Snapshot.LastUpdateTime = nil
	return o, err
}

type careless struct {
	poller.Source
	w *world
}

func (s careless) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	o, err := s.Source.JobDetails(ctx, number)
	if commvault.KindOf(err) != commvault.NotAnAnswer {
		return o, err
	}
	other, begun := s.w.serve.of(number%int64(len(s.w.serve.jobs))+1, 0)
	if !begun {
		return o, err
	}
	now := time.Now()
	return job.Observation{Snapshot: other.snapshot(s.w.serve.cellOf(number), number), Asked: now, Answered: now}, nil
}

type hopeless struct{ poller.Source }

func (s hopeless) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	o, err := s.Source.JobDetails(ctx, number)
	if err != nil {
		err = outcome(unknown, &call{job: number})
	}
	return o, err
}
