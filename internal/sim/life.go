package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// life is a generated job: the same one for the same seed and number, beginning at 0 and ending in a
// finished state 30 to 120 simulated seconds later; one that fails to start ends where it begins.
func life(config *Config, id int64) Job {
	s := &story{rng: rand.New(rand.NewPCG(uint64(config.Seed), uint64(id)))}
	kind := pick(s.rng, kinds)
	if kind == VirtualServer {
		s.machines(config.VMs, id)
	}
	s.job(kind, pick(s.rng, plots))
	s.steps[len(s.steps)-1].Mute = chance(uint64(config.Seed)^uint64(id), config.Oddities)
	return Job{ID: id, Kind: kind, Client: client(s.rng, kind), Steps: s.steps}
}

// shifted is the job with all its steps later by d.
func (j Job) shifted(d time.Duration) Job {
	j.Steps = slices.Clone(j.Steps)
	for i := range j.Steps {
		j.Steps[i].At += d
	}
	return j
}

// story is a job's life while it is made up.
type story struct {
	rng   *rand.Rand
	at    time.Duration
	now   Step // what goes on until it is changed
	steps []Step
}

func (s *story) job(kind Kind, p plot) {
	if p.tellsAttempts(kind) {
		s.now.Attempt = 1
	}
	switch {
	case p == failsToStart:
		s.failToStart()
	case kind == FileSystem:
		s.backup(p, "Scan", "Backup", "Archive Index")
	case kind == VirtualServer:
		s.backup(p, "Discover", "Backup", "Archive Index", "Finalize")
	case kind == Restore:
		s.wait()
		s.backup(p, "Restore")
	case kind == DisasterRecovery:
		s.wait()
		s.backup(p, "Backup")
	case kind == Verification:
		s.wait()
		s.backup(p, "Verify Data")
	}
}

// backup runs through phases; the longest of them is the one that something befalls.
func (s *story) backup(p plot, phases ...string) {
	if s.rng.IntN(4) == 0 && s.steps == nil {
		s.wait()
	}
	for i, phase := range phases {
		if i != min(1, len(phases)-1) {
			s.run(phase, 4, 12)
			continue
		}
		if s.run(phase, 8, 10); p.befall(s) {
			return
		}
		s.run(phase, 17, 20)
	}
	if p == partial && len(s.now.VMs) > 0 && len(failing(s.now.VMs)) == 0 {
		p = goesWell
	}
	s.end(p.outcome())
}

func (s *story) wait() {
	s.now.State = pick(s.rng, waits)
	s.goOn(5, 15)
}

func (s *story) run(phase string, least, most int) {
	s.now.State, s.now.Phase, s.now.Reason, s.now.Code = "Running", phase, "", ""
	s.goOn(least, most)
}

// goOn leaves things as they are for some seconds.
func (s *story) goOn(least, most int) {
	s.tell()
	s.at += time.Duration(least)*time.Second +
		time.Duration(s.rng.Int64N(int64(most-least+1)*int64(time.Second)))
}

func (s *story) end(state string) {
	s.now.State, s.now.Phase = state, ""
	s.tell()
}

func (s *story) tell() {
	step := s.now
	step.At = s.at
	s.steps = append(s.steps, step)
}

type weighted[T any] struct {
	weight int
	is     T
}

func pick[T any](rng *rand.Rand, from []weighted[T]) T {
	total := 0
	for _, w := range from {
		total += w.weight
	}
	n := rng.IntN(total)
	for _, w := range from {
		if n -= w.weight; n < 0 {
			return w.is
		}
	}
	panic("sim: weights changed while they were picked from")
}
