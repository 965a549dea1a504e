package endtoend

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/sim"
)

// unsaid is how long before it goes a watcher may not have told what it saw; and after it has come, what another saw.
const unsaid = 5 * time.Second

// stir says that what was seen of CommCells from a moment until now may have been told by another, as the difference.
func stir(cells []*sharedCell, from time.Time) {
	for _, c := range cells {
		c.stirred = append(c.stirred, doubt{from.Add(-unsaid), time.Now().Add(unsaid)})
	}
}

// events reads what the stream tells of the CommServes' jobs, by CommCell.
func (w *clusterWorld) events() map[string][]received {
	js, end := w.connect()
	defer end()
	byCell := map[string][]received{}
	eachMessage(w.t, js, "JOBS", "jobs.>", func(m jetstream.Msg) {
		id, tokens := m.Headers().Get("Nats-Msg-Id"), strings.Split(m.Subject(), ".")
		if len(tokens[2]) == len(fmt.Sprint(firstOfThePast)) {
			return
		}
		w.read.check(id, m)
		if _, known := w.read.told[id]; !known {
			w.read.told[id] = parseReceived(w.t, m.Subject(), id, m.Data())
		}
		byCell[tokens[1]] = append(byCell[tokens[1]], w.read.told[id])
	})
	for _, c := range w.cells {
		count, up := 0, true
		eachMessage(w.t, js, "JOBS", "commcells."+c.name+".>", func(m jetstream.Msg) {
			w.read.check(m.Headers().Get("Nats-Msg-Id"), m)
			count++
			up = w.read.turns(m, count, up)
		})
	}
	return byCell
}

// judge holds the stream against what the CommServes have answered.
func (w *clusterWorld) judge() (sum verdict) {
	events := w.events()
	for _, c := range w.cells {
		v := judgeShared(c.sim.Served(), events[c.name], c.undisturbed)
		sum.events += v.events
		sum.certain += v.certain
		sum.lost += v.lost
		sum.doubled += v.doubled
		sum.disordered += v.disordered
		sum.madeUp += v.madeUp
		sum.gaps += v.gaps
		if sum.example == "" && v.example != "" {
			sum.example = "\nof " + c.name + v.example
		}
	}
	return sum
}

// judgeShared judges as the torture judges two watchers; and an answer to one that polled alone must have been told, whatever
// was told before and after by others. alone says whether it was alone, until it asked of the job again.
func judgeShared(record []sim.Served, told []received, alone func(a seen, again time.Time) bool) verdict {
	v := judgeSome(record, told)
	byJob := map[int64][]received{}
	for _, e := range told {
		byJob[e.job] = append(byJob[e.job], e)
	}
	for id, answers := range observations(record, nil, nil) {
		for i := range answers {
			answers[i].certain = i+1 < len(answers) && alone(answers[i], answers[i+1].Asked)
			if answers[i].certain {
				v.certain++
			}
		}
		s := stepByStep{tracer{answers: answers, events: byJob[id], vain: map[string]bool{}}}
		if v.lost+v.doubled+v.disordered+v.madeUp == 0 && !s.from(view{}, 0, 0) {
			v.lost++
			v.example = "\nstep by step" + s.String(id)
		}
	}
	return v
}

// undisturbed says whether an answer went to one who polled the CommCell alone and undisturbed, until it had asked of the job
// again and had time to tell.
func (c *sharedCell) undisturbed(a seen, again time.Time) bool {
	if !a.Whole || a.Served.Served.Sub(a.Asked) > patience || inDoubt(c.stirred, a.Asked, again.Add(unsaid)) {
		return false
	}
	around := c.between(a.Asked.Add(-unsaid), again.Add(unsaid))
	return !slices.ContainsFunc(around, func(other ask) bool { return other.who != around[0].who })
}

// stepByStep follows as a tracer does, but passes no answer by that had to be told.
type stepByStep struct{ tracer }

func (s *stepByStep) from(v view, i, j int) bool {
	s.furthest = max(s.furthest, j)
	v.last = sim.Served{}
	key := fmt.Sprint(i, j, v)
	if s.vain[key] {
		return false
	}
	for k := i; k < len(s.answers); k++ {
		if j < len(s.events) && s.tells(v, k, j) {
			return true
		}
		if s.answers[k].certain && !v.owesNothing(s.answers[k].Served) {
			break
		}
		if k == len(s.answers)-1 && j == len(s.events) {
			return true
		}
	}
	s.vain[key] = true
	return false
}

// tells says whether an answer owes an event next, and the others can be followed from there.
func (s *stepByStep) tells(v view, k, j int) bool {
	for _, reading := range readings(s.answers[k].Served) {
		for what, after := range v.heads(reading) {
			if what == s.events[j].what && s.from(after, k, j+1) {
				return true
			}
		}
	}
	return false
}

// What one watcher saw that polled alone is told step by step; what two saw, or one that was killed, may be told as the
// difference.
func TestTheJudgeOfTheClusterWantsEachStep(t *testing.T) {
	began := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	at := func(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }
	var record []sim.Served
	for n, state := range []string{"Running", "Pending", "Pending", "Waiting", "Waiting"} {
		record = append(record, sim.Served{JobID: 1071, Asked: at(n), Served: at(n), Whole: true, Began: began, State: state})
	}
	for name, row := range map[string]struct {
		alone bool
		told  []string
		clean bool
	}{
		"each step":                      {true, []string{"state:  → Running", "state: Running → Pending", "state: Pending → Waiting"}, true},
		"a step is missing":              {true, []string{"state:  → Running", "state: Running → Waiting"}, false},
		"it was not alone":               {false, []string{"state:  → Running", "state: Running → Waiting"}, true},
		"the first is missing":           {true, []string{"state:  → Pending", "state: Pending → Waiting"}, false},
		"the last is missing":            {false, []string{"state:  → Running", "state: Running → Pending"}, false},
		"one is told twice":              {false, []string{"state:  → Running", "state:  → Running", "state: Running → Waiting"}, false},
		"one that nobody saw":            {false, []string{"state:  → Running", "state: Running → Failed", "state: Failed → Waiting"}, false},
		"they come in another order":     {false, []string{"state:  → Waiting", "state: Waiting → Pending", "state: Pending → Waiting"}, false},
		"one told all, as it found them": {false, []string{"state:  → Waiting"}, true},
	} {
		var stream []received
		for n, what := range row.told {
			stream = append(stream, received{job: 1071, id: fmt.Sprint(n), sequence: fmt.Sprintf("%020d", n+1), what: what})
		}
		v := judgeShared(record, stream, func(seen, time.Time) bool { return row.alone })
		if v.clean() != row.clean {
			t.Errorf("%s: %s", name, v)
		}
	}
}

// finale waits until all jobs' ends were seen and told, judges, stops all, and judges again.
func (w *clusterWorld) finale() verdict {
	w.t.Helper()
	w.start()
	w.until("every job's end is seen", func() bool {
		return !slices.ContainsFunc(w.cells, func(c *sharedCell) bool { return !allEnded(c.sim.Served(), w.plan.jobs+w.plan.most) })
	}, func() string {
		var b strings.Builder
		for _, c := range w.cells {
			fmt.Fprintln(&b, c.name, unended(c.sim.Served())[:200])
		}
		return b.String()
	})
	w.until("all is sent", func() bool {
		return !slices.ContainsFunc(w.members, func(m *member) bool { return m.unsent() != 0 })
	}, func() string {
		var b strings.Builder
		for _, m := range w.members {
			fmt.Fprintln(&b, m.name, m.unsent(), "unsent")
		}
		return b.String()
	})
	var found verdict
	w.until("the stream is complete", func() bool {
		if found = w.judge(); !found.clean() {
			time.Sleep(time.Second)
		}
		return found.clean()
	}, func() string { return cut(found.String(), 6000) })
	for _, m := range w.members {
		w.stop(m)
	}
	if found = w.judge(); !found.clean() {
		w.t.Fatalf("after the stop: %s", cut(found.String(), 6000))
	}
	w.t.Logf("%s; %d answers had to be told step by step", found, found.certain)
	return found
}

func cut(text string, most int) string { return text[:min(len(text), most)] }
