package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/store"
)

const (
	pageLimit = 1000   // jobs of one answer
	scanLimit = 20_000 // jobs that one request reads; what it did not reach is next
)

// shownJob is a job as the API shows it: the snapshot as events carry it, and what else is held.
// The snapshot is as old as the last change; how far the job is by now stands in progress.
type shownJob struct {
	job.Snapshot
	Seen     *time.Time `json:"snapshotAt"` // when the snapshot was asked for
	Progress *progress  `json:"progress"`   // of the last answer; null: none yet in this process
	Tracked  *string    `json:"tracked"`    // why it is polled; null: not any more
	Followed *string    `json:"followedBy"` // the member that polls its CommCell; null: this watcher does, or nobody
	Sequence uint64     `json:"sequence"`   // of its last event; 0: none
	Unsent   int        `json:"unsent"`     // events that wait for the broker

	StateSince   *time.Time `json:"stateSince"`   // the event that told the state was observed then; null: not known
	StalledSince *time.Time `json:"stalledSince"` // so, too; null also where the job is not told as stalled

	NoProgressSince *time.Time `json:"noProgressSince"` // of a job told as stalled; null: not known
}

type progress struct {
	Percent *float64  `json:"percentComplete"`
	Asked   time.Time `json:"askedAt"`
}

// wholeJob is one job with all that is known of it.
type wholeJob struct {
	shownJob
	Machines []job.VM `json:"machines"`
	Told     job.Told `json:"told"`     // by its events
	Pending  bool     `json:"lookOwed"` // a refresh
}

type jobsPage struct {
	Jobs   []shownJob `json:"jobs"`
	Next   *string    `json:"next"` // the value of after for the next page; null: this is the last
	Counts counts     `json:"counts"`
}

// jobs lists jobs by CommCell and number, ?limit= at a time from behind ?after=prod/1248 on, those
// of a ?commcell=, of a ?class= (any number of times), of a ?client=; with ?ended_within=24h of the
// finished ones only those that ended in that time; with ?order=active_first as activeFirst says.
func (s *Server) jobs(w http.ResponseWriter, r *http.Request) {
	want, err := parseSelection(r.URL.Query())
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	list := s.page
	if want.activeFirst {
		list = s.pageActiveFirst
	}
	page, err := list(r.Context(), want)
	if err == nil {
		page.Counts, _, err = s.outline.read(s.Store)
	}
	if err != nil {
		s.broken(w, err)
		return
	}
	s.storeFault.isNews("")
	answer(w, http.StatusOK, page)
}

func (s *Server) page(ctx context.Context, want selection) (jobsPage, error) {
	page := jobsPage{Jobs: []shownJob{}}
	read, last := 0, want.after
	err := s.walk(ctx, want.after, func(l store.Listed) bool {
		if want.beyond(l) {
			return false
		}
		if len(page.Jobs) == want.limit || read == scanLimit {
			page.Next = new(last.String())
			return false
		}
		read, last = read+1, l.ID()
		if want.has(l) {
			page.Jobs = append(page.Jobs, s.show(l))
		}
		return true
	})
	return page, err
}

// walk yields the jobs behind one, until yield has enough. No reading transaction stays open meanwhile.
func (s *Server) walk(ctx context.Context, after job.ID, yield func(store.Listed) bool) error {
	for ctx.Err() == nil {
		listed, err := s.Store.List(after, pageLimit)
		if err != nil {
			return err
		}
		for _, l := range listed {
			if !yield(l) {
				return nil
			}
			after = l.ID()
		}
		if len(listed) < pageLimit {
			return nil
		}
	}
	return ctx.Err()
}

// job shows one job, its machines and what was told of it included.
func (s *Server) job(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("commcell") + "/" + r.PathValue("id")
	id, err := job.ParseID(name)
	if err != nil {
		refuse(w, http.StatusNotFound, err.Error())
		return
	}
	l, found, err := s.Store.Show(id)
	switch {
	case err != nil:
		s.broken(w, err)
	case !found:
		refuse(w, http.StatusNotFound, notKnown(id))
	default:
		machines := l.Snapshot.Machines
		if machines == nil {
			machines = []job.VM{}
		}
		answer(w, http.StatusOK, wholeJob{s.show(l), machines, l.Told, l.RefreshPending})
	}
}

func notKnown(id job.ID) string {
	return id.String() + " is not known here: never tracked, or forgotten since it ended"
}

func (s *Server) show(l store.Listed) shownJob {
	shown := shownJob{
		Snapshot: l.Snapshot, Seen: known(l.Seen), Sequence: l.Sequence, Unsent: l.Unsent,
		StateSince: l.Told.InStateSince(), StalledSince: l.Told.GetsNoFurtherSince(), NoProgressSince: l.NoProgressSince(),
	}
	if l.Why != "" {
		shown.Tracked = new(string(l.Why))
	}
	of, _ := s.view()
	shown.Followed = s.followedBy(of, l.Snapshot.CommCell)
	if p := s.pollerOf(l.Snapshot.CommCell); p != nil && !l.Snapshot.Terminal {
		if now, known := p.Progress(l.Snapshot.Number); known {
			shown.Progress = &progress{now.Percent, now.Asked}
		}
	}
	return shown
}

func (s *Server) pollerOf(commCell string) *poller.Poller {
	pollers := s.Pollers()
	i := slices.IndexFunc(pollers, func(p *poller.Poller) bool { return p.CommCell == commCell })
	if i < 0 {
		return nil
	}
	return pollers[i]
}

// broken answers for the store, whose errors are for the log: once each, however often a page asks.
func (s *Server) broken(w http.ResponseWriter, err error) {
	if !errors.Is(err, context.Canceled) && s.storeFault.isNews(err.Error()) { // else the reader has gone
		s.Log.Error("the store cannot be read", "err", err)
	}
	refuse(w, http.StatusInternalServerError, "the store cannot be read; the log says why")
}

// selection says which jobs are asked for.
type selection struct {
	commCell, client string
	classes          []string
	endedAfter       time.Time // zero: whenever
	after            job.ID
	limit            int

	activeFirst bool
	behind      *store.Brief // in that order, in place of after; nil: from the first
}

// beyond says that no job from this one on is of the CommCell asked for: they come in the order of their names.
func (s selection) beyond(l store.Listed) bool {
	return s.commCell != "" && l.Snapshot.CommCell != s.commCell
}

func (s selection) has(l store.Listed) bool {
	snapshot := &l.Snapshot
	class := cmp.Or(string(snapshot.StateClass), string(job.Unknown)) // never seen, or seen without a state
	if len(s.classes) > 0 && !slices.Contains(s.classes, class) {
		return false
	}
	if s.client != "" && !strings.EqualFold(string(snapshot.Client), s.client) {
		return false
	}
	return !snapshot.Terminal || !endOf(l).Before(s.endedAfter)
}

// endOf is when a finished job ended, or was seen to have.
func endOf(l store.Listed) time.Time {
	if l.Snapshot.EndTime != nil {
		return *l.Snapshot.EndTime
	}
	return l.Seen
}
