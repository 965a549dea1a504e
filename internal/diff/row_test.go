package diff_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

// row is one line of a table: what was seen of a job, poll by poll, and what the last poll tells.
type row struct {
	words   string
	told    job.Told
	last    job.Snapshot
	changes []job.Change
	want    []string
}

// first is a job that nothing was told of.
func first(marks ...mark) row {
	return row{words: "first"}.poll(marks)
}

// from is a job of which everything was told; behind a new attempt it takes a second poll to find it all.
func from(marks ...mark) row {
	r := row{words: "from"}.poll(marks).tell()
	r.changes = diff.Since(r.told, &r.last)
	return r.tell()
}

// to is the next poll, with all that was seen before told: it shows the marks, and else what the last showed.
func (r row) to(marks ...mark) row {
	r = r.tell()
	r.words += " to"
	return r.poll(marks)
}

// toldOnly tells the first of what the last poll found, as a watcher does that dies over it. The
// next again polls the same job.
func (r row) toldOnly(number int) row {
	r.words += fmt.Sprintf(" of which %d told", number)
	r.told = r.told.TellAll(r.changes[:number], &r.last, time.Time{})
	r.changes = nil
	return r
}

func (r row) again(marks ...mark) row {
	r.words += " again"
	return r.poll(marks)
}

func (r row) tells(want ...string) row {
	r.want = want
	return r
}

func (r row) poll(marks []mark) row {
	var words []string
	next := job.Snapshot{
		CommCell: "prod", Number: 1248, State: r.last.State, Phase: r.last.Phase, EndTime: r.last.EndTime,
		Failures: r.last.Failures, Reason: r.last.Reason, ReasonCode: r.last.ReasonCode,
		Attempt: r.last.Attempt, Machines: slices.Clone(r.last.Machines),
	}
	for _, m := range marks {
		words = append(words, m.words)
		m.edit(&next)
	}
	next.Settle()
	r.words += "(" + strings.Join(words, ", ") + ")"
	r.last, r.changes = next, diff.Since(r.told, &next)
	return r
}

func (r row) tell() row {
	r.told = r.told.TellAll(r.changes, &r.last, time.Time{})
	r.changes = nil
	return r
}

func (r row) check(t *testing.T) {
	t.Helper()
	var got []string
	for _, c := range r.changes {
		got = append(got, sentence(c))
	}
	if !slices.Equal(got, r.want) {
		t.Errorf("%s\n tells %q\n  want %q", r.words, got, r.want)
	}
}

// sentence is a change in one line: failure.vm mail disk full→host down.
func sentence(c job.Change) string {
	text := c.Kind + "." + c.Detail + " "
	if c.VMGUID != "" {
		text += c.VM + "/" + c.VMGUID + " "
	} else if c.VM != "" {
		text += c.VM + " "
	}
	text += orNull(c.From) + "→" + orNull(c.To)
	if c.Code != "" {
		text += " [" + string(c.Code) + "]"
	}
	return text
}

func orNull(words job.Text) string {
	if words == "" {
		return "null"
	}
	return string(words)
}

// mark is one thing that a poll shows.
type mark struct {
	words string
	edit  func(*job.Snapshot)
}

func state(words job.Text) mark {
	return mark{string(words), func(s *job.Snapshot) { s.State = words }}
}

func noState() mark { return mark{"no state", func(s *job.Snapshot) { s.State = "" }} }

func phase(words job.Text) mark {
	return mark{"phase " + string(words), func(s *job.Snapshot) { s.Phase = words }}
}

func noPhase() mark { return mark{"no phase", func(s *job.Snapshot) { s.Phase = "" }} }

func failures(words job.Text) mark {
	return mark{string(words), func(s *job.Snapshot) { s.Failures = words }}
}

func reason(words job.Text) mark { return coded(words, "") }

func noReason() mark { return mark{"no reason", coded("", "").edit} }

func coded(words, code job.Text) mark {
	return mark{fmt.Sprintf("%q %s", words, code), func(s *job.Snapshot) { s.Reason, s.ReasonCode = words, code }}
}

func attempt(number int64) mark {
	return mark{fmt.Sprintf("attempt %d", number), func(s *job.Snapshot) { s.Attempt = &number }}
}

func noAttempt() mark {
	return mark{"no attempt", func(s *job.Snapshot) { s.Attempt = nil }}
}

func ended() mark {
	at := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	return mark{"ended", func(s *job.Snapshot) { s.EndTime = &at }}
}

// machine is a virtual machine of the job, called web or, with a GUID, web/g-1; without a reason it has not failed.
func machine(called string, reason job.Text) mark {
	name, guid, _ := strings.Cut(called, "/")
	return mark{called + " " + orNull(reason), func(s *job.Snapshot) {
		for i := range s.Machines {
			if s.Machines[i].Name == name && s.Machines[i].GUID == job.Text(guid) {
				s.Machines[i].Reason = reason
				return
			}
		}
		s.Machines = append(s.Machines, job.VM{Name: name, GUID: job.Text(guid), Reason: reason})
	}}
}

// gone takes a machine out of the answer.
func gone(called string) mark {
	name, guid, _ := strings.Cut(called, "/")
	return mark{"no " + called, func(s *job.Snapshot) {
		s.Machines = slices.DeleteFunc(s.Machines, func(vm job.VM) bool { return vm.Name == name && vm.GUID == job.Text(guid) })
	}}
}
