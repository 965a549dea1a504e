package endtoend

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// The judge holds a stream against the simulator's record. It shares no code with what it judges: it
// has its own reading of the contract.

// received is one event of the stream.
type received struct {
	job      int64
	id       string
	sequence string
	at       time.Time // observed
	what     string    // kind.detail [machine] from → to
}

func parseReceived(t *testing.T, subject, header string, data []byte) received {
	var e struct {
		ID           string
		Sequence     string
		PartitionKey string
		Data         struct {
			Change struct {
				Kind, Detail          string
				VM, VMGUID            string
				From, To              *string
				NotBefore, ObservedAt *time.Time
			}
			Job struct{ ID int64 }
		}
	}
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	c := e.Data.Change
	tokens := strings.Split(subject, ".")
	if len(tokens) != 6 || tokens[2] != fmt.Sprint(e.Data.Job.ID) || tokens[4] != c.Kind || tokens[5] != c.Detail || header != e.ID {
		t.Fatalf("subject %s, Nats-Msg-Id %s: not those of %s", subject, header, data)
	}
	if c.NotBefore != nil && c.NotBefore.After(*c.ObservedAt) {
		t.Fatalf("notBefore after observedAt: %s", data)
	}
	kind := c.Kind
	if kind == "failure" {
		kind += "." + c.Detail
	}
	return received{e.Data.Job.ID, e.ID, e.Sequence, *c.ObservedAt, change(kind, called(c.VM, c.VMGUID), text(c.From), text(c.To))}
}

func text(t *string) string {
	if t == nil {
		return ""
	}
	return *t
}

func change(kind, machine, from, to string) string {
	return strings.TrimSpace(kind+" "+machine) + ": " + from + " → " + to
}

// called is a machine's name with the GUID that tells it from others of that name.
func called(name, guid string) string { return strings.TrimRight(name+"/"+guid, "/") }

// view is what has been told of a job.
type view struct {
	state, phase, items, reason, code string
	folders, files                    int
	machines                          map[string]string
	attempt                           int64

	stateBefore string
	failing     bool // failure.state was told of the state

	last sim.Served // the answer that was told last
}

// sameClock is how far the start of a job has to lie behind the last answer about the one that had its number, by the
// CommServe's clock, for that to be beyond doubt where seconds are counted.
const sameClock = 2 * time.Second

// before gives what may have been told of the job that an answer is about: nothing, if it is another than before.
// That may be missed where the one before was not seen to end, or ended a moment ago.
func (v view) before(a sim.Served) []view {
	switch {
	case v.last.Began.IsZero() || !a.Began.After(v.last.Began):
		return []view{v}
	case v.last.Finished && a.Began.Sub(v.last.Updated) > sameClock:
		return []view{{}}
	}
	return []view{{}, v}
}

// readings are what an answer may tell: one that names no state may have been completed by a summary.
func readings(a sim.Served) []sim.Served {
	if a.Summary == "" {
		return []sim.Served{a}
	}
	whole := a
	whole.State = a.Summary
	return []sim.Served{whole, a}
}

// due gives the changes that an answer owes against a view, and the views after none of them, the first, the second…
func (v view) due(a sim.Served) (changes []string, after []view) {
	v.last = a
	after = []view{v}
	tell := func(kind, machine, from, to string) {
		changes = append(changes, change(kind, machine, from, to))
		after = append(after, v)
	}
	if a.State != "" && a.State != v.state {
		v.state, v.stateBefore, v.failing = a.State, v.state, false
		if a.Reason == "" && a.Code == "" {
			v.reason, v.code = "", ""
		}
		tell("state", "", v.stateBefore, a.State)
	}
	if before := v.phase; a.Phase != "" && a.Phase != before {
		v.phase = a.Phase
		tell("phase", "", before, a.Phase)
	}
	if isFailing.MatchString(a.State) && !v.failing {
		v.failing = true
		tell("failure.state", "", v.stateBefore, a.State)
	}
	again := a.Attempt > v.attempt // what it counts is for the next poll
	if n := regexp.MustCompile(`\d+`).FindAllString(a.Failures, 2); len(n) == 2 && !again {
		folders, _ := strconv.Atoi(n[0])
		files, _ := strconv.Atoi(n[1])
		if before := v.items; folders > v.folders || files > v.files {
			v.items, v.folders, v.files = a.Failures, max(folders, v.folders), max(files, v.files)
			tell("failure.items", "", before, a.Failures)
		}
	}
	machines := len(changes)
	for _, vm := range a.VMs {
		name, reason := called(vm.Name, vm.GUID), vm.Reason
		if reason == "" {
			reason = unexplained
		}
		if before := v.machines[name]; !again && !sameLines(before, reason) && (before == "" || reason != unexplained) {
			v = v.lose(name, reason)
			tell("failure.vm", name, before, reason)
		}
	}
	slices.Sort(changes[machines:])
	if before := v.reason; a.Reason != "" && !a.Finished && !v.sameReason(a) {
		v.reason, v.code = a.Reason, a.Code
		tell("failure.reason", "", before, a.Reason)
	}
	if again {
		from := ""
		if v.attempt > 0 {
			from = fmt.Sprint(v.attempt)
		}
		v.attempt, v.items, v.folders, v.files, v.machines = a.Attempt, "", 0, 0, nil
		tell("watch", "", from, fmt.Sprint(a.Attempt))
	}
	return changes, after
}

// unexplained stands in for the reason of a machine that failed, where the CommServe gives none.
const unexplained = "failed; the CommServe gives no reason"

// sameLines compares the reasons of a machine: as sets of lines, numbers left out.
func sameLines(a, b string) bool {
	lines := func(text string) []string {
		set := slices.Compact(slices.Sorted(strings.Lines(text + "\n")))
		for i := range set {
			set[i] = regexp.MustCompile(`\d`).ReplaceAllString(set[i], "")
		}
		return slices.Sorted(slices.Values(set))
	}
	return slices.Equal(lines(a), lines(b))
}

var isFailing = regexp.MustCompile(`^(Failed|Killed|Committed|Completed w/ one or more errors)`)

// lose is the view once a machine's failure is told, too.
func (v view) lose(machine, reason string) view {
	v.machines = maps.Clone(v.machines)
	if v.machines == nil {
		v.machines = map[string]string{}
	}
	v.machines[machine] = reason
	return v
}

func (v view) sameReason(a sim.Served) bool {
	if v.code != "" && a.Code != "" {
		return v.code == a.Code
	}
	digits := regexp.MustCompile(`\d`)
	return v.reason != "" && digits.ReplaceAllString(v.reason, "") == digits.ReplaceAllString(a.Reason, "")
}

// seen is one answer, and whether its events must be there: not if its watcher was killed before it
// asked for the job again, if it may have given up waiting, or if it may have known better.
type seen struct {
	sim.Served
	certain bool
	old     int // so many old answers in a row, with this one

	forgotten bool // perhaps, if it changed nothing: its watcher was killed before it was given an old one
}

// agreeing old answers in a row are believed: then a clock was set back.
const agreeing = 3

// tooOld says that an answer must not be told: it is older than the last one.
func (s *seen) tooOld(v view) bool {
	return s.Old && s.old < agreeing && s.Updated.Unix() < v.last.Updated.Unix()
}

// observations gives each job's answers in their order. An answer must have been told, where it differs, if its watcher
// has asked for the job again, or for the list of another cycle, which comes when all answers of the last are kept.
func observations(record []sim.Served, doubts []doubt, cycles []time.Time) map[int64][]seen {
	byJob := map[int64][]sim.Served{}
	for _, a := range record {
		byJob[a.JobID] = append(byJob[a.JobID], a)
	}
	jobs := map[int64][]seen{}
	for id, answers := range byJob {
		slices.SortStableFunc(answers, func(a, b sim.Served) int { return a.Asked.Compare(b.Asked) })
		old := 0
		for i, a := range answers {
			switch {
			case a.Whole:
				old = 0
			case a.Old:
				old++
			}
			until, during := next(cycles, a.Served), lasting(doubts) // who lives on asks again for what came to nothing
			if i < len(answers)-1 {
				until, during = earlier(answers[i+1].Asked, until), doubts
			}
			lived := !inDoubt(during, a.Asked, until)
			if a.Whole || a.Old {
				jobs[id] = append(jobs[id], seen{Served: a, certain: a.Whole && lived && a.Served.Sub(a.Asked) < patience, old: old})
			}
		}
		forget(jobs[id], doubts)
	}
	return jobs
}

// forget marks the answers that an old one may follow after a kill. What changes nothing is kept in memory alone.
func forget(answers []seen, doubts []doubt) {
	var old time.Time // the next old one was asked for
	for i, a := range slices.Backward(answers) {
		answers[i].forgotten = !old.IsZero() && (!a.certain || inDoubt(doubts, a.Asked, old))
		if a.Old {
			old = a.Asked
		}
	}
}

// next is the first of the times, which are in order, after another.
func next(times []time.Time, after time.Time) time.Time {
	i, _ := slices.BinarySearchFunc(times, after, time.Time.Compare)
	if i == len(times) {
		return time.Time{}
	}
	return times[i]
}

// earlier is the earlier of two times, of which the second may be none.
func earlier(t, other time.Time) time.Time {
	if other.IsZero() || t.Before(other) {
		return t
	}
	return other
}

// patience is what any watcher here has for an answer.
const patience = time.Second

// doubt is a time in which an answer may come to nothing.
type doubt struct{ from, to time.Time } // to is zero while it lasts

// killedAt is a doubt that lasts until another life starts: a busy CommServe goes on answering who is dead.
func killedAt(at time.Time) doubt { return doubt{from: at} }

// startedAt ends the doubts that last.
func startedAt(at time.Time, doubts []doubt) {
	for i := range doubts {
		if doubts[i].to.IsZero() {
			doubts[i].to = at
		}
	}
}

// lasting are the doubts of who is dead now.
func lasting(doubts []doubt) []doubt {
	return slices.DeleteFunc(slices.Clone(doubts), func(d doubt) bool { return !d.to.IsZero() })
}

// inDoubt says whether a doubt falls into a time, of which the end may be none.
func inDoubt(doubts []doubt, from, to time.Time) bool {
	return slices.ContainsFunc(doubts, func(d doubt) bool {
		return (d.to.IsZero() || d.to.After(from)) && (to.IsZero() || d.from.Before(to))
	})
}

// matcher holds the events of a job against its answers. Where it was tried in vain it need not be tried again.
type matcher struct{ vain map[string]bool }

// match says whether the events are exactly those that the answers owe, in order, each uncertain
// answer told whole or not at all.
func (m *matcher) match(v view, answers []seen, events []string) bool {
	if len(answers) == 0 {
		return len(events) == 0
	}
	a, silent := answers[0], true
	if a.tooOld(v) {
		return m.match(v, answers[1:], events)
	}
	key := ""
	if !a.certain || a.forgotten {
		key = fmt.Sprint(len(answers), len(events), v)
		if m.vain[key] {
			return false
		}
	}
	for _, before := range v.before(a.Served) {
		for _, reading := range readings(a.Served) {
			owed, after := before.due(reading)
			if len(owed) <= len(events) && slices.Equal(owed, events[:len(owed)]) && m.match(after[len(owed)], answers[1:], events[len(owed):]) {
				return true
			}
			silent = silent && len(owed) == 0
		}
	}
	unseen := !a.certain
	if silent {
		unseen = a.forgotten
	}
	if unseen && m.match(v, answers[1:], events) {
		return true
	}
	if key != "" {
		m.vain[key] = true
	}
	return false
}

// verdict counts what went wrong.
type verdict struct {
	events, lost, doubled, disordered, madeUp int
	certain                                   int // answers that had to be told, where they differed
	gaps                                      int // in sequence, or an id used twice
	example                                   string
}

func (v verdict) clean() bool {
	return v.events > 0 && v.lost+v.doubled+v.disordered+v.madeUp+v.gaps == 0
}

func (v verdict) String() string {
	return fmt.Sprintf("%d events: %d lost, %d doubled, %d out of order, %d made up, %d gaps%s",
		v.events, v.lost, v.doubled, v.disordered, v.madeUp, v.gaps, v.example)
}

func judge(t *testing.T, record []sim.Served, doubts []doubt, stream []received, cycles ...time.Time) verdict {
	t.Helper()
	v := verdict{events: len(stream)}
	byJob := map[int64][]received{}
	ids := map[string]bool{}
	for _, e := range stream {
		if ids[e.id] {
			v.gaps++
		}
		ids[e.id] = true
		byJob[e.job] = append(byJob[e.job], e)
	}
	jobs := observations(record, doubts, cycles)
	for _, answers := range jobs {
		for _, a := range answers {
			if a.certain {
				v.certain++
			}
		}
	}
	for id, events := range byJob {
		v.job(id, jobs[id], events)
	}
	for id, answers := range jobs {
		if byJob[id] == nil {
			v.job(id, answers, nil)
		}
	}
	return v
}

func isMachine(what string) bool { return strings.HasPrefix(what, "failure.vm ") }

func (v *verdict) job(id int64, answers []seen, events []received) {
	var whats []string
	first := 0 // machine of the observation
	for i, e := range events {
		if e.sequence != fmt.Sprintf("%020d", i+1) {
			v.gaps++
		}
		if i == 0 || !isMachine(e.what) || !isMachine(events[i-1].what) || !e.at.Equal(events[i-1].at) {
			first = i
		}
		whats = append(whats, e.what)
		slices.Sort(whats[first:]) // the machines of one answer come in the answer's order, which the record does not know
	}
	if (&matcher{map[string]bool{}}).match(view{}, answers, whats) {
		return
	}
	v.classify(id, answers, whats)
}

// classify counts by comparing with the events that all answers together owe.
func (v *verdict) classify(id int64, answers []seen, events []string) {
	var owed []string
	var all view
	for _, a := range answers {
		if a.Old {
			continue
		}
		changes, after := all.before(a.Served)[0].due(readings(a.Served)[0])
		owed, all = append(owed, changes...), after[len(changes)]
	}
	missing := map[string]int{}
	for _, o := range owed {
		missing[o]++
	}
	wrong := 0
	for _, e := range events {
		missing[e]--
		switch {
		case missing[e] < 0 && slices.Contains(owed, e):
			v.doubled++
			wrong++
		case missing[e] < 0:
			v.madeUp++
			wrong++
		}
	}
	for _, n := range missing {
		if n > 0 {
			v.lost += n
			wrong++
		}
	}
	if wrong == 0 {
		v.disordered++
	}
	if v.example == "" {
		v.example = fmt.Sprintf("\njob %d told\n  %s\nowed by all answers\n  %s\nanswers%s", id, strings.Join(events, "\n  "), strings.Join(owed, "\n  "), lines(answers))
	}
}

// lines are a job's answers, those left out that are like the one before.
func lines(answers []seen) string {
	var b strings.Builder
	last := ""
	for _, a := range answers {
		shows := fmt.Sprint(a.certain, a.Old, a.Began, a.Updated, a.State, a.Summary, a.Phase, a.Failures, a.Reason, a.VMs, a.Attempt)
		if shows != last {
			fmt.Fprintf(&b, "\n  asked %s, certain %v, old %v, began %s, of %s: %q (%q) %q %q %q %v, attempt %d", a.Asked.Format("05.000"), a.certain, a.Old,
				a.Began.Format("05.000"), a.Updated.Format("05.000"), a.State, a.Summary, a.Phase, a.Failures, a.Reason, a.VMs, a.Attempt)
		}
		last = shows
	}
	return b.String()
}

func allEnded(record []sim.Served, jobs int) bool {
	ended, started := map[int64]bool{}, map[int64]bool{}
	for _, a := range record {
		started[a.JobID] = true
		ended[a.JobID] = ended[a.JobID] || a.Whole && a.Finished
	}
	for id := range started {
		if !ended[id] {
			return false
		}
	}
	return len(started) >= jobs
}
