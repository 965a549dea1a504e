package lives

import (
	"context"
	"errors"
	"slices"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/publish"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/modelbroker"
)

// answer is one that a watcher was given.
type answer struct {
	watcher         string
	job             int64
	facts           facts
	missing         bool // it does not know the job
	asked, answered time.Time
	certain         bool // what it shows has to be told
	old             bool // it is older than one that the watcher was given before,
	row             int  // and so many in a row were; or, missing, so many in a row did not know the job
}

// source is the CommServe as a process asks it.
type source struct {
	p        *process
	commCell string
}

// grid is the time to which questions keep: the waits between the poller's tries are random, and the time at which
// their next question is asked must not be.
const grid = 2 * time.Second

func (s source) onGrid(ctx context.Context) {
	if s.p.world.script {
		return // nothing is drawn, and times are measured
	}
	if now := time.Now(); !now.Equal(now.Truncate(grid)) {
		sleep(ctx, now.Truncate(grid).Add(grid).Sub(now))
	}
}

func (s source) ask(ctx context.Context, c *call) (verdict, error) {
	s.onGrid(ctx)
	if s.p.dead.Load() {
		return fails, errCrashed
	}
	if s.p.part != nil {
		s.p.world.board.asks(question{s.p.watcher.name, s.commCell, c.job, time.Now()})
	}
	if s.p.world.serve.away.Load() {
		return fails, outcome(fails, c)
	}
	how, err := s.p.world.gate.wait(ctx, c)
	if err != nil {
		return how, err
	}
	if c.what == "details" {
		s.p.asked.Store(true)
		s.p.world.polls.Add(1)
	}
	if err := outcome(how, c); err != nil {
		s.onGrid(ctx)
		return how, err
	}
	return how, nil
}

func outcome(how verdict, c *call) error {
	e := &commvault.Error{Operation: "JobDetails", Job: c.job}
	switch how {
	case fails:
		e.Kind, e.Err = commvault.Unreachable, errors.New("connection refused")
	case timesOut:
		e.Kind, e.Err = commvault.Timeout, errors.New("no answer in time")
	case refuses:
		e.Kind, e.Code = commvault.Auth, 401
	case anotherJob:
		e.Kind, e.Err = commvault.NotAnAnswer, errors.New("the answer is of another job")
	case unknown:
		e.Kind, e.Err = commvault.UnknownJob, commvault.ErrUnknownJob
	default:
		return nil
	}
	return e
}

// JobDetails asks about one job.
func (s source) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	w := s.p.world
	c := &call{process: s.p, what: "details", job: number}
	s.onGrid(ctx)
	asked := s.p.asks(number)
	how, err := s.ask(ctx, c)
	if err != nil && how == unknown {
		s.p.given(&answer{job: number, missing: true, asked: asked, answered: time.Now()})
	}
	if err != nil {
		return job.Observation{}, err // only the call that was just let go may read the world
	}
	back := 0
	if how == stale {
		back = w.back
	}
	now, begun := w.serve.of(number, back)
	if !begun {
		s.p.given(&answer{job: number, missing: true, asked: asked, answered: time.Now()})
		return job.Observation{}, outcome(unknown, c)
	}
	if how == answersLater {
		if _, err := w.gate.wait(ctx, &call{process: s.p, what: "answer", job: number}); err != nil {
			return job.Observation{}, err
		}
	}
	a := &answer{job: number, facts: now, asked: asked, answered: w.moment()}
	s.p.given(a)
	return job.Observation{Snapshot: now.snapshot(s.commCell, number), Asked: asked, Answered: a.answered}, nil
}

// asks gives the time of a question about a job: no two of a watcher's have the same, by which a commit is known again.
func (p *process) asks(number int64) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watcher.asked[number]++
	return time.Now().Add(time.Duration(p.watcher.asked[number]) * time.Microsecond)
}

// List reads the Job list, in one page.
func (s source) List(ctx context.Context, finishedWithin time.Duration, yield func([]commvault.Line) error) error {
	if _, err := s.ask(ctx, &call{process: s.p, what: "list", filter: s.commCell}); err != nil {
		return err
	}
	return yield(s.p.world.serve.list(s.commCell, finishedWithin))
}

// given notes an answer.
func (p *process) given(a *answer) {
	x := p.watcher
	a.watcher = x.name
	p.mu.Lock()
	defer p.mu.Unlock()
	x.answers = append(x.answers, a)
	if a.missing {
		x.missRow[a.job]++
		a.row = x.missRow[a.job]
		return
	}
	x.missRow[a.job] = 0
	a.old = a.facts.at.Before(x.newest[a.job])
	if a.old {
		x.oldRow[a.job]++
		a.row = x.oldRow[a.job]
		return
	}
	x.newest[a.job], x.oldRow[a.job] = a.facts.at, 0
	p.polls = append(p.polls, a)
}

// identify says which CommServe it is.
func (s source) identify(context.Context) (string, error) { return s.p.world.serve.guid, nil }

var ofTheBucket = []string{"Put", "Delete", "Since", "Get", "Entries"}

// hearing is the broker of a publisher that learns of what others tell when the world lets it: how long the stream takes
// to bring that is not ours to choose, and what a publisher does meanwhile depends on it.
type hearing struct {
	publish.Broker
	p *process
}

func (h hearing) FollowHeaders(ctx context.Context, from uint64, yield func(stream.Message) error) error {
	return h.Broker.FollowHeaders(ctx, from, func(m stream.Message) error {
		if h.p.world.small == nil && !h.p.store.Minted(m.ID) {
			if _, err := h.p.world.gate.wait(ctx, &call{process: h.p, what: "hears of", filter: m.Subject}); err != nil {
				return err
			}
		}
		return yield(m)
	})
}

var errBroker = errors.New("no answer")

// request is the gate of the broker.
func (p *process) request(ctx context.Context, at modelbroker.Call) error {
	if p.world.small != nil {
		p.stands() // else it waits at the gate
	}
	if p.dead.Load() {
		return errCrashed
	}
	what := at.Operation
	switch {
	case at.End && p.part != nil && p.part.forgetsAnswer(at):
		return errBroker
	case at.End && what != "Publish":
		return nil
	case p.world.small != nil && slices.Contains(ofTheBucket, what):
		return nil
	case p.world.small != nil && what != "Publish":
		p.reads(what)
		return nil
	case at.End:
		what = "published"
	}
	if p.world.small != nil && at.End {
		p.hasPublished(at.Message.ID)
	}
	how, err := p.world.gate.wait(ctx, &call{process: p, what: what, filter: at.Subject, message: at.Message})
	switch {
	case err != nil:
		return err
	case how == late:
		p.world.late = append(p.world.late, at.Message)
		return errBroker
	case how == lost && p.part != nil && what != "published":
		p.part.losesAnswer(at)
	case how == fails, how == lost:
		return errBroker
	case how == busy:
		return stream.ErrBusy
	}
	return nil
}
