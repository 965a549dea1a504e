package daemon

import (
	"context"
	"log/slog"
	"os"
	"time"

	"jobwatch/internal/audit"
	"jobwatch/internal/config"
	"jobwatch/internal/metrics"
	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
)

// relaying is what all relays of a process share.
type relaying struct {
	nats    config.NATS
	broker  *stream.Broker
	metrics *metrics.Metrics
	version string
	log     *slog.Logger
}

func (r relaying) newRelay(c config.Relay) *relayRunner {
	meter := r.metrics.Relay(c.Name)
	return &relayRunner{
		Relay: c, log: r.log,
		open: func(c config.Relay) (relay.Destination, error) {
			to, err := OpenDestination(c, r.version, relay.NewMemory(r.broker, r.nats.Stream, c.Name, r.rememberFor()), r.publishCheckpoint, r.log)
			if log, is := to.(*audit.Log); is && err == nil {
				err = log.Open(context.Background()) // what is wrong with it shows before the first event comes
			}
			return to, err
		},
		begin: func(c config.Relay, to relay.Destination) relayLoop {
			settings := RelayConfig(c, r.nats)
			settings.Destination, settings.Broker, settings.Meter, settings.Log = to, r.broker, meter, r.log
			return relay.New(settings)
		},
	}
}

func (r relaying) publishCheckpoint(ctx context.Context, name string, checkpoint []byte) error {
	return relay.PublishCheckpoint(ctx, r.broker, r.nats.Stream, r.nats.SubjectPrefix, name, checkpoint)
}

// rememberFor is how long a destination remembers a job: longer than the stream does. 0: for ever.
func (r relaying) rememberFor() time.Duration {
	if r.nats.MaxAge == 0 {
		return 0
	}
	return r.nats.MaxAge + 7*24*time.Hour
}

// RelayConfig lacks what is no matter of the configuration.
func RelayConfig(c config.Relay, nats config.NATS) relay.Config {
	host, _ := os.Hostname()
	settings := relay.Config{
		Name: c.Name, Match: c.Match, Start: startOf(c.Start), Concurrency: c.Concurrency, Rate: c.Rate,
		Timeout: c.Timeout, GiveUpAfter: c.GiveUpAfter, Stream: nats.Stream, Prefix: nats.SubjectPrefix, Host: host,
		Together: together(c), Whole: c.Audit != nil, Group: groupingOf(c),
	}
	for _, filter := range c.Subjects {
		if nats.SubjectPrefix != "" {
			filter = nats.SubjectPrefix + "." + filter
		}
		settings.Subjects = append(settings.Subjects, filter)
	}
	return settings
}

func startOf(s config.Start) relay.Start {
	if s == config.StartAll {
		return relay.Start{All: true}
	}
	return relay.Start{Ago: time.Duration(s)}
}

// together is how many events of a job are one delivery, where the destination can tell them in one.
func together(c config.Relay) int {
	switch {
	case c.Audit != nil:
		return 256 // one fsync
	case c.Email != nil, c.Slack != nil && c.Slack.WebhookURLFile == "":
		return 100
	default:
		return 1
	}
}

func groupingOf(c config.Relay) *relay.Grouping {
	var group *config.Group
	switch {
	case c.Slack != nil:
		group = c.Slack.Group
	case c.Email != nil:
		group = c.Email.Group
	}
	if group == nil {
		return nil
	}
	return &relay.Grouping{By: group.By, Within: group.Within, Over: group.Over}
}
