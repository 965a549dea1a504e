package diff_test

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/testing/eventtest"
)

// stream is one job's events as the broker keeps them.
type stream struct {
	t        *rapid.T
	minter   *event.Minter
	messages [][]byte
}

func newStream(t *rapid.T) *stream { return &stream{t: t, minter: event.NewMinter(nil)} }

// now is when the next poll is answered.
func (s *stream) now() time.Time {
	return time.Date(2026, 11, 23, 14, 0, len(s.messages), 999_999_999, time.UTC)
}

func (s *stream) publish(changes []job.Change, seen job.Snapshot) {
	at := s.now()
	for _, c := range changes {
		o := job.Observation{Snapshot: seen, Asked: at, Answered: at}
		e, err := s.minter.Job(uint64(len(s.messages)+1), c, o, time.Time{})
		if err != nil {
			s.t.Fatal(err)
		}
		message, err := json.Marshal(e)
		if err != nil {
			s.t.Fatal(err)
		}
		eventtest.Valid(s.t, "", nil, message)
		s.messages = append(s.messages, message)
	}
}

func (s *stream) fold() event.Fold {
	var f event.Fold
	for i, message := range s.messages {
		f.Add(uint64(i+1), message)
	}
	return f
}

// received is an event as a subscriber reads it.
type received struct {
	Data struct {
		Change struct {
			Kind, Detail, VM, VMGUID string
			From, To                 *string
		}
		Job struct{ PendingReason, PendingReasonCode *string }
	}
}

// family names the events whose from follows from one another's to.
func (e *received) family() string {
	switch c := e.Data.Change; c.Kind {
	case "state", "phase":
		return c.Kind
	default:
		if c.VMGUID != "" {
			return c.Kind + "." + c.Detail + ".of." + c.VMGUID
		}
		return c.Kind + "." + c.Detail + "." + c.VM
	}
}

// inherits hands what was told of a machine by its name alone to the one that goes on from it.
func (e *received) inherits(last map[string]string) {
	c := e.Data.Change
	byName := "failure.vm." + c.VM
	if _, known := last[e.family()]; !known && c.VMGUID != "" && c.From != nil && *c.From == last[byName] {
		last[e.family()] = *c.From
		delete(last, byName)
	}
}

func (s *stream) read() []received {
	events := make([]received, len(s.messages))
	for i, message := range s.messages {
		if err := json.Unmarshal(message, &events[i]); err != nil {
			s.t.Fatal(err)
		}
	}
	return events
}

// checkFrom reads the stream as the contract tells a subscriber to: from is the to of the event
// before it of the same family, but for the events that clear what was told.
func (s *stream) checkFrom() {
	last := map[string]string{} // family => to
	for i, e := range s.read() {
		c := e.Data.Change
		e.inherits(last)
		if got, want := value(c.From), last[e.family()]; got != want {
			s.t.Fatalf("event %d, %s, comes from %q, but before it is %q", i+1, e.family(), got, want)
		}
		e.clear(last)
		last[e.family()] = value(c.To)
		if c.Kind == "state" {
			last["failure.state."] = value(c.From) // where a failure came from
		}
	}
}

// clear forgets what the contract says that the event clears.
func (e *received) clear(last map[string]string) {
	switch c := e.Data.Change; {
	case c.Kind == "state" && c.From == nil:
		clear(last)
	case c.Kind == "state" && e.Data.Job.PendingReason == nil && e.Data.Job.PendingReasonCode == nil:
		forget(last, "failure.reason.")
	case c.Kind == "watch" && c.Detail == "attempt":
		forget(last, "failure.items.", "failure.vm.")
	}
}

func forget(last map[string]string, families ...string) {
	for family := range last {
		for _, gone := range families {
			if strings.HasPrefix(family, gone) {
				delete(last, family)
			}
		}
	}
}

// checkTruth compares the last word of each family with the job itself.
func (s *stream) checkTruth(seen job.Snapshot) {
	if rest := diff.Since(s.fold().Told, &seen); len(rest) > 0 {
		s.t.Fatalf("%+v still has to tell %+v", seen, rest)
	}
	last := map[string]job.Text{}
	for _, e := range s.read() {
		if e.Data.Change.Detail == job.DetailVM {
			continue // there, two identities can be one machine
		}
		last[e.family()] = job.Text(value(e.Data.Change.To))
	}
	for family, is := range map[string]job.Text{"state": seen.State, "phase": seen.Phase} {
		if is != "" && !job.Same(last[family], is) {
			s.t.Fatalf("the %s is %q, the stream ends at %q", family, is, last[family])
		}
	}
	for _, vm := range seen.Machines {
		if vm.Reason != "" && !s.tells(&vm) {
			s.t.Fatalf("machine %s %s failed for %q, of which the stream tells nothing", vm.Name, vm.GUID, vm.Reason)
		}
	}
}

// tells says whether an event is of the machine, by its GUID or its name.
func (s *stream) tells(vm *job.VM) bool {
	return slices.ContainsFunc(s.read(), func(e received) bool {
		c := e.Data.Change
		return c.Detail == job.DetailVM && (c.VMGUID == string(vm.GUID) || c.VMGUID == "" && c.VM == vm.Name)
	})
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
