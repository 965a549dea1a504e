package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// counts are of all jobs that are known, whatever a query selects.
type counts struct {
	All     int            `json:"all"`
	Classes map[string]int `json:"classes"` // each of them, by the state last seen
}

// outline holds what all jobs are counted and ordered by, as of a moment.
type outline struct {
	mu      sync.Mutex
	made    time.Time // zero: not yet; guarded by mu, as the rest is
	version int       // of the store then
	counts  counts
	jobs    []store.Brief // in the order of activeFirst
}

// outlineWait is how much older than the store an outline may be, for each of its jobs: 5 s of 100,000, for which
// making it takes some 0.2 s.
const outlineWait = 50 * time.Microsecond

// read gives the outline of what the store holds.
func (o *outline) read(s *store.Store) (counts, []store.Brief, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.made) < time.Duration(len(o.jobs))*outlineWait {
		return o.counts, o.jobs, nil
	}
	version := s.Version()
	if version == o.version && !o.made.IsZero() {
		return o.counts, o.jobs, nil
	}
	jobs, err := s.Outline()
	if err != nil {
		return counts{}, nil, err
	}
	slices.SortFunc(jobs, activeFirst)
	o.jobs, o.counts, o.version, o.made = jobs, count(jobs), version, time.Now()
	return o.counts, o.jobs, nil
}

func count(jobs []store.Brief) counts {
	c := counts{len(jobs), map[string]int{}}
	for _, class := range classes {
		c.Classes[class] = 0
	}
	for _, b := range jobs {
		c.Classes[string(b.Class)]++
	}
	return c
}

// activeFirst is the order in which a person wants them: what runs, what waits, then what ended badly and what ended
// well, the latest first.
func activeFirst(a, b store.Brief) int {
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(b.End, a.End),
		cmp.Compare(b.ID.Number, a.ID.Number),
		strings.Compare(a.ID.CommCell, b.ID.CommCell))
}

// rank is the page's own, too (page/state.js).
func rank(b store.Brief) int {
	bad := b.Class == job.Failed || b.Class == job.Killed || b.Class == job.Partial
	switch {
	case b.Terminal && bad:
		return 4
	case b.Terminal:
		return 5
	}
	switch b.Class {
	case job.Active:
		return 0
	case job.Held:
		return 1
	case job.Queued:
		return 2
	default:
		return 3
	}
}

// pageActiveFirst goes by the outline, and reads of the store what it may have to show alone.
func (s *Server) pageActiveFirst(ctx context.Context, want selection) (jobsPage, error) {
	page := jobsPage{Jobs: []shownJob{}}
	_, all, err := s.outline.read(s.Store)
	if err != nil {
		return page, err
	}
	read := 0
	for place := want.begin(all); place < len(all) && ctx.Err() == nil; {
		if len(page.Jobs) == want.limit || read >= scanLimit {
			page.Next = new(cursor(all[place-1]))
			break
		}
		var ids []job.ID
		for ; place < len(all) && len(ids) < want.limit-len(page.Jobs); place++ {
			if want.mayHave(all[place]) {
				ids = append(ids, all[place].ID)
			}
		}
		listed, err := s.Store.ShowAll(ids)
		if err != nil {
			return page, err
		}
		read += len(ids)
		for _, l := range listed {
			if want.has(l) {
				page.Jobs = append(page.Jobs, s.show(l))
			}
		}
	}
	return page, ctx.Err()
}

// begin is the place of the first job behind the cursor.
func (s selection) begin(all []store.Brief) int {
	if s.behind == nil {
		return 0
	}
	place, found := slices.BinarySearchFunc(all, *s.behind, activeFirst)
	if found {
		place++
	}
	return place
}

// mayHave is has, as far as a brief tells.
func (s selection) mayHave(b store.Brief) bool {
	return (s.commCell == "" || b.ID.CommCell == s.commCell) &&
		(len(s.classes) == 0 || slices.Contains(s.classes, string(b.Class))) &&
		(!b.Terminal || s.endedAfter.IsZero() || b.End >= s.endedAfter.UnixNano())
}

// cursor is a place in the order, as the text of ?after=.
func cursor(b store.Brief) string {
	end := "-"
	if b.Terminal {
		end = strconv.FormatInt(b.End, 10)
	}
	return fmt.Sprintf("%s.%s.%s", b.Class, end, b.ID)
}

func parseCursor(text string) (*store.Brief, error) {
	class, rest, _ := strings.Cut(text, ".")
	end, name, _ := strings.Cut(rest, ".")
	id, err := job.ParseID(name)
	b := store.Brief{ID: id, Class: job.Class(class), Terminal: end != "-"}
	if err == nil && b.Terminal {
		b.End, err = strconv.ParseInt(end, 10, 64)
	}
	if err != nil || !slices.Contains(classes, class) {
		return nil, fmt.Errorf("after=%.80q: wants the next of an answer in the same order", text)
	}
	return &b, nil
}
