package endtoend

import (
	"fmt"
	"slices"
	"strconv"
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
			sum.example = "\nof " + c.name + v.example + c.blamed(v.example)
		}
	}
	return sum
}

// blamed says who asked for the job of an example.
func (c *sharedCell) blamed(example string) string {
	_, after, _ := strings.Cut(example, "\njob ")
	number, _, _ := strings.Cut(after, " ")
	job, _ := strconv.ParseInt(number, 10, 64)
	return "\nasked for" + c.asksOf(job)
}

// judgeShared judges what several watchers have told together: each event is owed by an answer that one of them got, in the
// answers' order, after what was told before. An answer to one that polled alone must have been told, and so must the last
// one. alone says whether a watcher was, until it asked of the job again.
func judgeShared(record []sim.Served, told []received, alone func(a seen, again time.Time) bool) verdict {
	v := verdict{events: len(told)}
	byJob, ids := map[int64][]received{}, map[string]bool{}
	for _, e := range told {
		if ids[e.id] {
			v.doubled++
		}
		ids[e.id] = true
		byJob[e.job] = append(byJob[e.job], e)
	}
	answers := observations(record, nil, nil)
	for id := range byJob {
		if answers[id] == nil {
			v.madeUp++
		}
	}
	for id, answers := range answers {
		for i := range answers {
			answers[i].certain = i == len(answers)-1 || alone(answers[i], answers[i+1].Asked)
			if answers[i].certain {
				v.certain++
			}
		}
		v.stepByStep(id, answers, byJob[id])
	}
	return v
}

func (v *verdict) stepByStep(id int64, answers []seen, events []received) {
	for i, e := range events {
		if e.sequence != fmt.Sprintf("%020d", i+1) {
			v.gaps++
		}
	}
	s := stepByStep{tracer{answers: answers, events: events, vain: map[string]bool{}}}
	if s.from(view{}, 0, 0) {
		return
	}
	if s.followed() {
		v.lost++
	} else {
		v.blame(answers, events, s.furthest)
	}
	if v.example == "" {
		v.example = s.String(id)
	}
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

// stepByStep follows the events as a tracer does. An answer that had to be told must have been told whole; of any other a
// part may be.
type stepByStep struct{ tracer }

func (s *stepByStep) from(v view, i, j int) bool {
	s.furthest = max(s.furthest, j)
	if i == len(s.answers) {
		return j == len(s.events)
	}
	v.last = sim.Served{}
	key := fmt.Sprint(i, j, v)
	if s.vain[key] {
		return false
	}
	a := s.answers[i]
	if s.whole(v, i, j) || !a.certain && (s.from(v, i+1, j) || s.part(v, i, j)) {
		return true
	}
	s.vain[key] = true
	return false
}

// followed says whether the events are all owed, in their order, by answers of which some were left out.
func (s *stepByStep) followed() bool {
	some := tracer{answers: s.answers, events: s.events, vain: map[string]bool{}}
	return some.from(view{}, 0, 0) || some.furthest == len(s.events)
}

// whole says whether the events from one on are all that an answer owes, and what follows is owed by the answers behind it.
func (s *stepByStep) whole(v view, i, j int) bool {
	for _, reading := range readings(s.answers[i].Served) {
		owed, after := v.due(reading)
		if len(owed) > len(s.events)-j {
			continue
		}
		var told []string
		for _, e := range s.events[j : j+len(owed)] {
			told = append(told, e.what)
		}
		if slices.Equal(unordered(told), unordered(owed)) && s.from(after[len(owed)], i+1, j+len(owed)) {
			return true
		}
	}
	return false
}

// unordered has machines that stand beside each other sorted: they come in the answer's order, which the record does not know.
func unordered(changes []string) []string {
	first := slices.IndexFunc(changes, isMachine)
	if first < 0 {
		return changes
	}
	end := first
	for end < len(changes) && isMachine(changes[end]) {
		end++
	}
	slices.Sort(changes[first:end])
	return changes
}

// part says whether an event is the next that an answer owes, and what follows is owed by that answer and those behind it.
func (s *stepByStep) part(v view, i, j int) bool {
	if j == len(s.events) {
		return false
	}
	for _, reading := range readings(s.answers[i].Served) {
		for what, after := range v.heads(reading) {
			if what == s.events[j].what && s.from(after, i, j+1) {
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
			fmt.Fprintf(&b, "%s: %d of %d\n", c.name, ends(c.sim.Served()), w.plan.jobs+w.plan.most)
		}
		return b.String()
	})
	unsent := func() (counts []int) {
		for _, m := range w.members {
			counts = append(counts, m.unsent())
		}
		return counts
	}
	before := unsent()
	w.until("all is sent", func() bool {
		return !slices.ContainsFunc(unsent(), func(n int) bool { return n != 0 })
	}, func() string { return fmt.Sprintf("unsent were %d, and are %d", before, unsent()) })
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
