package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/console"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// sortKey is what a job is ordered by: the text, then the number.
type sortKey struct {
	text   string
	number float64
}

// sorts have the key of a job for each --sort. Numbers go from the largest to the smallest: the newest, the longest and
// the worst first.
var sorts = map[string]func(*store.Listed) sortKey{
	"job":     func(l *store.Listed) sortKey { return sortKey{l.Snapshot.CommCell, float64(l.Snapshot.Number)} },
	"client":  func(l *store.Listed) sortKey { return sortKey{text: strings.ToLower(string(l.Snapshot.Client))} },
	"state":   func(l *store.Listed) sortKey { return sortKey{text: strings.ToLower(string(l.Snapshot.State))} },
	"started": func(l *store.Listed) sortKey { return sortKey{number: unix(l.Snapshot.StartTime)} },
	"ended":   func(l *store.Listed) sortKey { return sortKey{number: unix(console.EndOf(l))} },
	"took":    func(l *store.Listed) sortKey { return sortKey{number: float64(console.TookOf(l, time.Now()))} },
	"done":    func(l *store.Listed) sortKey { return sortKey{number: or(console.DoneOf(l), -1)} },
	"failed": func(l *store.Listed) sortKey {
		s := &l.Snapshot
		number := or(s.FailedFiles, 0) + or(s.FailedFolders, 0)
		if s.VMs != nil {
			number += 1e12 * float64(s.VMs.Failed) // machines before files
		}
		return sortKey{number: number}
	},
}

func sortKeys() []string { return slices.Sorted(maps.Keys(sorts)) }

func unix(t *time.Time) float64 {
	if t == nil {
		return 0
	}
	return float64(t.Unix())
}

func or[T int64 | float64](value *T, otherwise float64) float64 {
	if value == nil {
		return otherwise
	}
	return float64(*value)
}

// sorted gives the jobs that a query takes in its order; equal ones stay in theirs.
func sorted(ctx context.Context, a selector, ids []job.ID, q jobQuery) ([]job.ID, error) {
	type entry struct {
		id  job.ID
		key sortKey
	}
	name, reverse := strings.CutPrefix(q.sort, "-")
	var all []entry
	err := eachOf(ctx, a, ids, func(l store.Listed) error {
		if q.takes(&l) {
			all = append(all, entry{l.ID(), sorts[name](&l)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(a, b entry) int {
		order := cmp.Or(strings.Compare(a.key.text, b.key.text), cmp.Compare(b.key.number, a.key.number))
		if reverse {
			return -order
		}
		return order
	})
	ids = ids[:0]
	for _, e := range all {
		ids = append(ids, e.id)
	}
	return ids, nil
}
