package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// makeMember prepares this watcher's part in the cluster, if it is configured.
func (p *parts) makeMember(context.Context) error {
	if !p.Config.Cluster.Enabled {
		return nil
	}
	instance, err := p.Config.Instance()
	if err != nil {
		return err
	}
	id, err := p.store.ID()
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	p.member = cluster.New(cluster.Config{
		Instance: instance, Store: id, Epoch: p.store.Epoch(), Version: p.Version, Host: host,
		Bucket: p.broker.Bucket(cluster.BucketName(p.Config.NATS.Stream)), Work: work{p}, Log: p.Log,
	})
	return nil
}

// runMember takes part in the cluster until ctx ends, and then closes ended: publisher and broker are needed until all is
// handed over.
func (p *parts) runMember(ctx context.Context, ended chan<- struct{}) error {
	defer close(ended)
	if p.member == nil {
		<-ctx.Done()
		return nil
	}
	return p.member.Run(ctx)
}

// sibling says whether events of an epoch are of another member.
func (p *parts) sibling(epoch string) bool { return p.member != nil && p.member.Sibling(epoch) }

// work is what a member of the cluster decides for.
type work struct{ *parts }

// Settings leaves out how one logs in, and the files of one machine.
func (w work) Settings() map[string]string {
	digests := map[string]string{}
	for _, cell := range w.pollers.Cells() {
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

func (w work) CaughtUp() bool {
	select {
	case <-w.publisher.CaughtUp():
		return true
	default:
		return false
	}
}

// Prepare: a Job list that this watcher has read itself meanwhile counts, too.
func (w work) Prepare(ctx context.Context, commCell string, f cluster.Facts) error {
	if f.GUID != "" {
		if err := w.store.SetGUID(commCell, f.GUID); err != nil {
			return err
		}
	}
	if f.Listed != nil {
		own, err := w.store.LastList(commCell)
		if err != nil {
			return err
		}
		if at := time.Now().Add(-*f.Listed); at.After(own) {
			if err := w.store.SetLastList(commCell, at); err != nil {
				return err
			}
		}
	}
	for k, h := range f.Hands {
		if err := w.mark(k, h); err != nil {
			return err
		}
	}
	return w.publisher.ReadNow(ctx)
}

func (w work) Poll(commCell string) error {
	_, err := w.pollers.poll(commCell, true) // what ran before has ended before it begins
	return err
}

func (w work) Rest(commCell string) {
	before, err := w.pollers.poll(commCell, false)
	if err != nil {
		w.Log.Error("a CommCell is polled beside its owner", "commcell", commCell, "err", err)
		return
	}
	before()
}

const drainEvery = 20 * time.Millisecond

func (w work) Drain(ctx context.Context, commCell string) {
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	for {
		waits, err := w.store.WaitsOf(commCell)
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

func (w work) Standing(commCell string) cluster.Standing {
	var s cluster.Standing
	s.GUID, _ = w.store.GUID(commCell) // else the next owner learns it
	if at, err := w.store.LastList(commCell); err == nil && !at.IsZero() {
		s.Listed = new(max(0, time.Since(at)))
	}
	if p := w.pollers.poller(commCell); p != nil {
		t := p.Counts.Totals()
		for _, count := range t.Classes {
			s.Tracked += count
		}
		s.Answers = t.Up
	}
	return s
}

func (w work) Mark(k cluster.JobKey, h cluster.Hand) error {
	if err := w.mark(k, h); err != nil {
		return err
	}
	if p := w.pollers.poller(k.CommCell); p != nil && h == cluster.Tracked {
		if id, err := idOf(k); err == nil {
			p.PollNow(id)
		}
	}
	return nil
}

// mark passes over a key that names no job: somebody else has written it.
func (w work) mark(k cluster.JobKey, h cluster.Hand) error {
	id, err := idOf(k)
	if err != nil {
		return nil
	}
	return w.store.Mark(id, whyOf(h))
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

func (w work) Marks(commCell string) (map[cluster.JobKey]cluster.Hand, error) {
	known, err := w.store.Marks(commCell)
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

func (w work) Own(commCells []string) error { return w.store.SetOwned(commCells) }

func (w work) Owned() ([]string, error) { return w.store.Owned() }
