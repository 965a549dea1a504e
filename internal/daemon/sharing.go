package daemon

import (
	"context"
	"os"
	"strconv"

	"jobwatch/internal/cluster"
	"jobwatch/internal/job"
	"jobwatch/internal/sharing"
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
		Bucket: p.broker.Bucket(cluster.BucketName(p.Config.NATS.Stream)), Log: p.Log,
		Work: sharing.Work{Store: p.store, Publisher: p.publisher, Pollers: p.pollers, Log: p.Log},
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

// tellOwner tells whoever polls a job's CommCell what somebody has said of the job here.
func (p *parts) tellOwner(ctx context.Context, id job.ID, why store.Why) (elsewhere bool, err error) {
	if p.member == nil {
		return false, nil
	}
	h := cluster.Tracked
	if why == store.Untracked {
		h = cluster.Untracked
	}
	err = cluster.Say(ctx, p.member.Bucket, cluster.JobKey{CommCell: id.CommCell, Number: strconv.FormatInt(id.Number, 10)}, h)
	if p.pollers.Follows(id.CommCell) { // who polls it writes it later, too
		return false, nil
	}
	return true, err
}
