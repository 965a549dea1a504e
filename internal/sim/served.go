package sim

import (
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"
)

// Served is one answer to POST JobDetails.
//
// An answer that is Whole was complete, well formed, of the job asked for, and handed to the network
// without an error: a client that received it has an observation. Whether it did receive it, and
// whether it lived on to use it, only the client knows. One that is Old was all that too, but told of an earlier
// time (Stale): a client that knows better leaves it. All that follows the two is empty without either.
type Served struct {
	JobID  int64
	Asked  time.Time // the request arrived
	Served time.Time // the body was written, or writing it failed
	Fault  FaultKind // "" for none

	Whole    bool
	Old      bool
	Began    time.Time // the job, by the CommServe's clock: one that began later is another with the same number
	Updated  time.Time // the answer's own time, by the same clock
	Client   string
	State    string
	Phase    string
	Failures string
	Reason   string // progressInfo.reasonForJobDelay, U+FFFD for each byte that was no UTF-8
	Code     string
	VMs      []VM   // the machines and clients that failed, as they are shown; not to be changed
	Attempt  int64  // 0: not told
	Finished bool   // for good
	Summary  string // the state that GET Job/<id> tells, where these details name none
}

// told is what a whole answer tells.
func (m *moment) told() *Served {
	valid := utf8.ValidString(m.State + m.Phase)
	told := &Served{
		Whole: valid && !m.old, Old: valid && m.old, Began: m.began(), Updated: m.updated(), Client: m.Client, State: m.State, Phase: m.Phase, Failures: m.Failures,
		Reason: string([]rune(m.Reason)), Code: m.Code, VMs: m.failing(), Finished: m.done, Attempt: m.tries,
	}
	if m.Mute {
		told.State, told.Phase, told.Reason, told.Summary = "", "", "", m.State
	}
	if m.Mute && !m.done {
		told.Failures = ""
	}
	if m.done {
		told.Phase = ""
	}
	return told
}

func (m *moment) failing() []VM {
	if m.machines == nil {
		return nil
	}
	return m.machines.failing
}

func served(id int64, asked time.Time, reply answer, broken *strike, err error) Served {
	kept := Served{}
	if told := reply.told; told != nil && err == nil && broken.leavesAnswer() && (told.Whole || told.Old) {
		kept = *told
	}
	kept.JobID, kept.Asked, kept.Served = id, asked, time.Now()
	if broken != nil {
		kept.Fault = broken.Kind
	}
	return kept
}

type record struct {
	mu     sync.Mutex // guards the rest
	served []Served
	counts map[Op]int
}

func (r *record) count(op Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[op]++
}

func (r *record) keep(s Served) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.served = append(r.served, s)
}

// Served gives the answers to POST JobDetails so far, in the order in which they were written. A client
// may have read an answer a moment before it stands here.
func (s *Sim) Served() []Served {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return slices.Clone(s.record.served)
}

// Counts says how many requests of each operation arrived, whatever became of them.
func (s *Sim) Counts() map[Op]int {
	s.record.mu.Lock()
	defer s.record.mu.Unlock()
	return maps.Clone(s.record.counts)
}
