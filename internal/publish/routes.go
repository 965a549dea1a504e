package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// routes are the kinds of subjects that are known, since the connection was made, to be stored by the stream under
// their own name. NATS may map a subject to another one (an account's mapping, an import, a transform), and
// acknowledges all the same. The first event of a CommCell, kind and detail waits until NATS has said where it leads,
// the others of that route for the first. A later change shows at the tail (tail.go), in what is read (catchup.go), or
// by a refusal (reconcile.go).
type routes struct {
	mu    sync.Mutex
	known map[route]*routeState // guarded by mu
}

type route struct{ commCell, detail string }

// routeState is what is known of a route.
type routeState struct {
	verified  atomic.Bool
	verifying chan struct{} // held by the goroutine that finds out
}

const mostRoutes = 10_000 // the CommServe names states and phases as it likes

func (r *routes) of(id job.ID, subject string) *routeState {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil || len(r.known) > mostRoutes {
		r.known = map[route]*routeState{}
	}
	to := route{id.CommCell, subject[secondLastToken(subject):]}
	is := r.known[to]
	if is == nil {
		is = &routeState{verifying: make(chan struct{}, 1)}
		r.known[to] = is
	}
	return is
}

func secondLastToken(subject string) int {
	return strings.LastIndexByte(subject[:strings.LastIndexByte(subject, '.')], '.') + 1
}

func (r *routes) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = nil
}

// verifyRoute finds out where an event's subject leads, if that is not known yet. untraced says that NATS does not
// tell: the caller has to find the event in the stream once it is acknowledged, and to call release with the result.
func (p *Publisher) verifyRoute(ctx context.Context, id job.ID, subject string) (untraced bool, release func(verified bool), err error) {
	is := p.routes.of(id, subject)
	if is.verified.Load() {
		return false, nil, nil
	}
	select {
	case is.verifying <- struct{}{}:
	case <-ctx.Done():
		return false, nil, ctx.Err()
	}
	release = func(verified bool) {
		is.verified.Store(verified)
		<-is.verifying
	}
	if !is.verified.Load() {
		err = p.Broker.Trace(ctx, subject)
	}
	if errors.Is(err, stream.ErrNoTrace) {
		return true, release, nil
	}
	release(err == nil)
	return false, nil, err
}

// misrouted is a subject that did not lead to the stream, and the error that said so.
type misrouted struct {
	subject string
	err     error
}

// noteMisrouted halts publishing until the subject is known to lead to the stream. Of many the first stands for all.
func (p *Publisher) noteMisrouted(subject string, err error) error {
	var misfit *stream.MisfitError
	if errors.As(err, &misfit) || errors.Is(err, stream.ErrNoStream) {
		p.misrouted.CompareAndSwap(nil, &misrouted{subject, err})
	}
	return err
}

// recheckMisrouted is nil if the misrouted subject leads to the stream by now.
func (p *Publisher) recheckMisrouted(ctx context.Context) error {
	d := p.misrouted.Load()
	if d == nil {
		return nil
	}
	if err := p.Broker.CheckRoute(ctx, d.subject); err != nil {
		return err
	}
	p.misrouted.Store(nil)
	return nil
}

// isMisplaced says whether a message is an event of ours under another subject than its own, which is want.
func (p *Publisher) isMisplaced(m stream.Message) (want string, is bool) {
	e, err := event.Parse(m.Data)
	if err != nil {
		return "", false
	}
	return p.isMisplacedEvent(e, m)
}

func (p *Publisher) isMisplacedEvent(e event.Event, m stream.Message) (want string, is bool) {
	id, err := e.JobID()
	if err != nil {
		return "", false
	}
	_, want, err = event.Address(p.Prefix, id, m.Data)
	return want, err == nil && want != m.Subject
}

// checkRoute asks where a subject leads whose event was found under another one. nil: to the stream, by now.
func (p *Publisher) checkRoute(ctx context.Context, want string) error {
	return p.noteMisrouted(want, p.Broker.CheckRoute(ctx, want))
}

// verifyStored checks that an acknowledged event stands under its own subject, where NATS did not say where that leads.
func (p *Publisher) verifyStored(ctx context.Context, m stream.Outgoing, sequence uint64) error {
	held, err := p.Broker.At(ctx, sequence)
	switch {
	case errors.Is(err, stream.ErrNone):
		return fmt.Errorf("%w: it was acknowledged as %d, and is not there", stream.ErrBusy, sequence)
	case err != nil:
		return err
	case held.ID == m.ID && held.Subject != m.Subject:
		return p.noteMisrouted(m.Subject, stream.StoredElsewhere(m.Subject, held.Subject))
	}
	return nil
}

// checkLastPlaced is an error where the last acknowledged event of a job stands under another subject than its own, and
// its own still leads elsewhere.
func (p *Publisher) checkLastPlaced(ctx context.Context, sent store.Acknowledged) error {
	if sent.ID == "" || sent.Stream == 0 {
		return nil
	}
	held, err := p.Broker.At(ctx, sent.Stream)
	if errors.Is(err, stream.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	want, is := p.isMisplaced(held)
	if !is || held.ID != sent.ID {
		return nil
	}
	return p.checkRoute(ctx, want)
}
