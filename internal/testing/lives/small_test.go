package lives

import (
	"context"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
)

// The small world: two watchers, one job, three observations, and at most two faults, a crash, an acknowledgement that
// is lost, or a message that the stream forgets. Every interleaving of its steps is explored, each state once. A step is
// an observation, a transaction, and the begin or the end of a publish; what a watcher reads of the stream it reads at
// once. Time stands still, so that two ways to a state are one.

// small is what the small world adds to a world.
type small struct {
	faults       int // left
	observations int // at most
	observed     int
	lapses       int      // of time, left; in a cluster
	history      []string // there: what has befallen since when
}

// truth of the n-th observation.
func (w *world) truth(n int) facts {
	at := w.began.Add(time.Duration(n) * time.Second)
	f := facts{state: "Running", phase: "Scan", began: w.began, at: at}
	switch {
	case n == 1:
		f.phase = "Backup"
	case n >= 2:
		f.state, f.phase, f.ended, f.at = "Completed", "", true, w.began.Add(2*time.Second)
	}
	return f
}

// pollAgainAndAgain is loop 1 in a world without time.
func (p *process) pollAgainAndAgain(ctx context.Context, poll func(context.Context) error) {
	for ctx.Err() == nil && !p.dead.Load() {
		_ = poll(ctx)
	}
}

// smallSource is the CommServe of the small world.
type smallSource struct{ source }

func (s smallSource) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	w := s.p.world
	s.p.recalls()
	if _, err := w.gate.wait(ctx, &call{process: s.p, what: "details", job: number}); err != nil {
		return job.Observation{}, err
	}
	n := w.small.observed
	w.small.observed++
	f := w.truth(n)
	w.serve.jobs[number-1] = []facts{f}
	at := w.began.Add(time.Duration(n) * time.Second)
	s.p.saw = n + 1
	s.p.looksAt(n)
	a := &answer{job: number, facts: f, asked: at, answered: at.Add(500 * time.Millisecond)}
	s.p.given(a)
	return job.Observation{Snapshot: f.snapshot("prod", number), Asked: a.asked, Answered: a.answered}, nil
}

// steps are what may happen next in the small world.
func (w *world) smallOptions() (all []option) {
	if w.shared() {
		return w.smallClusterOptions()
	}
	s := w.small
	calls := w.gate.calls()
	for _, c := range calls {
		if c.what != "details" || s.observed < s.observations {
			all = append(all, option{do: release, call: c})
		}
	}
	for _, x := range w.watchers {
		if x.process == nil {
			all = append(all, option{do: start, watcher: x})
		}
	}
	if len(all) == 0 || s.faults == 0 {
		return all
	}
	for _, c := range calls {
		switch c.what {
		case "store":
			all = append(all, option{do: release, call: c, how: crashAfter})
		case "published":
			all = append(all, option{do: release, call: c, how: lost})
		}
	}
	for _, x := range w.watchers {
		if x.process != nil {
			all = append(all, option{do: crash, watcher: x})
		}
	}
	if len(w.stream.Messages()) > 0 {
		all = append(all, option{do: forget})
	}
	return all
}

func (w *world) smallStep(o option) {
	if w.shared() {
		w.smallClusterStep(o)
		return
	}
	switch o.do {
	case release:
		if o.how != goes {
			w.small.faults--
		}
		o.call.process.wakes(o.call, o.how)
		w.release(o.call, o.how)
	case crash:
		w.small.faults--
		w.say("%s  CRASHES", o.watcher.name)
		w.stop(o.watcher.process)
	case forget:
		w.small.faults--
		w.say("   the stream forgets its last one, and both watchers connect again")
		held := w.stream.Messages()
		w.forgotten = append(w.forgotten, held[len(held)-1])
		w.stream.Forget(1)
		for _, x := range w.watchers {
			if x.process != nil {
				x.process.memory.cut = true
				x.process.conn.Cut()
				x.process.conn.Restore()
			}
		}
	default:
		w.take(o)
	}
	w.settles()
}

// settles waits until nothing moves any more but what waits at the gate.
func (w *world) settles() {
	synctest.Wait()
	if w.shared() {
		time.Sleep(time.Millisecond) // its seconds count
	} else {
		time.Sleep(300 * time.Millisecond) // a try after an error waits for less
	}
	synctest.Wait()
	for _, x := range w.watchers {
		if p := x.process; p != nil && p.dead.Load() {
			w.say("%s  CRASHES", x.name)
			w.stop(p)
		}
	}
	for _, x := range w.watchers {
		if p := x.process; p != nil && p.part != nil && p.hasEnded() {
			w.departs(x)
		}
	}
	for _, x := range w.watchers {
		if x.process != nil {
			x.process.rests(w.gate.calls())
		}
	}
}
