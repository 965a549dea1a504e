package daemon

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"reflect"
	"sync"
	"time"

	"jobwatch/internal/audit"
	"jobwatch/internal/config"
	"jobwatch/internal/metrics"
	"jobwatch/internal/relay"
	"jobwatch/internal/web"
)

// relays are those of the configuration. Each stands alone: whatever is wrong with one is said of that one, and tried
// again, and no other notices.
type relays struct {
	*supervisor[config.Relay, *relayRunner]
	of func(*config.Config) []config.Relay // those of a configuration that run here
}

// newRelays prepares for relays, of which there are none until take.
func newRelays(of func(*config.Config) []config.Relay, prepare func(config.Relay) *relayRunner) relays {
	s, _ := newSupervisor(nil, kind[config.Relay, *relayRunner]{
		name: func(r config.Relay) string { return r.Name },
		same: func(a, b config.Relay) bool { return reflect.DeepEqual(a, b) },
		make: func(r config.Relay) (*relayRunner, error) { return prepare(r), nil },
		word: "relay ", gone: "is no longer configured",
	})
	return relays{s, of}
}

// take runs the relays of a configuration from now on, and says in words what that changes.
func (r relays) take(c *config.Config) string {
	words, _ := r.Apply(r.of(c)) // which fails only where make does
	return words
}

// shown is how they stand.
func (r relays) shown() []web.Relay {
	var all []web.Relay
	for _, one := range r.Runners() {
		all = append(all, one.shown())
	}
	return all
}

// measured are those that this process delivers, or whose destination it cannot open. Of one that another delivers, the
// metrics are the other's.
func (r relays) measured() []metrics.RelayState {
	var all []metrics.RelayState
	for _, one := range r.shown() {
		if one.State == relay.Standby {
			continue
		}
		state := metrics.RelayState{Name: one.Name, Up: one.State == relay.Delivering, Pending: one.Pending}
		if one.Oldest != nil {
			state.Oldest = *one.Oldest
		}
		all = append(all, state)
	}
	return all
}

// goodbye is how long relays may take to end, once they are told to: a little less than a stop may take in all.
const goodbye = 9 * time.Second

// runUntilGoodbye runs the relays until ctx ends, and what they have under way is done with, or goodbye is over. It closes
// ended then.
func (r relays) runUntilGoodbye(ctx context.Context, ended chan<- struct{}, log *slog.Logger) error {
	defer close(ended)
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(goodbye):
		log.Warn("a relay has not ended in time; what it had under way may be delivered once more")
		return nil
	}
}

// runBehind runs something until others have ended that need it to the last: the broker takes what relays deliver last.
func runBehind(ctx context.Context, r runner, others ...<-chan struct{}) error {
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	context.AfterFunc(ctx, func() {
		for _, ended := range others {
			<-ended
		}
		stop()
	})
	return r.Run(own)
}

// relayRunner opens a relay's destination and has the relay run, again and again until that has worked.
type relayRunner struct {
	config.Relay
	open  func(config.Relay) (relay.Destination, error)
	begin func(config.Relay, relay.Destination) relayLoop
	log   *slog.Logger

	mu      sync.Mutex
	loop    relayLoop // nil: it does not run; guarded by mu, as the next are
	trouble error     // why
	since   time.Time // that is so
}

// relayLoop takes events to a destination.
type relayLoop interface {
	runner
	Status() relay.Status
}

// openAgain is when a destination that could not be opened is tried again: a secret may have become readable.
const openAgain = 2 * time.Second

// lookAgain is when an audit log that was tampered with is looked at again, which reads much of it.
const lookAgain = time.Minute

// Run runs until ctx ends. It never fails: what is wrong with a relay is no reason to end the program.
func (r *relayRunner) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		err := r.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.is(cmp.Or(err, errStopped), nil)
		select {
		case <-time.After(r.pause()):
		case <-ctx.Done():
		}
	}
	return nil
}

func (r *relayRunner) pause() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isAlarm(r.trouble) {
		return lookAgain
	}
	return openAgain
}

// isAlarm says whether somebody has to look before the relay may go on.
func isAlarm(err error) bool {
	_, damaged := errors.AsType[*audit.Damage](err)
	return damaged
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
	loop := r.begin(r.Relay, to)
	r.is(nil, loop)
	return loop.Run(ctx)
}

// is notes what runs, or why nothing does, and says what is news.
func (r *relayRunner) is(trouble error, loop relayLoop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := text(r.trouble)
	r.loop, r.trouble = loop, trouble
	switch {
	case before == text(trouble):
		return
	case trouble == nil:
		r.log.Info("the relay starts now", "relay", r.Name)
	default:
		r.log.Error("the relay cannot start; it is tried again, and all else goes on", "relay", r.Name, "err", trouble)
	}
	r.since = time.Now()
}

// shown is how the relay stands.
func (r *relayRunner) shown() web.Relay {
	r.mu.Lock()
	defer r.mu.Unlock()
	stands := web.Relay{Status: relay.Status{Name: r.Name, State: relay.Starting}}
	switch {
	case r.loop != nil:
		stands.Status = r.loop.Status()
	case r.trouble != nil:
		stands.State, stands.Reason, stands.Since = web.RelayStopped, r.trouble.Error(), r.since.UTC()
		stands.Alarm = isAlarm(r.trouble)
	}
	stands.To, stands.Receiver = DestinationOf(r.Relay), ReceiverOf(r.Relay)
	return stands
}

// ReceiverOf is whom a relay's events reach, without what may be a secret of an address: its path, query and user.
func ReceiverOf(r config.Relay) string {
	switch {
	case r.Slack != nil:
		return r.Slack.Channel
	case r.Webhook != nil:
		if address, err := url.Parse(r.Webhook.URL); err == nil {
			return address.Host
		}
	case r.Email != nil:
		return r.Email.Server
	}
	return ""
}

// DestinationOf names the key of a relay's destination.
func DestinationOf(r config.Relay) string {
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
