package sim

import (
	"math"
	"slices"
	"sync"
	"time"
)

// FaultKind is something that goes wrong between a CommServe and its client.
type FaultKind string

// The faults, from the commonest on.
const (
	ErrorFlat     FaultKind = "error-flat"     // HTTP 500, errorMessage and errorCode
	ErrorNested   FaultKind = "error-nested"   // HTTP 500, the same within "error"
	Unavailable   FaultKind = "unavailable"    // HTTP 503 with a Retry-After of Fault.Delay
	LoginPage     FaultKind = "login-page"     // HTTP 200, HTML
	ErrorDocument FaultKind = "error-document" // HTTP 200, an error in JSON
	CutShort      FaultKind = "cut-short"      // fewer bytes than Content-Length says
	CutChunked    FaultKind = "cut-chunked"    // a chunked body without its end
	OtherJob      FaultKind = "other-job"      // the answer for another job; JobDetails and summaries only
	Hang          FaultKind = "hang"           // nothing, until the client gives up
	TokenRevoked  FaultKind = "token-revoked"  // HTTP 401; a login's token is dead from now on, Config.Token is not
	Slow          FaultKind = "slow"           // the right answer, Fault.Delay after it was true
)

// FaultKinds gives them all.
func FaultKinds() []FaultKind {
	return []FaultKind{
		ErrorFlat, ErrorNested, Unavailable, LoginPage, ErrorDocument,
		CutShort, CutChunked, OtherJob, Hang, TokenRevoked, Slow,
	}
}

// Fault says what is to go wrong, with which requests, and how often. Without Next and Rate it never does.
type Fault struct {
	Kind  FaultKind
	Op    Op            // "" for all
	Job   int64         // 0 for all; needs an Op that names a job
	Next  int           // this many of the next requests
	Rate  float64       // or any request with this probability, until Heal
	Delay time.Duration // of Slow and Unavailable, real time; default 1s
}

// faults are those in force.
type faults struct {
	seed uint64

	mu    sync.Mutex // guards the rest
	all   []*Fault
	asked uint64
}

// strike is a fault at one request; nil is none.
type strike struct {
	Fault
	dice uint64 // where a body is cut
}

func (s *strike) is(kind FaultKind) bool { return s != nil && s.Kind == kind }

// Fault adds a fault. Of several that could befall a request, the one added first does.
func (s *Sim) Fault(f Fault) {
	if f.Delay == 0 {
		f.Delay = time.Second
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.all = append(s.faults.all, &f)
}

// Heal ends all faults.
func (s *Sim) Heal() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.all = nil
}

// next chooses what befalls a request. The choice follows from the seed and the count of requests.
func (f *faults) next(op Op, job int64) *strike {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	for i, fault := range f.all {
		dice := mix(f.seed ^ mix(f.asked) + uint64(i))
		if !fault.concerns(op, job) || !fault.strikes(dice) {
			continue
		}
		if fault.Next > 0 {
			fault.Next--
		}
		f.all = slices.DeleteFunc(f.all, (*Fault).spent)
		return &strike{Fault: *fault, dice: dice}
	}
	return nil
}

func (f *Fault) concerns(op Op, job int64) bool {
	if f.Kind == OtherJob && op != OpJobDetails && op != OpSummary {
		return false
	}
	return (f.Op == "" || f.Op == op) && (f.Job == 0 || f.Job == job)
}

func (f *Fault) strikes(dice uint64) bool {
	return f.Next > 0 || float64(dice) < f.Rate*math.MaxUint64
}

func (f *Fault) spent() bool { return f.Next == 0 && f.Rate == 0 }
