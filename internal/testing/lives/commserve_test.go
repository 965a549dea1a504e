package lives

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// facts are what is true of a job from a time on.
type facts struct {
	state, phase, failures, reason, code string
	machines                             []machine // that failed
	attempt                              int64
	ended                                bool

	began, at time.Time // the job; these facts
}

// machine is called by its name or, with a GUID, name/GUID. Without a reason it failed all the same.
type machine struct{ called, reason string }

// commServe is the model of one, or of two: their jobs, each with all that was ever true of it.
type commServe struct {
	mu    sync.Mutex  // in a script jobs move while they are asked for
	jobs  [][]facts   // their contents are guarded by mu
	cells int         // that they are of; 0: one
	guid  string      // of the CommServe; "": it does not say
	away  atomic.Bool // it answers nothing
}

// cellOf names the CommCell that a job is of.
func (s *commServe) cellOf(number int64) string {
	if s.cells == 2 && number%2 == 0 {
		return "dr"
	}
	return "prod"
}

// names are those of all CommCells.
func (s *commServe) names() []string {
	if s.cells == 2 {
		return []string{"prod", "dr"}
	}
	return []string{"prod"}
}

// of gives what is true of a job, or what once was; false if it has not begun.
func (s *commServe) of(number int64, back int) (facts, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := s.jobs[number-1]
	if len(past) == 0 {
		return facts{}, false
	}
	return past[max(0, len(past)-1-back)], true
}

// becomes lets something be true of a job now.
func (s *commServe) becomes(number int64, now facts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[number-1] = append(s.jobs[number-1], now)
}

// moves lets a job begin, or go on.
func (s *commServe) moves(number int64, r *rand.Rand) facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	past := s.jobs[number-1]
	now := time.Now().Truncate(time.Second)
	next := facts{state: "Running", phase: "Scan", failures: "0 Folders, 0 Files", began: now}
	if len(past) == 0 && r.IntN(4) == 0 {
		next.state, next.phase = "Waiting", ""
	}
	if len(past) > 0 {
		next = past[len(past)-1]
		next.machines = slices.Clone(next.machines)
		for range 1 + r.IntN(2) {
			next.move(r)
		}
	}
	next.at = now
	s.jobs[number-1] = append(past, next)
	return next
}

func pick(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

func (f *facts) move(r *rand.Rand) {
	if f.ended {
		return
	}
	switch r.IntN(16) {
	case 0, 1, 2:
		f.state = pick(r, "Running", "Waiting", "Pending", "Suspended")
		if f.reason != "" && r.IntN(2) == 0 {
			f.reason, f.code = "", ""
		}
	case 3, 4, 5, 6:
		f.phase = pick(r, "Scan", "Backup", "Archive Index", "")
	case 7, 8:
		f.failures = fmt.Sprintf("%d Folders, %d Files", r.IntN(3), r.IntN(9))
	case 9, 10:
		f.reason, f.code = pick(r, "no media", "the network is slow", "12 of 40 streams", "13 of 40 streams"), ""
		if r.IntN(2) == 0 {
			f.code = pick(r, "19:579", "62:468")
		}
	case 11, 12:
		f.machines = append(f.machines, machine{pick(r, "vm1/g-1", "vm1/g-2", "vm2"), pick(r, "no snapshot", "powered off", "disk 1\ndisk 2", "disk 2\ndisk 1", "")})
		slices.SortFunc(f.machines, func(a, b machine) int { return strings.Compare(a.called, b.called) })
		f.machines = slices.CompactFunc(f.machines, func(a, b machine) bool { return a.called == b.called })
	case 13:
		f.attempt++
		f.machines = nil
	case 14, 15:
		if r.IntN(3) > 0 {
			return
		}
		f.state = pick(r, "Completed", "Completed", "Failed", "Killed", "Completed w/ one or more errors")
		f.phase, f.ended = "", true
	}
}

// snapshot is what an answer shows, as commvault would have read it.
func (f *facts) snapshot(commCell string, number int64) job.Snapshot {
	s := job.Snapshot{
		CommCell: commCell, Number: number, Client: "fall", State: job.Text(f.state), Phase: job.Text(f.phase),
		Failures: job.Text(f.failures), Reason: job.Text(f.reason), ReasonCode: job.Text(f.code),
		StartTime: new(f.began), LastUpdateTime: new(f.at),
	}
	if f.attempt > 0 {
		s.Attempt = new(f.attempt)
	}
	if f.ended {
		s.EndTime = new(f.at)
	}
	for _, m := range f.machines {
		name, guid, _ := strings.Cut(m.called, "/")
		s.Machines = append(s.Machines, job.VM{Name: name, GUID: job.Text(guid), Reason: job.Text(m.shown())})
	}
	s.Settle()
	return s
}

// list gives the lines of a Job list: those of jobs that have begun, and have not ended too long ago.
func (s *commServe) list(commCell string, finishedWithin time.Duration) (lines []commvault.Line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, past := range s.jobs {
		if len(past) == 0 || s.cellOf(int64(i+1)) != commCell {
			continue
		}
		f := past[len(past)-1]
		if f.ended && time.Since(f.at) > finishedWithin {
			continue
		}
		line := commvault.Line{Number: int64(i + 1), Status: job.Text(f.state), Phase: job.Text(f.phase), StartTime: &f.began, Client: "fall"}
		if f.ended {
			line.EndTime = &f.at
		}
		lines = append(lines, line)
	}
	return lines
}

func (f *facts) String() string {
	words := []string{f.state, f.phase, f.failures, strings.TrimSpace(f.reason + " " + f.code)}
	for _, m := range f.machines {
		words = append(words, m.called+" "+m.reason)
	}
	if f.attempt > 0 {
		words = append(words, fmt.Sprintf("attempt %d", f.attempt))
	}
	return strings.Join(slices.DeleteFunc(words, func(word string) bool { return word == "" }), "; ")
}
