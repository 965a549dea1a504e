package console

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// order is one of a list.
type order struct {
	name    string
	compare func(now time.Time, a, b *store.Listed) int // nil: as an operator needs them
}

var orders = []order{
	{"what needs you", nil},
	{"newest", func(_ time.Time, a, b *store.Listed) int { return 0 }}, // as they are read
	{"longest", func(now time.Time, a, b *store.Listed) int { return cmp.Compare(TookOf(b, now), TookOf(a, now)) }},
	{"client", func(_ time.Time, a, b *store.Listed) int {
		return strings.Compare(strings.ToLower(string(a.Snapshot.Client)), strings.ToLower(string(b.Snapshot.Client)))
	}},
	{"done", func(_ time.Time, a, b *store.Listed) int { return cmp.Compare(doneOr(b), doneOr(a)) }},
}

func doneOr(l *store.Listed) float64 {
	if done := DoneOf(l); done != nil {
		return *done
	}
	return -1
}

// arrange filters and orders what was read. Equal ones stay as they were read: the newest first.
func (t *Top) arrange() {
	t.shown = t.shown[:0]
	for i := range t.jobs {
		if l := &t.jobs[i]; (!t.faults || isFault(l)) && matchesWords(t.filter, l) {
			t.shown = append(t.shown, l)
		}
	}
	now, of := t.clock.Now(), orders[t.order]
	compare := func(a, b *store.Listed) int { return of.compare(now, a, b) }
	if of.compare == nil {
		good := goodRuns(t.jobs)
		compare = func(a, b *store.Listed) int { return cmp.Compare(need(a, good), need(b, good)) }
	}
	slices.SortStableFunc(t.shown, compare)
}

// isFault says of a job that something is wrong with it: it ended badly, is held, or gets no further.
func isFault(l *store.Listed) bool {
	class := job.Class(l.Snapshot.StateClass)
	return class.Failing() || class == job.Held || isStalled(l)
}

func isStalled(l *store.Listed) bool { return l.Told.Stalled && !l.Snapshot.Terminal }

// need is smaller for what needs a person more. A bad end that a good run of the same has followed needs nobody.
func need(l *store.Listed, good map[string]time.Time) int {
	class := job.Class(l.Snapshot.StateClass)
	switch {
	case isStalled(l):
		return 0
	case class.Failing():
		if end := EndOf(l); end != nil && good[subject(l)].After(*end) {
			return 6
		}
		return 1
	case class == job.Held:
		return 2
	case class == job.Active:
		return 3
	case class == job.Queued:
		return 4
	case !l.Snapshot.Terminal:
		return 5
	default:
		return 7
	}
}

// goodRuns is when each subclient's last good run ended.
func goodRuns(all []store.Listed) map[string]time.Time {
	good := map[string]time.Time{}
	for i := range all {
		l := &all[i]
		if end := EndOf(l); end != nil && job.Class(l.Snapshot.StateClass) == job.Succeeded && end.After(good[subject(l)]) {
			good[subject(l)] = *end
		}
	}
	return good
}

// subject is what a job is a run of.
func subject(l *store.Listed) string {
	s := &l.Snapshot
	return strings.Join([]string{s.CommCell, string(s.Client), string(s.Agent), string(s.Instance), string(s.Backupset), string(s.Subclient), string(s.Operation)}, "\x00")
}

// matchesWords wants each word somewhere in what a job is called, is in, or says; none that a - is in front of.
func matchesWords(words string, l *store.Listed) bool {
	if words == "" {
		return true
	}
	s := &l.Snapshot
	text := strings.ToLower(strings.Join([]string{
		l.ID().String(), string(s.Client), string(s.DestinationClient), string(s.Agent), string(s.Instance), string(s.Subclient), string(s.Operation),
		string(s.StoragePolicy), string(s.MediaAgent), string(s.StartedBy), StateOf(l), string(s.StateClass), string(s.Phase), string(s.Reason), WhyOf(s),
	}, "\n"))
	for word := range strings.FieldsSeq(strings.ToLower(words)) {
		without, negated := strings.CutPrefix(word, "-")
		if negated && without == "" {
			continue // it is being typed
		}
		if strings.Contains(text, without) == negated {
			return false
		}
	}
	return true
}
