package endtoend

import (
	"fmt"
	"slices"
	"strings"

	"jobwatch/internal/sim"
)

// bearable are the torments of which one watcher of several may not be told: a stream that has lost what only one of
// them has told, and answers that only one of them can know to be old.
func bearable(all []torment) []torment {
	return slices.DeleteFunc(all, func(each torment) bool {
		return strings.HasPrefix(each.name, "NATS restarted on") || strings.HasSuffix(each.name, string(sim.Stale)) || strings.HasSuffix(each.name, "all of them")
	})
}

// judgeSome judges what several watchers have told together: each event is owed by an answer that one of them got, in
// the answers' order, after what was told before; and nothing is owed in the end. That not all answers are told is right,
// for what one has told the other need not tell.
func judgeSome(record []sim.Served, stream []received) verdict {
	v := verdict{events: len(stream)}
	byJob, ids := map[int64][]received{}, map[string]bool{}
	for _, e := range stream {
		if ids[e.id] {
			v.doubled++
		}
		ids[e.id] = true
		byJob[e.job] = append(byJob[e.job], e)
	}
	for id, answers := range observations(record, nil, nil) {
		v.someOf(id, answers, byJob[id])
	}
	return v
}

func (v *verdict) someOf(id int64, answers []seen, events []received) {
	for i, e := range events {
		if e.sequence != fmt.Sprintf("%020d", i+1) {
			v.gaps++
		}
	}
	f := tracer{answers: answers, events: events, vain: map[string]bool{}}
	if f.from(view{}, 0, 0) {
		return
	}
	if f.furthest == len(events) {
		v.lost++
	} else {
		v.blame(answers, events, f.furthest)
	}
	if v.example == "" {
		v.example = f.String(id)
	}
}

// blame says what is wrong with an event that none of the answers behind the one before it owes.
func (v *verdict) blame(answers []seen, events []received, at int) {
	switch {
	case slices.ContainsFunc(events[:at], func(e received) bool { return e.what == events[at].what }):
		v.doubled++
	case slices.ContainsFunc(answers, func(a seen) bool { return strings.Contains(fmt.Sprint(a.Served), to(events[at].what)) }):
		v.disordered++
	default:
		v.madeUp++
	}
}

func to(what string) string {
	_, to, _ := strings.Cut(what, " → ")
	return to
}

// tracer holds the events of a job against the answers.
type tracer struct {
	answers  []seen
	events   []received
	vain     map[string]bool // from where it was tried
	furthest int             // event that could not be followed
}

// from says whether the events from j on are owed by the answers from i on, and nothing in the end.
func (f *tracer) from(v view, i, j int) bool {
	if j == len(f.events) {
		f.furthest = j
		return v.owesNothing(f.answers[len(f.answers)-1].Served)
	}
	f.furthest = max(f.furthest, j)
	v.last = sim.Served{}
	key := fmt.Sprint(i, j, v)
	if f.vain[key] {
		return false
	}
	for k := i; k < len(f.answers); k++ {
		for _, reading := range readings(f.answers[k].Served) {
			for what, after := range v.heads(reading) {
				if what == f.events[j].what && f.from(after, k, j+1) {
					return true
				}
			}
		}
	}
	f.vain[key] = true
	return false
}

// heads are the changes of which an answer owes one next: machines come in the answer's order, which the record does
// not know.
func (v view) heads(a sim.Served) map[string]view {
	owed, after := v.due(a)
	heads := map[string]view{}
	for i, what := range owed {
		switch {
		case isMachine(what):
			name, reason, _ := strings.Cut(strings.TrimPrefix(what, "failure.vm "), ": ")
			heads[what] = v.lose(name, to(reason))
		case i == 0:
			return map[string]view{what: after[1]}
		default:
			return heads
		}
	}
	return heads
}

func (v view) owesNothing(a sim.Served) bool {
	for _, reading := range readings(a) {
		if owed, _ := v.due(reading); len(owed) == 0 {
			return true
		}
	}
	return false
}

func (f *tracer) String(id int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\njob %d told", id)
	for i, e := range f.events {
		mark := "  "
		if i == f.furthest {
			mark = "> "
		}
		fmt.Fprintf(&b, "\n%s%s %s %s", mark, e.at.Format("05.000"), e.id, e.what)
	}
	b.WriteString("\nanswers")
	last := ""
	for _, a := range f.answers {
		now := fmt.Sprint(a.State, " | ", a.Phase, " | ", a.Failures, " | ", a.Reason, " | ", a.Code, " | ", a.VMs, " | ", a.Attempt)
		if now != last {
			fmt.Fprintf(&b, "\n  %s %s", a.Asked.UTC().Format("05.000"), now)
		}
		last = now
	}
	return b.String()
}
