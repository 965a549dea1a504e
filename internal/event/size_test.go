package event

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/job"
)

const sizeLimit = 64 << 10 // bytes, of an event

// An event whose texts are all as long as they may be, of characters that swell in JSON.
func TestLongestEventKeepsTheLimit(t *testing.T) {
	for _, character := range []string{"\x00", "\x1f", "\u2028", "<", `"`, `\`, "\xff", "a", "ä", "完", "𝄞", "\u0085"} {
		o := longest(character)
		reason, name := clipped(character, job.ReasonLimit), clipped(character, job.NameLimit)
		for _, c := range []job.Change{
			{Kind: job.KindFailure, Detail: job.DetailReason, From: reason, To: reason, Code: name},
			{Kind: job.KindFailure, Detail: job.DetailVM, From: reason, To: reason, VM: string(name), VMGUID: string(name), VMJob: math.MaxInt64},
		} {
			e, err := NewMinter(nil).Job(math.MaxInt64, c, o, o.Asked, longestLog(character, o.Asked)...)
			if err != nil {
				t.Fatal(err)
			}
			text := message(t, e)
			if _, err := Parse(text); err != nil {
				t.Errorf("%s of %q: no relay would take it: %v", c.Detail, character, err)
			}
			size := len(text)
			if size >= sizeLimit {
				t.Errorf("%s of %q: %d bytes, want less than %d", c.Detail, character, size, sizeLimit)
			}
			if size < 3*job.ReasonLimit { // from, to, and in the job
				t.Errorf("%s of %q: %d bytes only; is it the longest?", c.Detail, character, size)
			}
		}
	}
}

func TestLongestCommCellEventKeepsTheLimit(t *testing.T) {
	e := mintCommCell(t, math.MaxInt64, job.DetailUnreachable, strings.Repeat("\x00", sizeLimit))
	text := message(t, e)
	if _, err := Parse(text); err != nil {
		t.Errorf("no relay would take it: %v", err)
	}
	if size := len(text); size >= sizeLimit {
		t.Errorf("%d bytes, want less than %d", size, sizeLimit)
	}
	data, err := e.CommCell()
	if err != nil || !strings.HasSuffix(string(data.Reason), "…") {
		t.Errorf("the reason ends in %q (%v), want …", data.Reason[max(0, len(data.Reason)-5):], err)
	}
}

// longest fills every member of a snapshot, those too that are not thought of yet.
func longest(character string) job.Observation {
	var s job.Snapshot
	at := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	fields := reflect.ValueOf(&s).Elem()
	for i := range fields.NumField() {
		switch field := fields.Field(i); field.Interface().(type) {
		case job.Text:
			field.SetString(string(clipped(character, job.NameLimit)))
			s.Truncated = append(s.Truncated, fields.Type().Field(i).Tag.Get("json"))
		case *int64:
			field.Set(reflect.ValueOf(new(int64(math.MinInt64))))
		case *float64:
			field.Set(reflect.ValueOf(new(-math.SmallestNonzeroFloat64)))
		case *time.Time:
			field.Set(reflect.ValueOf(&at))
		}
	}
	s.StateClass = job.Text(job.Succeeded) // is never cut
	s.Truncated = slices.DeleteFunc(s.Truncated, func(member string) bool { return member == "stateClass" })
	s.CommCell, s.Number = strings.Repeat("p", 200), math.MaxInt64
	s.Reason = clipped(character, job.ReasonLimit)
	s.VMs = &job.VMCount{Total: math.MaxInt, Failed: math.MaxInt}
	return job.Observation{Snapshot: s, Asked: at, Answered: at}
}

// longestLog holds more entries than an event takes.
func longestLog(character string, at time.Time) []job.FeedEntry {
	return slices.Repeat([]job.FeedEntry{{
		Code: clipped(character, job.FeedCodeLimit), Severity: job.FeedCritical, Time: at, Text: clipped(character, job.FeedTextLimit),
	}}, 2*job.FeedLimit)
}

func clipped(character string, limit int) job.Text {
	text, _ := job.Clip(strings.Repeat(character+".", limit), limit)
	return text
}

// Another writer's texts may be of any length, and some are told on: what a change of ours came from, and the job.
func TestWhatAnotherWriterTellsKeepsTheLimit(t *testing.T) {
	o := longest("<")
	own := o.Snapshot
	for _, character := range []string{"a", `"`} {
		text := clipped(character, 26<<10)
		for words, told := range map[string]Event{
			"reason": mint(t, 2, job.Change{Kind: job.KindFailure, Detail: job.DetailReason, To: text}, job.Snapshot{}),
			"code":   mint(t, 2, job.Change{Kind: job.KindFailure, Detail: job.DetailReason, To: "away", Code: text}, job.Snapshot{}),
			"vm":     mint(t, 2, job.Change{Kind: job.KindFailure, Detail: job.DetailVM, To: text, VM: "web-1"}, job.Snapshot{}),
			"state":  mint(t, 2, stateChange("", text), job.Snapshot{}),
			"missed": mint(t, 2, phaseChange("", "Scan"), job.Snapshot{State: "Running", Reason: text}),
			"names":  mint(t, 2, phaseChange("", "Scan"), job.Snapshot{State: "Running", Client: text, Agent: text}),
		} {
			f := fold(t, told)
			if f.Empty() {
				t.Fatalf("%s of %q was not read", words, character)
			}
			vm, _ := f.Told.VMReason(&job.VM{Name: "web-1"})
			foreign := job.Observation{Snapshot: f.Snapshot, Asked: o.Asked, Answered: o.Answered}
			for _, next := range []struct {
				job.Change
				of job.Observation
			}{
				{stateChange(f.Told.State, own.State), o},
				{job.Change{Kind: job.KindFailure, Detail: job.DetailReason, From: f.Told.Reason, To: own.Reason, Code: own.ReasonCode}, o},
				{job.Change{Kind: job.KindFailure, Detail: job.DetailVM, From: vm, To: own.Reason, VM: string(own.Client), VMGUID: string(own.Client)}, o},
				{job.Change{Kind: job.KindWatch, Detail: job.DetailLost}, foreign},
			} {
				e, err := NewMinter(nil).Job(3, next.Change, next.of, o.Asked, longestLog(character, o.Asked)...)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := Parse(encode(t, e)); err != nil {
					t.Errorf("%s.%s after %s of %q: no relay would take it: %v", next.Kind, next.Detail, words, character, err)
				}
			}
		}
	}
}
