package sim

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

// Fault says what is to go wrong, with which requests, and how often. Without Next and Rate it never does.
type Fault struct {
	Kind FaultKind
	Op   Op    // "" for all that the kind can befall
	Job  int64 // 0 for all; needs an Op that names a job

	Next  int           // so many requests, the next ones unless there is a Rate
	Rate  float64       // any request with this probability: until Heal, or Next times
	Skip  int           // so many requests of Op and Job go well first
	After time.Duration // so long all goes well, real time

	Delay    time.Duration // of Slow, Unavailable, TooMany (default 1s) and Stale, real time
	Code     int           // the HTTP status, of a kind that says so
	Location string        // of Redirect
}

// faults are those in force.
type faults struct {
	seed uint64

	mu    sync.Mutex // guards the rest
	all   []*planned
	asked uint64
}

// planned is a fault that goes on.
type planned struct {
	Fault // Next and Skip count down
	trait
	limited bool      // to Next
	from    time.Time // After is over
}

// strike is a fault at one request; nil is none.
type strike struct {
	Fault
	dice uint64 // where a body is cut
}

func (s *strike) is(kind FaultKind) bool { return s != nil && s.Kind == kind }

// leavesAnswer says whether what goes out is still an answer about the job. Whether it is an observation is for what it
// tells to say: a state may be broken, where one is named, and the whole be old.
func (s *strike) leavesAnswer() bool {
	return s == nil || s.Kind == Slow || s.Kind == BrokenReason || s.Kind == BrokenState || s.Kind == Stale
}

// Fault adds a fault. Of several that could befall a request, the one added first does.
func (s *Sim) Fault(f Fault) {
	p := &planned{Fault: f, trait: f.Kind.trait(), limited: f.Next > 0, from: time.Now().Add(f.After)}
	p.Code = cmp.Or(f.Code, p.code)
	if f.Kind != Stale {
		p.Delay = cmp.Or(f.Delay, time.Second)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.all = append(s.faults.all, p)
}

// Heal ends all faults.
func (s *Sim) Heal() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.all = nil
}

// Faults gives those in force, with what is left of Next and Skip.
func (s *Sim) Faults() []Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	all := make([]Fault, len(s.faults.all))
	for i, p := range s.faults.all {
		all[i] = p.Fault
	}
	return all
}

// next chooses what befalls a request. The choice follows from the seed and the count of requests.
func (f *faults) next(op Op, job int64) *strike {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	for i, p := range f.all {
		dice := mix(f.seed ^ mix(f.asked) + uint64(i))
		if !p.concerns(op, job) || !p.strikes(dice) {
			continue
		}
		if p.limited {
			p.Next--
		}
		f.all = slices.DeleteFunc(f.all, (*planned).spent)
		return &strike{Fault: p.Fault, dice: dice}
	}
	return nil
}

func (p *planned) concerns(op Op, job int64) bool {
	return p.befalls(op) && (p.Op == "" || p.Op == op) && (p.Job == 0 || p.Job == job)
}

func (p *planned) strikes(dice uint64) bool {
	if p.After > 0 && time.Now().Before(p.from) {
		return false
	}
	if p.Skip > 0 {
		p.Skip--
		return false
	}
	if p.Rate > 0 {
		return float64(dice) < p.Rate*math.MaxUint64
	}
	return p.Next > 0
}

func (p *planned) spent() bool { return p.limited && p.Next == 0 }
