package store

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
)

// retainsEvents fails the test where other events are retained than those named, in the form "prod/1248#3 @77".
func (f *fixture) retainsEvents(t testing.TB, want ...string) {
	t.Helper()
	var got []string
	bytes := int64(0)
	must(t, f.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(sentBucket).ForEach(func(key, value []byte) error {
			k, exact := parseRetained(key, value)
			words := fmt.Sprintf("%s#%d @%d", k.Job, k.Sequence, k.Stream)
			if !exact {
				words += " or before"
			}
			got = append(got, words)
			bytes += int64(len(key) + len(value))
			return nil
		})
	}))
	if !slices.Equal(got, want) {
		t.Errorf("retained are\n%q, want\n%q", got, want)
	}
	stat, err := f.Stat()
	must(t, err)
	if stat.Retained != int64(len(want)) || stat.RetainedBytes != bytes {
		t.Errorf("%d are counted as retained, in %d bytes; want %d in %d", stat.Retained, stat.RetainedBytes, len(want), bytes)
	}
}

func retaining(t testing.TB) *fixture {
	f := newStore(t)
	f.KeepSent = time.Hour
	f.sees(t, of(71), "Running", "Scan")
	f.sees(t, of(72), "Running", "")
	return f
}

func TestWhatIsAcknowledgedIsRetained(t *testing.T) {
	f := retaining(t)
	f.sees(t, of(71), "Pending", "Scan")
	f.sent(t, of(71), 5)
	f.sent(t, of(72), 6)
	f.sent(t, of(71), 7)
	f.sent(t, of(71), 8)
	f.retainsEvents(t, "prod/71#1 @5", "prod/72#1 @6", "prod/71#2 @7", "prod/71#3 @8")
	if _, stream, err := f.HighestRetained(); stream != 8 || err != nil {
		t.Errorf("the highest stands at %d (%v)", stream, err)
	}
	f.reopen(t)
	f.retainsEvents(t, "prod/71#1 @5", "prod/72#1 @6", "prod/71#2 @7", "prod/71#3 @8")
	f.holds(t)
}

func TestAnAcknowledgementTakesThoseBeforeIt(t *testing.T) {
	f := retaining(t)
	oldest, _, err := f.oldest(of(71))
	must(t, err)
	second := oldest.Event.Numbered(2)
	must(t, f.Acknowledge(of(71), second, 9))
	f.retainsEvents(t, "prod/71#1 @9 or before", "prod/71#2 @9")
}

func TestEachOfARunIsRetainedAtItsPosition(t *testing.T) {
	f := retaining(t)
	f.sees(t, of(71), "Pending", "Scan")
	f.sees(t, of(71), "Completed", "")
	must(t, f.AcknowledgeAll(of(71), []Acked{{"a", 1, 5}, {"b", 2, 9}, {"d", 4, 12}}))
	f.retainsEvents(t, "prod/71#1 @5", "prod/71#2 @9", "prod/71#3 @12 or before", "prod/71#4 @12")
	f.holds(t, "prod/72#1 state.running")
}

func TestNothingIsRetainedWhereNothingIsToBe(t *testing.T) {
	f := retaining(t)
	f.sent(t, of(72), 6)
	f.KeepSent = 0
	f.sent(t, of(71), 7)
	f.retainsEvents(t, "prod/72#1 @6")
	must(t, f.Prune())
	f.retainsEvents(t)
}

func TestWhatIsRetainedGoesByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := retaining(t)
		f.sent(t, of(71), 5)
		time.Sleep(40 * time.Minute)
		f.sent(t, of(71), 6)
		must(t, f.Prune())
		f.retainsEvents(t, "prod/71#1 @5", "prod/71#2 @6")
		time.Sleep(40 * time.Minute)
		must(t, f.Prune())
		f.retainsEvents(t, "prod/71#2 @6")
	})
}

func TestWhatIsRetainedGoesBySize(t *testing.T) {
	f := retaining(t)
	f.maxRetained = 4000
	for i := range 10 {
		f.sees(t, of(72), job.Text(fmt.Sprint("State ", i)), "")
		f.sent(t, of(72), uint64(i+1))
	}
	stat, err := f.Stat()
	must(t, err)
	if stat.RetainedBytes > 4000 || stat.Retained == 0 {
		t.Errorf("%d are retained, in %d bytes", stat.Retained, stat.RetainedBytes)
	}
	if _, stream, err := f.HighestRetained(); stream != 10 || err != nil {
		t.Errorf("the highest stands at %d (%v)", stream, err)
	}
}

// The broker's acknowledgements come in any order.
func TestTheHighestRetainedIsNotTheLastAcknowledged(t *testing.T) {
	f := retaining(t)
	highest := func(e event.Event, stream uint64) {
		t.Helper()
		if id, at, err := f.HighestRetained(); id != e.ID || at != stream || err != nil {
			t.Errorf("the highest is %q at %d, want %q at %d (%v)", id, at, e.ID, stream, err)
		}
	}
	highest(event.Event{}, 0)
	f.sent(t, of(71), 5)
	second := f.sent(t, of(71), 9)
	first := f.sent(t, of(72), 7)
	highest(second, 9)

	moved := func(k Retained) Fate { // somewhere before 20 is no position to read
		if k.Job == of(71) {
			return Resequenced
		}
		return Stays
	}
	_, err := f.Requeue(Loss{Fate: moved, Last: func(job.ID) Acknowledged { return Acknowledged{Stream: 20} }})
	must(t, err)
	highest(first, 7)

	must(t, f.ResetHighest())
	highest(event.Event{}, 0)
	f.sees(t, of(72), "Pending", "")
	highest(f.sent(t, of(72), 3), 3)
}

func TestAJobIsNotForgottenWhileItsEventsAreRetained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newStore(t)
		f.KeepSent = time.Hour
		o := observed(of(71), "Completed", "")
		must(t, f.Commit(f.poll(t, o)))
		f.sent(t, of(71), 5)
		if forgotten, err := f.Forget("prod", time.Now().Add(1e6*time.Hour)); forgotten != 0 || err != nil {
			t.Errorf("%d forgotten (%v)", forgotten, err)
		}
		time.Sleep(2 * time.Hour)
		if forgotten, err := f.Forget("prod", time.Now().Add(1e6*time.Hour)); forgotten != 1 || err != nil {
			t.Errorf("%d forgotten (%v)", forgotten, err)
		}
	})
}

// all requeues what is retained: the stream has none of it.
var all = Loss{Fate: func(Retained) Fate { return Resend }, Last: func(job.ID) Acknowledged { return Acknowledged{} }}

func TestRequeue(t *testing.T) {
	f := retaining(t)
	f.sent(t, of(71), 5)
	f.sent(t, of(72), 6)
	f.sees(t, of(71), "Pending", "Scan")
	f.failAt(failpoint.BeforeCommit)
	before := f.content(t)
	if _, err := f.Requeue(all); err == nil || !same(f.content(t), before) {
		t.Errorf("a failed transaction has changed something (%v)", err)
	}
	if count, err := f.Requeue(all); count != 2 || err != nil {
		t.Errorf("%d requeued (%v)", count, err)
	}
	f.retainsEvents(t)
	f.holds(t, "prod/71#1 state.running", "prod/71#2 phase.scan", "prod/71#3 state.pending", "prod/72#1 state.running")
	if next, _, err := f.oldest(of(71)); next.Expect != 0 || err != nil {
		t.Errorf("expects %d (%v)", next.Expect, err)
	}
	f.sent(t, of(71), 1)
	f.sent(t, of(71), 2)
	f.sees(t, of(72), "Pending", "")
	f.holds(t, "prod/71#3 state.pending", "prod/72#1 state.running", "prod/72#2 state.pending")
}

func TestAStoreOfTheFirstFormat(t *testing.T) {
	f := retaining(t)
	must(t, f.write(func(tx *bbolt.Tx) error {
		must(t, tx.DeleteBucket(sentBucket))
		return tx.Bucket(metaBucket).Put(formatKey, []byte{0, 0, 0, 0, 0, 0, 0, 1})
	}))
	f.reopen(t)
	f.KeepSent = time.Hour
	f.sent(t, of(72), 6)
	f.retainsEvents(t, "prod/72#1 @6")
}
