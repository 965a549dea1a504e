package sim

import (
	"fmt"
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
		s.end("Failed")
		return true
	}
	return false
}

func (s *story) failToStart() {
	s.blame()
	s.end("Failed to Start")
}

// hold makes the job pending. It stays so, and has its reason, until it runs again or ends.
func (s *story) hold() {
	s.now.State = "Pending"
	s.blame()
	s.goOn(5, 20)
}

func (s *story) blame() {
	why := reasons[s.rng.IntN(len(reasons))]
	s.now.Reason, s.now.Code = why.text, why.code
}

func (s *story) pause(soon, then string) {
	s.now.State = soon
	s.goOn(3, 5)
	s.now.State = then
	s.goOn(5, 15)
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

func (s *story) loseMachines() {
	for _, i := range s.rng.Perm(len(s.now.VMs))[:1+s.rng.IntN(len(s.now.VMs)-1)] {
		s.now.VMs[i].Reason = machineReasons[s.rng.IntN(len(machineReasons))]
		s.goOn(3, 5)
	}
}

func (s *story) machines() {
	for i := range 2 + s.rng.IntN(4) {
		s.now.VMs = append(s.now.VMs, VM{Name: machine(s.rng, i)})
	}
}

func (p plot) outcome() string {
	switch {
	case p == partial:
		return "Completed w/ one or more errors"
	case p == warned:
		return "Completed w/ one or more warnings"
	}
	return "Completed"
}
