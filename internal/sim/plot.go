package sim

import (
	"fmt"
	"slices"
)

// plot is what befalls a generated job.
type plot int

const (
	goesWell plot = iota
	held          // Pending, then running again
	suspended
	interrupted
	killed
	partial // items or machines fail, the rest is kept
	warned
	committed
	fails
	failsToStart
)

var plots = []weighted[plot]{
	{38, goesWell}, {14, held}, {8, suspended}, {4, interrupted}, {6, killed},
	{14, partial}, {3, warned}, {2, committed}, {7, fails}, {4, failsToStart},
}

var kinds = []weighted[Kind]{
	{52, FileSystem}, {26, VirtualServer}, {13, Restore}, {5, DisasterRecovery}, {4, Verification},
}

var waits = []weighted[string]{{3, "Waiting"}, {1, "Queued"}}

// partly is how a job ends of which some is missing.
const partly = "Completed w/ one or more errors"

// tellsAttempts says whether a job has more than one attempt, or may have.
func (p plot) tellsAttempts(kind Kind) bool {
	return p == suspended || p == interrupted || p == partial && kind == VirtualServer
}

// befall lets it happen, in the middle of the job's longest phase. It says whether the job has ended.
func (p plot) befall(s *story) (ended bool) {
	switch p {
	case held:
		s.hold()
	case suspended:
		s.pause("Suspend Pending", "Suspended")
	case interrupted:
		s.pause("Interrupt Pending", "Interrupted")
	case partial:
		s.lose()
		if len(s.now.VMs) > 0 && s.rng.IntN(2) == 0 {
			s.retry()
		}
	case committed:
		s.lose()
		s.stop("Committed")
		return true
	case killed:
		s.stop("Killed")
		return true
	case fails:
		s.lose()
		s.run(s.now.Phase, 17, 20)
		s.hold()
		s.cleanUp()
		s.end("Failed")
		return true
	default: // the others befall it elsewhere, or not at all
	}
	return false
}

func (s *story) failToStart() {
	why := reasons[s.rng.IntN(len(reasons))]
	s.now.Reason, s.now.Code = why.with(1), why.code
	s.end("Failed to Start")
}

// hold makes the job pending. It stays so, and has its reason, until it runs again or ends; a number in
// the reason may change.
func (s *story) hold() {
	why := reasons[s.rng.IntN(len(reasons))]
	s.now.State, s.now.Code = "Pending", why.code
	for n := range 1 + s.rng.IntN(3) {
		s.now.Reason = why.with(9 - 2*n)
		s.goOn(4, 6)
	}
}

// cleanUp comes before some failures.
func (s *story) cleanUp() {
	if s.rng.IntN(3) == 0 {
		s.now.State = "Abnormal Terminated Cleanup"
		s.goOn(3, 5)
	}
}

func (s *story) pause(soon, then string) {
	s.now.State = soon
	s.goOn(3, 5)
	s.now.State = then
	s.goOn(5, 15)
	s.now.Attempt++
}

// retry begins a second attempt, in which the machines that failed succeed, but for the last of several.
func (s *story) retry() {
	s.now.State = "Waiting"
	s.goOn(3, 5)
	s.now.Attempt++
	s.now.VMs = slices.Clone(s.now.VMs)
	well := max(1, len(failing(s.now.VMs))-1)
	for i, vm := range s.now.VMs {
		if vm.fails() && well > 0 {
			s.now.VMs[i].Reason, s.now.VMs[i].Failed = "", false
			well--
		}
	}
}

// stop ends the job by somebody's hand, after it ran long enough to be seen.
func (s *story) stop(state string) {
	s.run(s.now.Phase, 18, 24)
	s.now.State = "Kill Pending"
	s.goOn(3, 6)
	s.end(state)
}

// lose lets machines fail, or else files and folders, more and more of them.
func (s *story) lose() {
	if len(s.now.VMs) > 0 {
		s.loseMachines()
		return
	}
	files, folders := 0, 0
	for range 1 + s.rng.IntN(3) {
		files += 1 + s.rng.IntN(9)
		folders += s.rng.IntN(2)
		s.now.Failures = fmt.Sprintf("%d Folders, %d Files", folders, files)
		s.goOn(3, 5)
	}
}

// loseMachines lets one of a few fail, or up to a twentieth of many, in four steps at most. A step's machines
// are its own once they differ from those before.
func (s *story) loseMachines() {
	all := len(s.now.VMs)
	most := max(1, min(all-1, max(4, all/20)))
	lost := s.rng.Perm(all)[:1+s.rng.IntN(most)]
	for some := range slices.Chunk(lost, (len(lost)+3)/4) {
		s.now.VMs = slices.Clone(s.now.VMs)
		for _, i := range some {
			reason := machineReasons[s.rng.IntN(len(machineReasons))]
			s.now.VMs[i].Reason, s.now.VMs[i].Failed = reason, true
		}
		s.goOn(3, 5)
	}
}

func (s *story) machines(count int, id int64) {
	s.now.VMs = make([]VM, count)
	for i := range s.now.VMs {
		s.now.VMs[i] = VM{Name: machine(s.rng, i), Job: childOf(id, i)}
		if i > 0 && chance(uint64(childOf(id, i)), 0.1) { // some are called as another
			s.now.VMs[i].Name = s.now.VMs[i-1].Name
		}
	}
}

func (p plot) outcome() string {
	switch p {
	case partial:
		return partly
	case warned:
		return "Completed w/ one or more warnings"
	default:
		return "Completed"
	}
}
