package daemon

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// InCluster refuses a configuration of one watcher alone.
func InCluster(cfg *config.Config) error {
	if cfg.Cluster.Enabled {
		return nil
	}
	return cfg.Mistake("cluster.enabled", "false: this watcher shares with nobody; make it true on each machine that shall share")
}

// AtCluster runs do with the bucket in which the watchers of a configuration meet, and makes none.
func AtCluster(ctx context.Context, cfg *config.Config, name string, do func(context.Context, stream.Bucket) error) error {
	return AtStream(ctx, cfg, "cluster "+name, func(ctx context.Context, b *stream.Broker) error {
		return do(ctx, b.Bucket(cluster.BucketName(cfg.NATS.Stream)))
	})
}

// aBeat is longer than a member that lives is silent.
const aBeat = 6 * time.Second

// ReadCluster reads who is there, and waits for a sign of life: where nobody gives one any more, who was heard last is dead,
// too. It takes a second where somebody lives.
func ReadCluster(ctx context.Context, bucket stream.Bucket) (cluster.Status, error) {
	first, err := cluster.Read(ctx, bucket)
	if err != nil || len(first.Members) == 0 {
		return first, err
	}
	deadline := time.Now().Add(aBeat)
	for {
		next, err := cluster.Read(ctx, bucket)
		if err != nil || LastSign(next).After(LastSign(first)) {
			return next, err
		}
		if time.Now().After(deadline) {
			return allDead(next), nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return next, ctx.Err()
		}
	}
}

// LastSign is when any member was heard, by NATS's clock.
func LastSign(s cluster.Status) (last time.Time) {
	for _, m := range s.Members {
		if m.LastSeen.After(last) {
			last = m.LastSeen
		}
	}
	return last
}

func allDead(s cluster.Status) cluster.Status {
	for i := range s.Members {
		s.Members[i].Alive = false
	}
	for i := range s.CommCells {
		s.CommCells[i].Owner, s.CommCells[i].Since = nil, nil
	}
	return s
}

// Shown are the CommCells of a configuration, and those that somebody polls beside them. What nobody polls and no
// configuration has is of the past.
func Shown(s cluster.Status, cells []config.CommCell) cluster.Status {
	of := map[string]cluster.CommCellStatus{}
	for _, cell := range cells {
		of[cell.Name] = cluster.CommCellStatus{Name: cell.Name}
	}
	for _, c := range s.CommCells {
		if _, known := of[c.Name]; known || c.Owner != nil {
			of[c.Name] = c
		}
	}
	s.CommCells = []cluster.CommCellStatus{}
	for _, c := range of {
		s.CommCells = append(s.CommCells, c)
	}
	slices.SortFunc(s.CommCells, func(a, b cluster.CommCellStatus) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// TellOwner tells whoever polls a job's CommCell what somebody says of the job on a machine whose watcher does not run.
func TellOwner(cfg *config.Config) func(context.Context, job.ID, store.Why) (elsewhere bool, err error) {
	return func(ctx context.Context, id job.ID, why store.Why) (bool, error) {
		return true, AtCluster(ctx, cfg, "jobs", func(ctx context.Context, b stream.Bucket) error {
			return cluster.Say(ctx, b, jobKey(id), handOf(why))
		})
	}
}

func jobKey(id job.ID) cluster.JobKey {
	return cluster.JobKey{CommCell: id.CommCell, Number: strconv.FormatInt(id.Number, 10)}
}

func handOf(why store.Why) cluster.Hand {
	if why == store.Untracked {
		return cluster.Untracked
	}
	return cluster.Tracked
}
