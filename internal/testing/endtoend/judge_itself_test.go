package endtoend

import (
	"fmt"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// An answer that changes nothing is not written: after a kill an old one may be told that is no older, by its own time,
// than the last that was.
func TestTheJudgeKnowsWhatAKillMakesForgotten(t *testing.T) {
	began := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	answer := func(after, own time.Duration, state string, old bool) sim.Served {
		asked := began.Add(after)
		return sim.Served{
			JobID: 71, Asked: asked, Served: asked.Add(time.Millisecond), Whole: !old, Old: old, Began: began,
			Updated: began.Add(own), State: state,
		}
	}
	record := []sim.Served{
		answer(1*time.Second, 0, "Running", false),
		answer(2*time.Second, 300*time.Second, "Running", false),
		answer(4*time.Second, 0, "Waiting", true),
		answer(5*time.Second, 300*time.Second, "Running", false),
	}
	told := []string{"state:  → Running", "state: Running → Waiting", "state: Waiting → Running"}
	for words, doubts := range map[string][]doubt{"no kill": nil, "a kill": {{began.Add(3 * time.Second), began.Add(3 * time.Second)}}} {
		answers := observations(record, doubts, nil)[71]
		if got, want := (&matcher{map[string]bool{}}).match(view{}, answers, told), doubts != nil; got != want {
			t.Errorf("%s: an old answer may be told: %v", words, got)
		}
	}
}

// A busy CommServe takes up what a dead process has asked a while later, and nobody hears the answer.
func TestTheJudgeKnowsWhatIsAnsweredToTheDead(t *testing.T) {
	began := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	answer := func(seconds float64, state string) sim.Served {
		return sim.Served{JobID: 71, Asked: at(seconds), Served: at(seconds), Whole: true, Began: began, Updated: at(seconds), State: state}
	}
	record := []sim.Served{answer(1, "Running"), answer(2, "Running"), answer(3.5, "Pending"), answer(5, "Completed")}
	doubts := []doubt{killedAt(at(3))}
	startedAt(at(4), doubts)
	told := []string{"state:  → Running", "state: Running → Completed"}
	if !(&matcher{map[string]bool{}}).match(view{}, observations(record, doubts, nil)[71], told) {
		t.Error("what was answered between a kill and the next start is missed")
	}
	record[2].Asked = at(4.5)
	if (&matcher{map[string]bool{}}).match(view{}, observations(record, doubts, nil)[71], told) {
		t.Error("what was answered after the start is not missed")
	}
}

// What is asked when a watcher is stopped may come to nothing, until the next start asks again. That is of the last answer
// alone: before it asked for that, it had kept the one before.
func TestTheJudgeKnowsWhatAStopCutsOff(t *testing.T) {
	began := time.Date(2026, 11, 29, 3, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	answer := func(seconds float64, state string) sim.Served {
		return sim.Served{JobID: 71, Asked: at(seconds), Served: at(seconds), Whole: true, Began: began, Updated: at(seconds), State: state}
	}
	cutOff := []sim.Served{answer(1, "Running"), answer(2, "Completed")}
	for name, row := range map[string]struct {
		record []sim.Served
		doubts []doubt
		cycles []time.Time
		clean  bool
	}{
		"it lives":                   {cutOff, nil, nil, false},
		"it is stopped":              {cutOff, []doubt{killedAt(at(2.5))}, nil, true},
		"it is started again":        {cutOff, []doubt{{at(2.5), at(4)}}, nil, false},
		"it had begun another cycle": {cutOff, []doubt{killedAt(at(2.5))}, []time.Time{at(2.2)}, false},
		"it had asked once more":     {append(cutOff, answer(2.4, "Completed")), []doubt{killedAt(at(2.5))}, nil, false},
	} {
		stream := []received{{job: 71, id: "a", sequence: fmt.Sprintf("%020d", 1), what: "state:  → Running"}}
		if v := judge(t, row.record, row.doubts, stream, row.cycles...); v.clean() != row.clean || v.clean() == (v.lost > 0) {
			t.Errorf("%s: %s", name, v)
		}
	}
}
