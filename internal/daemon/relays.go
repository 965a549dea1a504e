package daemon

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"jobwatch/internal/config"
	"jobwatch/internal/relay"
)

// relays are those of the configuration. Each stands alone: whatever is wrong with one is said of that one, and tried
// again, and no other notices.
type relays struct {
	*supervisor[config.Relay, *relayRunner]
}

// newRelays prepares them; it cannot fail.
func newRelays(all []config.Relay, prepare func(config.Relay) *relayRunner) relays {
	s, _ := newSupervisor(all, kind[config.Relay, *relayRunner]{
		name: func(r config.Relay) string { return r.Name },
		same: func(a, b config.Relay) bool { return reflect.DeepEqual(a, b) },
		make: func(r config.Relay) (*relayRunner, error) { return prepare(r), nil },
		gone: "is no longer relayed to",
	})
	return relays{s}
}

// relayRunner opens a relay's destination and has the relay run, again and again until that has worked.
type relayRunner struct {
	config.Relay
	open func(config.Relay) (relay.Destination, error)
	run  func(context.Context, relay.Destination) error
	log  *slog.Logger

	mu      sync.Mutex
	trouble error     // why it does not run; guarded by mu, as the next is
	since   time.Time // that is so
}

// openAgain is when a destination that could not be opened is tried again: a secret may have become readable.
const openAgain = 2 * time.Second

// Run runs until ctx ends. It never fails: what is wrong with a relay is no reason to end the program.
func (r *relayRunner) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.is(cmp.Or(err, errStopped))
		select {
		case <-time.After(openAgain):
		case <-ctx.Done():
		}
	}
	return nil
}

var errStopped = errors.New("it has stopped by itself")

func (r *relayRunner) once(ctx context.Context) error {
	to, err := r.open(r.Relay)
	if err != nil {
		return err
	}
	if closer, has := to.(io.Closer); has {
		defer closer.Close()
	}
	r.is(nil)
	return r.run(ctx, to)
}

// is notes why the relay does not run, and says what is news.
func (r *relayRunner) is(trouble error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := text(r.trouble)
	if before == text(trouble) {
		return
	}
	r.trouble, r.since = trouble, time.Now()
	if trouble == nil {
		r.log.Info("the relay can start now", "relay", r.Name)
		return
	}
	r.log.Error("the relay cannot start; it is tried again, and all else goes on", "relay", r.Name, "err", trouble)
}

// stands says why the relay does not run, and since when; nil: it runs.
func (r *relayRunner) stands() (trouble error, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.trouble, r.since
}

// destinationOf names the key of a relay's destination.
func destinationOf(r config.Relay) string {
	switch {
	case r.Slack != nil:
		return "slack"
	case r.Webhook != nil:
		return "webhook"
	case r.Email != nil:
		return "email"
	default:
		return "audit"
	}
}
