package storetest_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
)

var id = job.ID{CommCell: "prod", Number: 71}

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { storetest.Hook(s, nil); s.Close() })
	return s
}

// sees commits that the job runs.
func sees(s *store.Store) error {
	seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: "Running"}, Asked: time.Now(), Answered: time.Now()}
	return s.Commit(store.PollResult{Seen: seen, Changes: []job.Change{{Kind: job.KindState, Detail: "running", To: "Running"}}})
}

func TestHookIsOfOneStore(t *testing.T) {
	broken, whole := open(t), open(t)
	var passed []failpoint.Point
	full := errors.New("no space left on device")
	storetest.Hook(broken, func(p failpoint.Point) error {
		passed = append(passed, p)
		if p == failpoint.BeforeCommit {
			return full
		}
		return nil
	})
	if err := sees(broken); !errors.Is(err, full) {
		t.Errorf("Commit says %v, want %v", err, full)
	}
	if want := []failpoint.Point{failpoint.BeforeTransaction, failpoint.BeforeCommit}; !slices.Equal(passed, want) {
		t.Errorf("passed %q, want %q", passed, want)
	}
	if err := sees(whole); err != nil {
		t.Errorf("the other store: %v", err)
	}
	storetest.Hook(broken, nil)
	if err := sees(broken); err != nil {
		t.Errorf("without its hook: %v", err)
	}
}

func TestContentComesBack(t *testing.T) {
	s := open(t)
	empty, err := storetest.Copy(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := sees(s); err != nil {
		t.Fatal(err)
	}
	full, err := storetest.Copy(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		content  storetest.Content
		revision uint64
	}{{empty, 0}, {full, 1}, {storetest.Content{}, 0}, {full, 1}} {
		next, err := storetest.Restore(s, row.content, event.NewMinter(nil))
		if err != nil {
			t.Fatal(err)
		}
		_, found, err := storetest.Oldest(next, id)
		if got := storetest.Revision(next, id); got != row.revision || found != (row.revision > 0) || err != nil {
			t.Errorf("revision %d, an unsent event %v (%v); want revision %d", got, found, err, row.revision)
		}
		s = next
	}
}
