package lives

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/stream"
)

// verdicts of the judge.
const (
	isLost       = "lost"
	isDoubled    = "doubled"
	isDisordered = "disordered"
	isMadeUp     = "made up"
)

// finding is one thing that is wrong with a stream.
type finding struct{ what, where string }

func (f finding) String() string { return f.what + ": " + f.where }

// judge holds the stream against the answers that were given. It shares no code with what it judges.
type judge struct {
	world    *world
	findings []finding
}

func (j *judge) find(what, format string, values ...any) {
	j.findings = append(j.findings, finding{what, fmt.Sprintf(format, values...)})
}

// telling is one event, as the judge reads it.
type telling struct {
	job      int64 // 0: the CommCell
	commCell string
	id       string
	sequence string
	at       time.Time
	change
	reason bool // its job shows one
}

func (w *world) judged() []finding {
	j := &judge{world: w}
	jobs, cells := map[int64][]telling{}, map[string][]telling{}
	ids := map[string]bool{}
	for _, m := range w.record() {
		e, err := read(m)
		if err != nil {
			j.find(isMadeUp, "%s: %v", m.Subject, err)
			continue
		}
		if ids[e.id] {
			j.find(isDoubled, "%s is in the stream twice: %s", w.alias(e.id), e)
		}
		ids[e.id] = true
		if e.job == 0 {
			cells[e.commCell] = append(cells[e.commCell], e)
			continue
		}
		jobs[e.job] = append(jobs[e.job], e)
	}
	for _, commCell := range w.serve.names() {
		j.numbered("CommCell "+commCell, cells[commCell])
		j.commCell(cells[commCell])
	}
	for i := range w.serve.jobs {
		number := int64(i + 1)
		j.numbered(fmt.Sprintf("job %d", number), jobs[number])
		j.job(number, jobs[number])
	}
	return j.findings
}

// numbered wants no gap in sequence.
func (j *judge) numbered(of string, events []telling) {
	for i, e := range events {
		if e.sequence != fmt.Sprintf("%020d", i+1) {
			j.find(isLost, "%s: its event %d has the sequence %s: %s", of, i+1, strings.TrimLeft(e.sequence, "0"), e)
			return
		}
	}
}

// record is all that the stream has told, also what it has let go of since. Of an event that was told again since it
// was let go of too soon, the first telling does not count.
func (w *world) record() []stream.Message {
	all := append(slices.Clone(w.aged), w.stream.Messages()...)
	last := map[string]int{}
	for i, m := range all {
		last[m.ID] = i
	}
	var record []stream.Message
	for i, m := range all {
		if last[m.ID] == i || !w.unacknowledged[m.ID] {
			record = append(record, m)
		}
	}
	if !w.exact() {
		for _, m := range w.forgotten {
			record = missed(record, m)
		}
	}
	return record
}

// missed puts a message that the stream has forgotten in its place, where nobody has told it again or anything in its
// stead: of two watchers the one that has it may find that the other has spoken. The gap in sequence says so.
func missed(record []stream.Message, m stream.Message) []stream.Message {
	gone, err := read(m)
	if err != nil {
		return record
	}
	for i, m2 := range record {
		e, err := read(m2)
		switch {
		case err != nil, e.job != gone.job, e.sequence < gone.sequence:
			continue
		case e.sequence == gone.sequence:
			return record
		}
		return slices.Insert(record, i, m)
	}
	return record
}

func read(m stream.Message) (telling, error) {
	var e struct {
		ID           string
		Sequence     string
		PartitionKey string
		Data         struct {
			Detail     string
			ObservedAt time.Time
			Change     struct {
				Kind, Detail, VM, VMGUID, Code string
				From, To                       *string
				NotBefore                      *time.Time
				ObservedAt                     time.Time
			}
			Job struct {
				ID                               int64
				PendingReason, PendingReasonCode *string
			}
		}
	}
	if err := json.Unmarshal(m.Data, &e); err != nil {
		return telling{}, err
	}
	c, tokens := e.Data.Change, strings.Split(m.Subject, ".")
	text := func(t *string) string {
		if t == nil {
			return ""
		}
		return *t
	}
	if tokens[0] == "commcells" {
		return telling{commCell: tokens[1], id: e.ID, sequence: e.Sequence, at: e.Data.ObservedAt, change: change{kind: e.Data.Detail}}, nil
	}
	if len(tokens) != 6 || tokens[2] != fmt.Sprint(e.Data.Job.ID) || tokens[4] != c.Kind || tokens[5] != c.Detail || m.ID != e.ID ||
		e.PartitionKey != fmt.Sprintf("%s/%d", tokens[1], e.Data.Job.ID) {
		return telling{}, fmt.Errorf("subject and id %s are not those of %s", m.ID, m.Data)
	}
	if c.NotBefore != nil && c.NotBefore.After(c.ObservedAt) {
		return telling{}, fmt.Errorf("observed before it could be: %s", m.Data)
	}
	kind := c.Kind
	if kind == "failure" || kind == "watch" {
		kind += "." + c.Detail
	}
	return telling{
		job: e.Data.Job.ID, commCell: tokens[1], id: e.ID, sequence: e.Sequence, at: c.ObservedAt,
		change: change{kind, strings.TrimRight(c.VM+"/"+c.VMGUID, "/"), text(c.From), text(c.To), c.Code},
		reason: e.Data.Job.PendingReason != nil || e.Data.Job.PendingReasonCode != nil,
	}, nil
}

// commCell wants unreachable and reachable in turn, and at the end, when all is well, no unreachable.
func (j *judge) commCell(events []telling) {
	if len(events) > 0 && j.world.knobs.asks == 0 {
		j.find(isMadeUp, "the CommCell has answered all the time, and is told %v", events[0])
		return
	}
	for i, e := range events {
		if want := []string{"unreachable", "reachable"}[i%2]; e.kind != want {
			j.find(isDoubled, "the CommCell is told %s twice", e.kind)
			return
		}
	}
	if len(events)%2 == 1 {
		j.find(isLost, "the CommCell answers, and is told unreachable")
	}
}

// job walks through a job's answers and its events together.
func (j *judge) job(number int64, events []telling) {
	answers := j.world.answersAbout(number)
	var v view
	var told *answer // last
	var since []*answer
	rest := events
	for i, a := range answers {
		var group []telling
		for len(rest) > 0 && rest[0].at.Equal(a.answered.Truncate(time.Millisecond)) {
			group, rest = append(group, rest[0]), rest[1:]
		}
		if a.missing {
			v = j.missed(v, answers[:i+1], missesAt(answers, a.answered), group)
			continue
		}
		owed := v.due(&a.facts)
		for k, e := range group {
			if k >= len(owed) || owed[k] != e.change {
				j.find(isMadeUp, "job %d: an answer that shows %v is told as %q, where it owes %q", number, &a.facts, group, owed)
				return
			}
			if e.kind == "state" && failing.MatchString(v.state) && !v.failed {
				j.find(isLost, "job %d: it leaves %s, and that it had failed was never told", number, v.state)
			}
			v = v.told(e.change, e.reason)
		}
		since = append(since, a)
		if len(group) > 0 && told != nil && a.facts.at.Before(told.facts.at) && max(a.row, olderRow(since, told)) < agreeing {
			j.find(isMadeUp, "job %d: an old answer (%v) is told after a newer one: %q", number, &a.facts, group)
		}
		if len(group) > 0 {
			told, since = a, nil
		}
		if whole := len(group) == len(owed); !whole && j.world.exact() && (a.certain || len(group) > 0) {
			j.find(isLost, "job %d: an answer that shows %v (asked %v) owes %q, and is told as %q",
				number, &a.facts, a.asked.Sub(j.world.began), owed, group)
			return
		}
		if len(group) == len(owed) && !a.old {
			v.gone = false
		}
	}
	if len(rest) > 0 {
		j.unanswered(number, answers, rest)
		return
	}
	j.truth(number, v)
}

// agreeing old answers in a row are believed: then a clock was set back.
const agreeing = 3

// olderRow gives how many answers of the last one's watcher were older than what was told, in a row up to the last.
func olderRow(since []*answer, told *answer) (row int) {
	watcher := since[len(since)-1].watcher
	for _, a := range since {
		switch {
		case a.watcher != watcher:
		case a.facts.at.Before(told.facts.at):
			row++
		default:
			row = 0
		}
	}
	return row
}

// unanswered says what is wrong with an event that follows from no answer at its place.
func (j *judge) unanswered(number int64, answers []*answer, rest []telling) {
	for _, a := range answers {
		if a.answered.Truncate(time.Millisecond).Equal(rest[0].at) {
			j.find(isDisordered, "job %d: told too late: %q", number, rest)
			return
		}
	}
	j.find(isMadeUp, "job %d: no answer shows this: %q", number, rest)
}

// missed judges what is told at an answer that did not know the job: that it is lost; and, where another watcher had
// spoken, what the newest snapshot held still differs in. row is how many such answers in a row it was.
func (j *judge) missed(v view, answers []*answer, row int, group []telling) view {
	for _, e := range group {
		switch {
		case e.kind == "watch.lost" && v.gone:
			j.find(isDoubled, "job %d is told as lost twice", e.job)
		case row < 3 && j.world.knobs.loseStore == 0: // an older file may hold an older row
			j.find(isMadeUp, "job %d: %v, after %d answers without it", e.job, e.change, row)
		case e.kind != "watch.lost" && !heldBy(answers, v, e.change):
			j.find(isMadeUp, "job %d: no answer shows this: %v", e.job, e)
		}
		v = v.told(e.change, e.reason)
	}
	return v
}

// missesAt gives the longest row of answers without the job that ends at a time: two watchers may get one each.
func missesAt(answers []*answer, at time.Time) (row int) {
	for _, a := range answers {
		if a.missing && a.answered.Equal(at) {
			row = max(row, a.row)
		}
	}
	return row
}

func heldBy(answers []*answer, v view, c change) bool {
	last := answers[len(answers)-1]
	return slices.ContainsFunc(answers, func(a *answer) bool {
		return a.watcher == last.watcher && !a.missing && slices.Contains(v.due(&a.facts), c)
	})
}

// truth wants the stream to end where the CommServe is.
func (j *judge) truth(number int64, v view) {
	now, begun := j.world.serve.of(number, 0)
	if !begun || number == j.world.board.untracked {
		return
	}
	if owed := v.due(&now); len(owed) > 0 || v.state == "" {
		j.find(isLost, "job %d: the stream ends before the truth (%v): %q is owed", number, &now, owed)
	}
}

// answersAbout gives a job's answers in the order in which they were given.
func (w *world) answersAbout(number int64) (all []*answer) {
	for _, x := range w.watchers {
		for _, a := range x.answers {
			if a.job == number {
				all = append(all, a)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *answer) int { return a.answered.Compare(b.answered) })
	return all
}

func (t telling) String() string { return t.change.String() }
