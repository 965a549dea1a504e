package lives

import (
	"fmt"
	"strings"
	"time"

	"jobwatch/internal/relay"
)

// How a relay groups.
const (
	windowOf   = 20 * time.Second
	toldSingly = 2
)

func (w *relayWorld) complete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for job, n := range w.told {
		if a := w.arrived[job]; len(a) == 0 || highest(a) < n {
			return false
		}
	}
	return true
}

func highest(all []int) (most int) {
	for _, n := range all {
		most = max(most, n)
	}
	return most
}

// arrives holds an event against what has arrived of its job, or of the stream as a whole: one that is new comes right behind
// the last new one.
func (w *relayWorld) arrives(p *relayProcess, e *relay.Event) {
	var job, n int
	if _, err := fmt.Sscanf(strings.ReplaceAll(e.ID, "-", " "), "q7m2xk3vb9t4hs6c %d %d", &job, &n); err != nil {
		w.blame("%s: %v", e.ID, err)
		return
	}
	w.say("%s delivers %d/%d", p.name, job, n)
	w.mu.Lock()
	before := highest(w.arrived[job])
	w.arrived[job] = append(w.arrived[job], n)
	reached := w.reached
	w.reached = max(reached, e.Sequence)
	w.mu.Unlock()
	if w.kind == whole && e.Sequence > reached+1 {
		w.blame("%d/%d, number %d of the stream, arrives after number %d", job, n, e.Sequence, reached)
	}
	if n > before+1 {
		w.blame("%d/%d arrives after %d/%d", job, n, job, before)
	}
}

// groupArrives holds what is told as one against what a group is: more jobs than are told singly, all of one client, within
// one window.
func (w *relayWorld) groupArrives(b relay.Batch) {
	jobs := map[int64]bool{}
	var first, last time.Time
	for _, e := range b.Events {
		parsed, err := e.Parsed()
		if err != nil {
			w.blame("%s: %v", e.ID, err)
			return
		}
		if of := fmt.Sprintf("client-%d", e.Job.Number%2); of != b.Group {
			w.blame("%s of %s is told with %s", e.ID, of, b.Group)
		}
		jobs[e.Job.Number] = true
		if first.IsZero() || parsed.Time.Before(first) {
			first = parsed.Time
		}
		if parsed.Time.After(last) {
			last = parsed.Time
		}
	}
	w.say("%d jobs of %s as one", len(jobs), b.Group)
	if w.kind != grouping || len(jobs) <= toldSingly {
		w.blame("%d jobs of %s are told as one", len(jobs), b.Group)
	}
	if last.Sub(first) > windowOf {
		w.blame("events of %s that lie %s apart are told as one", b.Group, last.Sub(first))
	}
}
