package daemon

import (
	"context"
	"os"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/sharing"
)

// makeMember prepares this watcher's part in the cluster, if it is configured.
func (p *parts) makeMember(context.Context) error {
	if !p.Config.Cluster.Enabled {
		return nil
	}
	id, err := p.store.ID()
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	p.member = cluster.New(cluster.Config{
		Instance: Instance(p.Config.Cluster), Store: id, Epoch: p.store.Epoch(), Version: p.Version, Host: host,
		Bucket: p.broker.Bucket(cluster.BucketName(p.Config.NATS.Stream)), Log: p.Log,
		Work: sharing.Work{Store: p.store, Publisher: p.publisher, Pollers: p.pollers, Log: p.Log},
	})
	return nil
}

// Instance is a watcher's name among others.
func Instance(c config.Cluster) string {
	if c.Instance != "" {
		return c.Instance
	}
	host, err := os.Hostname()
	if err != nil {
		return "watcher"
	}
	return host
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
