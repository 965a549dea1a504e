package publish

import (
	"cmp"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// refusals remember the jobs that are stopped because the broker refuses their oldest event for good.
// Each distinct refusal is logged once, however many jobs it stops and however often they try again.
type refusals struct {
	log *slog.Logger

	mu       sync.Mutex
	stops    map[job.ID]stream.RefusedError // job => refusal; guarded by mu
	byReason map[string]int64               // reason => refusals; guarded by mu
	retries  map[string]int64               // reason => other failures, which the next try may not meet; guarded by mu
}

func newRefusals(log *slog.Logger) refusals {
	return refusals{log: log, stops: map[job.ID]stream.RefusedError{}, byReason: map[string]int64{}, retries: map[string]int64{}}
}

func (r *refusals) stop(id job.ID, refused *stream.RefusedError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byReason[refused.Reason]++
	named := false
	for _, other := range r.stops {
		named = named || other.Text == refused.Text
	}
	r.stops[id] = *refused
	if !named {
		r.log.Error("an event cannot be sent; it is kept, and the job's events wait behind it",
			"job", id.String(), "err", refused)
	}
}

// count counts a refusal of everything.
func (r *refusals) count(reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byReason[reason]++
}

// retried counts a publish that failed and is tried again.
func (r *refusals) retried(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retries[retryReason(err)]++
}

// Reasons are all that Errors may name.
var Reasons = []string{
	stream.TooLarge, stream.Permission, stream.StreamFull, stream.Limits, stream.Storage, stream.Misfit, stream.Subject,
	undecodable, "disconnected", "sequence", "busy", "no_stream", unknownOutcome,
}

// unknownOutcome is the reason where nobody knows whether the event was stored.
const unknownOutcome = "unacknowledged"

func retryReason(err error) string {
	switch {
	case errors.Is(err, stream.ErrDisconnected):
		return "disconnected"
	case errors.Is(err, stream.ErrSequence):
		return "sequence"
	case errors.Is(err, stream.ErrBusy):
		return "busy"
	case errors.Is(err, stream.ErrNoStream):
		return "no_stream"
	}
	return unknownOutcome
}

func (r *refusals) all() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := maps.Clone(r.byReason)
	maps.Copy(all, r.retries)
	return all
}

func (r *refusals) clear(id job.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.stops, id)
}

// Refused is a refusal that stops jobs now.
type Refused struct {
	Reason string // of a stream.RefusedError
	Text   string // what is refused, and what to do
	Jobs   int    // that it stops
}

// stopping are the refusals that stop jobs now, the one that stops most first.
func (r *refusals) stopping() []Refused {
	r.mu.Lock()
	defer r.mu.Unlock()
	jobs := map[stream.RefusedError]int{}
	for _, refused := range r.stops {
		jobs[refused]++
	}
	all := make([]Refused, 0, len(jobs))
	for refused, n := range jobs {
		all = append(all, Refused{refused.Reason, refused.Text, n})
	}
	slices.SortFunc(all, func(a, b Refused) int { return cmp.Or(b.Jobs-a.Jobs, strings.Compare(a.Text, b.Text)) })
	return all
}

// lift clears the jobs that one refusal has stopped.
func (r *refusals) lift(refused *stream.RefusedError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.stops, func(_ job.ID, other stream.RefusedError) bool { return other.Text == refused.Text })
}

func (r *refusals) counts() (byReason map[string]int64, stopped int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.byReason), len(r.stops)
}
