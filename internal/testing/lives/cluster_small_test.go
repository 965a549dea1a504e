package lives

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"jobwatch/internal/poller"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
)

// The small world of a cluster: two members, one job, two observations, two lapses of time, each longer than a death
// takes to be noticed, and at most one fault: a crash, with the file or without, an acknowledgement that is lost, a member
// that stands still, is cut off, or stops. Beats, readings and claims go on at once; a step is, beside those of the other
// small world, a lapse, or the end of a fault.

// lapse is longer than a death takes to be noticed.
const lapse = 10 * time.Second

// pollSmall polls again and again, as the real poller does from its start on.
func (p *process) pollSmall(ctx context.Context, poller *poller.Poller) error {
	for !p.dead.Load() && ctx.Err() == nil && p.store.Configure(poller.CommCell, poller.Jobs) != nil {
	}
	p.pollAgainAndAgain(ctx, poller.Cycle)
	return nil
}

// comesIn gives a member the time to take its place before the next one starts.
func (w *world) comesIn(x *watcher) {
	if !w.shared() {
		return
	}
	for range 4 {
		time.Sleep(1250 * time.Millisecond) // no two members tick at once
		w.settles()
		w.empties(x, 0)
	}
}

func (w *world) smallClusterOptions() (all []option) {
	s := w.small
	calls := w.calls()
	for _, c := range calls {
		if c.what != "details" || s.observed < s.observations {
			all = append(all, option{do: release, call: c})
		}
	}
	for _, x := range w.watchers {
		switch {
		case x.process == nil:
			all = append(all, option{do: start, watcher: x})
		case x.process.stopped():
			all = append(all, option{do: goOn, watcher: x})
		case x.cut:
			all = append(all, option{do: restore, watcher: x})
		}
	}
	if s.lapses > 0 {
		all = append(all, option{do: pass})
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
		if x.process == nil {
			continue
		}
		for _, fault := range []action{crash, loseFile, standStill, cut, stopCleanly} {
			all = append(all, option{do: fault, watcher: x})
		}
	}
	return all
}

// bothHaveSeen has the owner see something, and be cut off before it is told; another takes over, and sees more.
func (w *world) bothHaveSeen() {
	a, b := w.watchers[0], w.watchers[1]
	w.goes(a, "details")
	w.goes(a, "store")
	w.small.faults++
	w.smallStep(option{do: cut, watcher: a})
	w.smallStep(option{do: pass})
	w.goes(b, "store")
	w.goes(b, "details")
	w.goes(b, "store")
}

// goes lets all calls of a kind go on that wait for a watcher.
func (w *world) goes(x *watcher, what string) {
	for _, c := range w.calls() {
		if c.process.watcher == x && c.what == what {
			w.smallStep(option{do: release, call: c})
		}
	}
}

func (w *world) smallClusterStep(o option) {
	s := w.small
	x := o.watcher
	if x != nil {
		s.history = append(s.history, fmt.Sprintf("%d: %s %d", s.lapses, x.name, o.do))
	}
	switch o.do {
	case release:
		if o.how != goes {
			s.faults--
		}
		o.call.process.wakes(o.call, o.how)
		w.release(o.call, o.how)
	case pass:
		w.lapses()
	case crash, loseFile:
		s.faults--
		w.say("%s  CRASHES", x.name)
		w.stop(x.process)
		if o.do == loseFile {
			w.say("%s  its file is lost", x.name)
			x.holds(storetest.Content{})
		}
	case standStill, cut, stopCleanly:
		s.faults--
		if x.process.memory.cut = o.do == cut; o.do == cut {
			w.take(o)
		} else {
			w.befalls(o)
		}
	case goOn:
		w.befalls(o)
	default:
		w.take(o)
	}
	w.settles()
}

// lapses lets a lapse of time pass, and notes how it left the members: which of them beat to its end, and what had waited all
// the while.
func (w *world) lapses() {
	w.small.lapses--
	w.say("   %v pass", lapse)
	time.Sleep(lapse)
	synctest.Wait()
	for _, c := range w.gate.calls() {
		c.lapses++
	}
	w.small.history = append(w.small.history, fmt.Sprintf("%d: %s", w.small.lapses, w.standings()))
}

// standings is what can be seen of the members from outside.
func (w *world) standings() string {
	var text strings.Builder
	w.noteClaims()
	fmt.Fprintf(&text, "%v", w.board.claims)
	for _, x := range w.watchers {
		if p := x.process; p != nil {
			fmt.Fprintf(&text, "; %s polls: %v, cut: %v, stands: %v", x.name, p.part.polls("prod"), x.cut, p.stopped())
		}
	}
	beats, err := w.spy().Entries(context.Background(), "member.>")
	if err != nil {
		panic(err)
	}
	slices.SortFunc(beats, func(a, b stream.Entry) int { return cmp.Compare(a.Key, b.Key) })
	for _, e := range beats {
		fmt.Fprintf(&text, "; %s silent for %v", e.Key, time.Since(e.Stored).Truncate(time.Second))
	}
	return text.String()
}

// clusterText is what of a cluster what comes can depend on, beside its files and what waits: when what befell whom.
func (w *world) clusterText() string {
	return fmt.Sprintf("%d lapses left, %q, %s\n", w.small.lapses, w.small.history, w.standings())
}

// smallClusterRest lets all go on until one polls, and nothing waits any more.
func (w *world) smallClusterRest() (wrong []finding) {
	w.say("all is well from now on")
	for range 20 { // longer than a minute: the stream is read each
		time.Sleep(4 * time.Second)
		w.settles()
		for _, x := range w.watchers {
			if x.process == nil {
				w.take(option{do: start, watcher: x})
				w.settles()
			}
			w.empties(x, 1)
		}
	}
	var polls []string
	for _, x := range w.watchers {
		if x.process.part.polls("prod") {
			polls = append(polls, x.name)
		}
		if waiting, err := x.process.store.Waiting(); err != nil || len(waiting) > 0 {
			wrong = append(wrong, finding{"at rest", fmt.Sprintf("%s holds events of %v (%v)", x.name, waiting, err)})
		}
	}
	if len(polls) != 1 {
		wrong = append(wrong, finding{"at rest", fmt.Sprintf("the CommCell is polled by %q", polls)})
	}
	return wrong
}
