package diff_test

import (
	"cmp"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

// What was just told is no change; only behind a new attempt, whose counts begin anew, is there
// something left for a second poll.
func TestToldIsNoChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var told job.Told
		for _, seen := range polls.Draw(t, "job") {
			w := watches.Draw(t, "watch")
			found := changes(told, &seen, w)
			told = told.TellAll(found, &seen, time.Time{})
			if slices.ContainsFunc(found, newAttempt) {
				rest := changes(told, &seen, w)
				if i := slices.IndexFunc(rest, notCounted); i >= 0 {
					t.Fatalf("behind a new attempt %+v tells %s", seen, sentence(rest[i]))
				}
				told = told.TellAll(rest, &seen, time.Time{})
			}
			if rest := changes(told, &seen, w); len(rest) > 0 {
				t.Fatalf("%+v tells again %s", seen, sentence(rest[0]))
			}
		}
	})
}

func TestChangesComeInOrder(t *testing.T) {
	ranks := []string{"state", "phase", "failure.state", "failure.items", "failure.vm", "failure.reason", "watch"}
	rank := func(c job.Change) int {
		return max(slices.Index(ranks, c.Kind), slices.Index(ranks, c.Kind+"."+c.Detail))
	}
	rapid.Check(t, func(t *rapid.T) {
		var told job.Told
		for _, seen := range polls.Draw(t, "job") {
			found := changes(told, &seen, watches.Draw(t, "watch"))
			told = told.TellAll(found, &seen, time.Time{})
			if !slices.IsSortedFunc(found, func(a, b job.Change) int { return cmp.Compare(rank(a), rank(b)) }) {
				t.Fatalf("out of order: %+v", found)
			}
		}
	})
}

// Whoever reads the events back knows what was told as well as the watcher that told it.
func TestStreamGivesWhatWasTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var told job.Told
		s := newStream(t)
		for _, seen := range polls.Draw(t, "job") {
			found := changes(told, &seen, watches.Draw(t, "watch"))
			told = told.TellAll(found, &seen, s.now())
			s.publish(found, seen)
			if folded := s.fold(); !reflect.DeepEqual(folded.Told, told) {
				t.Fatalf("the stream told %+v\n   the watcher %+v", folded.Told, told)
			}
		}
	})
}

// However many of its events a watcher leaves behind, the next one, which has only the stream,
// tells the rest and nothing else.
func TestStreamGoesOnAfterEveryCrash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStream(t)
		for _, seen := range polls.Draw(t, "job") {
			w := watches.Draw(t, "watch")
			found := changes(s.fold().Told, &seen, w)
			told := rapid.IntRange(0, len(found)).Draw(t, "told before the crash")
			s.publish(found[:told], seen)
			rest := changes(s.fold().Told, &seen, w)
			if slices.ContainsFunc(found[:told], newAttempt) {
				rest = slices.DeleteFunc(rest, func(c job.Change) bool { return !notCounted(c) })
			}
			if told < len(found) && !slices.Equal(rest, found[told:]) {
				t.Fatalf("after %d of %+v\n  comes %+v", told, found, rest)
			}
		}
		s.checkFrom()
	})
}

// After the last poll the stream says what the job is, whatever was torn before.
func TestStreamEndsAtTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStream(t)
		seen := polls.Draw(t, "job")
		for i := range seen {
			found := changes(s.fold().Told, &seen[i], watches.Draw(t, "watch"))
			s.publish(found[:rapid.IntRange(0, len(found)).Draw(t, "told")], seen[i])
		}
		last := seen[len(seen)-1]
		for range 2 { // a new attempt takes two
			s.publish(diff.Since(s.fold().Told, &last), last)
		}
		s.checkFrom()
		s.checkTruth(last)
	})
}

func newAttempt(c job.Change) bool { return c.Kind == job.KindWatch && c.Detail == job.DetailAttempt }

func notCounted(c job.Change) bool { return c.Detail != job.DetailItems && c.Detail != job.DetailVM }
