package store

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/testing/eventtest"
)

var (
	at   = time.Date(2026, 11, 23, 14, 0, 0, 123_000_000, time.UTC)
	prod = job.ID{CommCell: "prod"}
)

func of(number int64) job.ID { return job.ID{CommCell: "prod", Number: number} }

// fixture is a store on a file, and the file.
type fixture struct {
	*Store
	path  string
	hooks map[failpoint.Point]func() error
}

func newStore(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{path: filepath.Join(t.TempDir(), "watcher.db")}
	f.open(t)
	t.Cleanup(func() { f.Close() })
	return f
}

func (f *fixture) open(t testing.TB) {
	t.Helper()
	s, err := Open(f.path, event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	f.Store = s
}

// reopen is a crash and the start after it.
func (f *fixture) reopen(t testing.TB) {
	t.Helper()
	must(t, f.Close())
	f.open(t)
}

var errFault = errors.New("the disk is gone")

// failAt has the next transaction break at a point.
func (f *fixture) failAt(point failpoint.Point) {
	f.at(point, func() error {
		f.at(point, nil)
		return errFault
	})
}

// at has do called at a point of each transaction of the store; nil: no more.
func (f *fixture) at(point failpoint.Point, do func() error) {
	if f.hooks == nil {
		f.hooks = map[failpoint.Point]func() error{}
	}
	f.hooks[point] = do
	s := f.Store
	hook := func(p failpoint.Point, of any) error {
		if do := f.hooks[p]; of == s && do != nil {
			return do()
		}
		return nil
	}
	failpoint.Hook.Store(&hook)
}

// unsent is the oldest event of a job that waits, and what its publish expects.
type unsent struct {
	Event  event.Event
	Expect uint64
}

func (f *fixture) oldest(id job.ID) (unsent, bool, error) {
	due, err := f.Due(id)
	if err != nil || len(due.Rows) == 0 {
		return unsent{}, false, err
	}
	e, err := event.Parse(due.Rows[0].Event)
	if err != nil {
		return unsent{}, false, f.Corrupt(id, err)
	}
	return unsent{e, due.Expect}, true, nil
}

// holds fails the test where the file, or the count of unsent events, says something else.
func (f *fixture) holds(t testing.TB, want ...string) {
	t.Helper()
	got := f.unsentEvents(t)
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("unsent are %q, want %q", got, want)
	}
	if f.Unsent() != int64(len(want)) {
		t.Errorf("%d are counted as unsent, want %d", f.Unsent(), len(want))
	}
}

// unsentEvents reads the outbox in the form "prod/1248#3 state.completed".
func (f *fixture) unsentEvents(t testing.TB) []string {
	t.Helper()
	var events []string
	must(t, f.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(outboxBucket).ForEach(func(key, row []byte) error {
			e, err := event.Parse(row)
			if err != nil {
				return err
			}
			eventtest.Valid(t, "", nil, row)
			id := parseKey(key, 8)
			if about, err := e.JobID(); err != nil || about != id || e.Number() != keySequence(key) {
				return fmt.Errorf("under %s#%d lies an event of %s#%d (%w)", id, keySequence(key), about, e.Number(), err)
			}
			events = append(events, fmt.Sprintf("%s#%d %s", id, e.Number(), words(e)))
			return nil
		})
	}))
	return events
}

func words(e event.Event) string {
	if e.IsCommCell() {
		data, _ := e.CommCell()
		return data.Detail
	}
	data, _ := e.Job()
	return data.Change.Kind + "." + data.Change.Detail
}

// content is every key and value of the file.
func (f *fixture) content(t testing.TB) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, f.db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(key, value []byte) error {
				all[fmt.Sprintf("%s %q", name, key)] = string(value)
				return nil
			})
		})
	}))
	return all
}

func same(a, b map[string]string) bool { return maps.Equal(a, b) }

// observed is an answer about a job that shows a state and a phase.
func observed(id job.ID, state, phase job.Text) job.Observation {
	s := job.Snapshot{CommCell: id.CommCell, Number: id.Number, Client: "skma_2", State: state, Phase: phase}
	s.Settle()
	return job.Observation{Snapshot: s, Asked: at, Answered: at.Add(time.Second)}
}

// poll is the result of a poll that has not been committed.
func (f *fixture) poll(t testing.TB, o job.Observation) PollResult {
	t.Helper()
	known, err := f.Recall(o.ID())
	must(t, err)
	return PollResult{Known: known, Seen: o, Changes: diff.Since(known.Told, &o.Snapshot), NotBefore: known.Asked}
}

// sees commits the result of a poll.
func (f *fixture) sees(t testing.TB, id job.ID, state, phase job.Text) {
	t.Helper()
	must(t, f.Commit(f.poll(t, observed(id, state, phase))))
}

// sent acknowledges the oldest event of a job.
func (f *fixture) sent(t testing.TB, id job.ID, stream uint64) event.Event {
	t.Helper()
	oldest, found, err := f.oldest(id)
	must(t, err)
	if !found {
		t.Fatalf("%s has nothing to send", id)
	}
	must(t, f.Acknowledge(id, oldest.Event, stream))
	return oldest.Event
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) tracks(t testing.TB, want ...Tracked) {
	t.Helper()
	got, err := f.Tracked("prod")
	must(t, err)
	if !slices.Equal(got, want) {
		t.Errorf("tracked are %v, want %v", got, want)
	}
	for _, one := range want {
		if why, err := f.WhyTracked(of(one.Number)); err != nil || why != one.Why {
			t.Errorf("%d is tracked as %q, want %q (%v)", one.Number, why, one.Why, err)
		}
	}
}
