package relay

import (
	"context"
	"runtime"
	"time"
)

// loop has events delivered until the consumer or the lease is lost, or the relay is turned off.
func (s *session) loop(now *orders, changes <-chan orders) error {
	extending := time.NewTicker(extend)
	defer extending.Stop()
	reporting := time.NewTicker(beat)
	defer reporting.Stop()
	s.redriveThose(now.redrive)
	s.setState(Delivering, "")
	for {
		wake := s.dispatch(time.Now())
		timer := time.NewTimer(wake)
		var err error
		select {
		case a := <-s.arrivals:
			if err = a.err; err == nil {
				err = s.take(a.all)
			}
		case apply := <-s.results:
			apply()
			for range len(s.results) { // what is settled together is written together
				(<-s.results)()
			}
		case <-timer.C:
		case <-extending.C:
			s.extendAll()
		case <-reporting.C:
			err = s.report()
		case *now = <-changes:
			if now.off != nil {
				err = errOff
			}
			s.redriveThose(now.redrive)
		case <-s.ctx.Done():
			err = context.Cause(s.ctx)
		}
		timer.Stop()
		if err == nil {
			err = s.failed
		}
		if err == nil && s.broken != "" {
			err = errBroken
		}
		if err != nil {
			return err
		}
	}
}

// dispatch starts what may be tried now, and says when to come back at the latest.
func (s *session) dispatch(now time.Time) (wake time.Duration) {
	wake = s.closeWindows(now)
	s.relieve()
	if d := s.health.notUntil.Sub(now); d > 0 {
		return min(wake, d)
	}
	if s.busy < s.health.slots && !s.saidAll() {
		return min(wake, writePause)
	}
	for s.busy < s.health.slots {
		q := s.choose(now)
		if q == nil {
			return min(wake, s.earliest(now))
		}
		if s.limit != nil && !s.limit.AllowN(now, 1) {
			s.offer(q)
			return min(wake, time.Duration(float64(time.Second)/s.Rate))
		}
		s.start(q)
	}
	return wake
}

const writePause = 200 * time.Microsecond

// saidAll says whether what was settled has left this process: a kill would repeat it, beside what is under way.
func (s *session) saidAll() bool {
	if s.consumer.Written() {
		return true
	}
	runtime.Gosched() // who writes is to be next
	return s.consumer.Written()
}

// choose takes jobs in no trouble and those in trouble in turn. The latter have a quarter of the slots.
func (s *session) choose(now time.Time) *queue {
	var troubled *queue
	if s.trying < max(1, s.health.most/4) {
		troubled = s.due(now)
	}
	if troubled == nil || !s.fresh {
		if q := s.nextReady(); q != nil {
			s.fresh = true
			return q
		}
	}
	if troubled != nil {
		delete(s.uneasy, troubled)
		s.fresh = false
	}
	return troubled
}

func (s *session) nextReady() *queue {
	for len(s.ready) > 0 {
		q := s.ready[0]
		s.ready = s.ready[1:]
		q.offered = false
		if !q.busy && q.blocked == 0 && !q.empty() && q.trouble == nil {
			return q
		}
	}
	return nil
}

// due is the job in trouble that has waited longest to be tried again.
func (s *session) due(now time.Time) (first *queue) {
	for q := range s.uneasy {
		if !q.busy && q.blocked == 0 && !q.trouble.next.After(now) && (first == nil || q.trouble.next.Before(first.trouble.next)) {
			first = q
		}
	}
	return first
}

func (s *session) earliest(now time.Time) time.Duration {
	wake := time.Second
	for q := range s.uneasy {
		if !q.busy {
			wake = min(wake, max(q.trouble.next.Sub(now), time.Millisecond))
		}
	}
	return wake
}

// aside does something outside of the loop; what it returns is applied within.
func (s *session) aside(do func(ctx context.Context) (apply func())) {
	s.awaited++
	task := func() {
		apply := do(s.outside)
		s.results <- func() {
			s.awaited--
			apply()
		}
	}
	select {
	case s.tasks <- task: // to one that is idle, and whose stack has grown
	default:
		go s.toil(task)
	}
}

func (s *session) toil(task func()) {
	for task != nil {
		task()
		task = <-s.tasks // nil: the session has ended
	}
}

// work is aside for a queue, of which nothing else is under way meanwhile.
func (s *session) work(q *queue, do func(ctx context.Context) (apply func())) {
	q.busy = true
	s.aside(func(ctx context.Context) func() {
		apply := do(ctx)
		return func() {
			q.busy = false
			apply()
		}
	})
}

// report brings the record and the status up to date.
func (s *session) report() error {
	if err := s.noteFloor(); err != nil {
		return err
	}
	now := time.Now()
	switch {
	case s.health.away(now):
		s.setState(Absent, s.health.reason)
	case s.health.failing.IsZero():
		s.setState(Delivering, s.paused)
	}
	return nil
}
