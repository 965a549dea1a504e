package poller

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// tick is what has come of one tick's requests so far.
type tick struct {
	patience int    // failures of the CommCell as a whole, without an answer, after which it is given up
	list     uint32 // the round of the Job list that was read in this tick; 0: none was

	outOfTurn bool

	mu       sync.Mutex
	asked    int    // guarded by mu, as the rest is
	answers  int    //
	shown    int    // answers with the job
	missing  []miss // answers without it
	failures int    // in a row, of the CommCell as a whole
	err      error  // the last failure
}

func newTick(atOnce int) *tick { return &tick{patience: max(atOnce, 3)} }

// outOfTurn is for looks that no tick takes: whether the CommCell answers, and whether a job is lost, is not for them to say.
func outOfTurn(atOnce int) *tick {
	t := newTick(atOnce)
	t.outOfTurn = true
	return t
}

// note counts the outcome of one request, its own repetitions included, and says whether it is the first answer.
func (t *tick) note(err error) (first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if answered(err) {
		t.asked++
		t.answers++
		t.failures = 0
		return t.answers == 1
	}
	if _, rests := errors.AsType[*restError](err); !rests {
		t.asked++
	}
	t.err = err
	if commvault.SourceDown(err) {
		t.failures++
	}
	return false
}

// note has a tick's first answer tell that the CommCell answers: the rest of the tick may take long. Its error is one of
// the store's.
func (p *Poller) note(t *tick, err error) error {
	if !t.note(err) || t.outOfTurn {
		return nil
	}
	return p.tellWhetherItAnswers(true, nil)
}

// hopeless says that the CommCell as a whole has stopped answering: the rest of its jobs need not be asked for.
func (t *tick) hopeless() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failures >= t.patience
}

// lookAtAll looks at the jobs, several at once. Few goroutines that stay are cheaper than one a job,
// each of which would grow its stack anew. Where the CommCell is given up, who still waits for a turn leaves;
// a request that is under way may yet bring an answer.
func (p *Poller) lookAtAll(ctx context.Context, t *tick, jobs []store.Tracked) error {
	var next atomic.Int64
	ctx, giveUp := context.WithCancel(context.WithValue(ctx, underWay{}, ctx))
	defer giveUp()
	group, ctx := errgroup.WithContext(ctx)
	for range min(p.Concurrency, len(jobs)) {
		group.Go(func() error {
			for ctx.Err() == nil {
				if t.hopeless() {
					giveUp()
					return nil
				}
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return nil
				}
				id := job.ID{CommCell: p.CommCell, Number: jobs[i].Number}
				if err := p.lookAt(ctx, t, trackedJob{id: id, why: jobs[i].Why}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// lookAt counts what comes of a look. Its error is one of the store's. Who finds the job being looked
// at leaves it.
func (p *Poller) lookAt(ctx context.Context, t *tick, j trackedJob) error {
	if !p.claim(&j) {
		return nil
	}
	defer p.release(j)
	start := time.Now()
	err := p.look(ctx, j)
	p.Counts.looked(start)
	var broken *storeError
	if errors.As(err, &broken) {
		return err
	}
	if err != nil && ctx.Err() != nil {
		return nil // given up, not failed
	}
	if !t.noteJob(j, err) {
		p.report(ctx, j, err)
	}
	return p.note(t, err)
}

// sayWhetherItAnswers commits unreachable or reachable, once each. A tick that asked nothing says nothing.
func (p *Poller) sayWhetherItAnswers(t *tick) error {
	if t.asked == 0 {
		return nil
	}
	if t.err == nil {
		p.isWell()
	}
	return p.tellWhetherItAnswers(t.answers > 0, t.err)
}

func (p *Poller) tellWhetherItAnswers(up bool, why error) error {
	p.Counts.answers(up, why)
	for {
		known, err := p.Store.Recall(p.id)
		if err != nil {
			return err
		}
		changes := diff.CommCell(known.Told, up)
		if len(changes) == 0 && !known.RefreshPending {
			return nil
		}
		reason := ""
		if !up {
			reason = commvault.Reason(why)
		}
		now := time.Now()
		err = p.Store.CommitCommCell(p.id, known, changes, now, reason)
		if errors.Is(err, store.ErrChanged) {
			continue
		}
		if err == nil {
			p.Counts.events(changes, time.Time{}, now)
		}
		if err == nil && up {
			p.Log.Info("answers again", "commcell", p.CommCell)
		} else if err == nil {
			p.Log.Warn(commvault.FailureOf(why).Says(), "commcell", p.CommCell, "err", reason)
		}
		return err
	}
}
