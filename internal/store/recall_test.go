package store

import (
	"testing"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// TestRecallGoesByTheFile changes a record behind the memory's back.
func TestRecallGoesByTheFile(t *testing.T) {
	f := newStore(t)
	for _, state := range []job.Text{"Running", "Pending"} {
		must(t, f.write(func(tx *bbolt.Tx) error {
			return writeRecord(tx, of(71), record{Revision: 1, Told: job.Told{State: state}}, nil)
		}))
		for range 2 {
			if known, err := f.Recall(of(71)); err != nil || known.Told.State != state {
				t.Errorf("%q was told (%v), want %q", known.Told.State, err, state)
			}
		}
	}
}

func TestMemoryHasAnEnd(t *testing.T) {
	var m recallCache
	for number := int64(1); number <= 3*cacheSize; number++ {
		m.put(of(number), []byte("{}"), Known{})
	}
	if len(m.byJob) > cacheSize {
		t.Errorf("%d jobs are remembered, want at most %d", len(m.byJob), cacheSize)
	}
}
