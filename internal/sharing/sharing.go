// Package sharing is what a member of a cluster works with: what it decides is done here to the pollers, the publisher and
// the store of a watcher.
package sharing

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
)

// Work is a watcher, as a member of the cluster decides for it.
type Work struct {
	Store     *store.Store
	Publisher *publish.Publisher
	Pollers   Pollers
	Log       *slog.Logger
}

// Pollers are those of a watcher, one for each CommCell of its configuration.
type Pollers interface {
	// Cells are the CommCells of the configuration in force.
	Cells() []config.CommCell

	// Poll has a CommCell polled from now on, or no more. What ran before may not have ended yet: wait does so.
	Poll(commCell string, here bool) (wait func(), err error)

	// Poller is that of a CommCell that is polled; else nil.
	Poller(commCell string) *poller.Poller
}

// Settings leaves out how one logs in, and the files of one machine.
func (w Work) Settings() map[string]string {
	digests := map[string]string{}
	for _, cell := range w.Pollers.Cells() {
		cell.Auth, cell.TLS, cell.JobLines = config.Auth{}, config.TLS{}, nil
		text, err := json.Marshal(cell)
		if err != nil {
			text = []byte(err.Error())
		}
		sum := sha256.Sum256(text)
		digests[cell.Name] = hex.EncodeToString(sum[:4])
	}
	return digests
}

func (w Work) CaughtUp() bool {
	select {
	case <-w.Publisher.CaughtUp():
		return true
	default:
		return false
	}
}

// Prepare: a Job list that this watcher has read itself meanwhile counts, too.
func (w Work) Prepare(ctx context.Context, commCell string, f cluster.Facts) error {
	if f.GUID != "" {
		if err := w.Store.SetGUID(commCell, f.GUID); err != nil {
			return err
		}
	}
	if f.Listed != nil {
		own, err := w.Store.LastList(commCell)
		if err != nil {
			return err
		}
		if at := time.Now().Add(-*f.Listed); at.After(own) {
			if err := w.Store.SetLastList(commCell, at); err != nil {
				return err
			}
		}
	}
	for k, h := range f.Hands {
		if err := w.mark(k, h); err != nil {
			return err
		}
	}
	return w.ReadOn(ctx)
}

// ReadOn has the stream read on to its end.
func (w Work) ReadOn(ctx context.Context) error { return w.Publisher.ReadNow(ctx) }

func (w Work) Poll(commCell string) error {
	_, err := w.Pollers.Poll(commCell, true) // what ran before has ended before it begins
	return err
}

func (w Work) Rest(commCell string) {
	before, err := w.Pollers.Poll(commCell, false)
	if err != nil {
		w.Log.Error("a CommCell is polled beside its owner", "commcell", commCell, "err", err)
		return
	}
	before()
}

const drainEvery = 20 * time.Millisecond

func (w Work) Drain(ctx context.Context, commCell string) {
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		waits, err := w.Store.WaitsOf(commCell)
		if err != nil || !waits {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w Work) Standing(commCell string) cluster.Standing {
	var s cluster.Standing
	s.GUID, _ = w.Store.GUID(commCell) // else the next owner learns it
	if at, err := w.Store.LastList(commCell); err == nil && !at.IsZero() {
		s.Listed = new(max(0, time.Since(at)))
	}
	if p := w.Pollers.Poller(commCell); p != nil {
		t := p.Counts.Totals()
		for _, count := range t.Classes {
			s.Tracked += count
		}
		s.Answers = t.Up
	}
	return s
}

func (w Work) Mark(k cluster.JobKey, h cluster.Hand) error {
	if err := w.mark(k, h); err != nil {
		return err
	}
	if p := w.Pollers.Poller(k.CommCell); p != nil && h == cluster.Tracked {
		if id, err := idOf(k); err == nil {
			p.PollNow(id)
		}
	}
	return nil
}

// mark passes over a key that names no job: somebody else has written it.
func (w Work) mark(k cluster.JobKey, h cluster.Hand) error {
	id, err := idOf(k)
	if err != nil {
		return nil
	}
	return w.Store.Mark(id, whyOf(h))
}

func idOf(k cluster.JobKey) (job.ID, error) {
	number, err := strconv.ParseInt(k.Number, 10, 64)
	if err == nil && number <= 0 {
		err = errors.New("no job's number")
	}
	return job.ID{CommCell: k.CommCell, Number: number}, err
}

func whyOf(h cluster.Hand) store.Why {
	if h == cluster.Untracked {
		return store.Untracked
	}
	return store.ByHand
}

func (w Work) Marks(commCell string) (map[cluster.JobKey]cluster.Hand, error) {
	known, err := w.Store.Marks(commCell)
	marks := map[cluster.JobKey]cluster.Hand{}
	for number, why := range known {
		h := cluster.Tracked
		if why == store.Untracked {
			h = cluster.Untracked
		}
		marks[cluster.JobKey{CommCell: commCell, Number: strconv.FormatInt(number, 10)}] = h
	}
	return marks, err
}

func (w Work) Own(commCells []string) error { return w.Store.SetOwned(commCells) }

func (w Work) Owned() ([]string, error) { return w.Store.Owned() }
