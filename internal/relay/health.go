package relay

import (
	"errors"
	"time"
)

// The pauses before something is tried again: deliveries must go on within 20 s of a destination's return.
const (
	firstPause   = time.Second
	longestPause = 15 * time.Second
	mostHonoured = time.Hour // of a Retry-After

	awayAfter = 5 * time.Second  // that nobody's events were taken: then it is said. A short Retry-After is no absence
	longAway  = 20 * time.Second // the same, where one job alone has events
)

// health is what is known of the destination, from how the deliveries go.
type health struct {
	most  int // deliveries under way at once, when all is well
	slots int // now

	failing  time.Time       // when it began to take nothing; zero: it takes events
	reason   string          // of the last refusal
	jobs     map[string]bool // whose events it has refused since
	surely   bool            // one of the refusals was one to all
	notUntil time.Time       // nothing is tried before
	step     time.Duration   // the next pause

	clock clock     // of give_up_after
	taken time.Time // when it last took events
}

// clock counts the time in which events are delivered, and nothing says that the destination does not take them.
type clock struct {
	counted time.Duration
	since   time.Time // zero: it stands still
}

func (c *clock) at(now time.Time) time.Duration {
	if c.since.IsZero() {
		return c.counted
	}
	return c.counted + max(0, now.Sub(c.since))
}

func (c *clock) stop(now time.Time) { *c = clock{counted: c.at(now)} }

func (c *clock) start(now time.Time) { *c = clock{c.at(now), now} }

func newHealth(most int, now time.Time) health {
	return health{most: most, slots: most, taken: now, step: firstPause, jobs: map[string]bool{}}
}

// begin is called when events are delivered from now on, and rest when they are not.
func (h *health) begin(now time.Time) {
	if h.failing.IsZero() {
		h.clock.start(now)
	}
}

func (h *health) rest(now time.Time) { h.clock.stop(now) }

// took is a delivery. It is true if the destination was away before.
func (h *health) took(now time.Time) (back bool) {
	back = !h.failing.IsZero()
	h.clock.start(now)
	h.taken = now
	h.slots = min(h.most, 2*h.slots)
	h.failing, h.surely, h.reason, h.notUntil, h.step = time.Time{}, false, "", time.Time{}, firstPause
	clear(h.jobs)
	return back
}

// refused is a refusal to a job. own: its events were refused before while those of others were taken, so that it
// says nothing of the destination.
func (h *health) refused(now time.Time, key string, why *Refusal, own bool) {
	if why.Kind == Unfit || own && why.Kind == Uncertain {
		return
	}
	if h.failing.IsZero() {
		h.failing = now
		h.clock.stop(now)
	}
	h.jobs[key] = true
	h.reason = why.Reason
	switch {
	case why.Kind == Away:
		h.surely, h.slots = true, 1
	case len(h.jobs) < 3:
		return
	default:
		h.slots = max(1, h.slots/2)
	}
	if h.slots == 1 {
		h.surely = true
		h.notUntil = now.Add(max(h.step, min(why.After, mostHonoured)))
		h.step = min(2*h.step, longestPause)
	}
}

// away says whether the destination takes nothing, and has for a while.
func (h *health) away(now time.Time) bool {
	if h.failing.IsZero() {
		return false
	}
	since := now.Sub(h.failing)
	return h.surely && since >= awayAfter || since >= longAway
}

// asRefusal reads the error of a delivery.
func asRefusal(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return &Refusal{Kind: Uncertain, Reason: err.Error()}
}
