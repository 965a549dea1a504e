// Package diff says which changes lie between what was told of a job and what was seen of it.
// It is pure: no clock, no id, no file, no error.
package diff

import (
	"strconv"
	"time"

	"jobwatch/internal/job"
)

// Since gives the changes that a snapshot shows against what was told, in the order in which they
// are published: state, phase, failure (state, items, vm, reason), watch.
//
// Telling them (job.Told.Tell) leaves nothing to tell of the same snapshot, with one exception: a
// new attempt begins its counts and machines anew, and comes last; what it counts is told at the
// next poll.
func Since(told job.Told, seen *job.Snapshot) []job.Change {
	var changes []job.Change
	tell := func(c job.Change) {
		changes = append(changes, c)
		told = told.Tell(c, seen, time.Time{})
	}
	state(told, seen, tell)
	phase(told, seen, tell)
	failureState(told, seen, tell)
	if !newAttempt(told, seen) {
		items(told, seen, tell)
		changes = append(changes, machines(&told, seen)...)
	}
	reason(told, seen, tell)
	attempt(told, seen, tell)
	return changes
}

// UntoldFailure gives the failure of the state that was told last, where that was not told with it: whoever told the state
// stopped in between. held is of that time.
func UntoldFailure(told job.Told, held *job.Snapshot) (changes []job.Change) {
	if job.Same(told.State, held.State) {
		failureState(told, held, func(c job.Change) { changes = append(changes, c) })
	}
	return changes
}

// CommCell gives the change between what was told of a CommCell and whether it answers now.
func CommCell(told job.Told, answers bool) []job.Change {
	switch {
	case !answers && !told.Unreachable:
		return []job.Change{{Kind: job.KindCommCell, Detail: job.DetailUnreachable}}
	case answers && told.Unreachable:
		return []job.Change{{Kind: job.KindCommCell, Detail: job.DetailReachable}}
	}
	return nil
}

func state(told job.Told, seen *job.Snapshot, tell func(job.Change)) {
	if seen.State == "" || job.Same(seen.State, told.State) {
		return
	}
	tell(job.Change{Kind: job.KindState, Detail: job.Slug(seen.State), From: told.State, To: seen.State})
}

func phase(told job.Told, seen *job.Snapshot, tell func(job.Change)) {
	if seen.Phase == "" || job.Same(seen.Phase, told.Phase) {
		return
	}
	tell(job.Change{Kind: job.KindPhase, Detail: job.Slug(seen.Phase), From: told.Phase, To: seen.Phase})
}

func failureState(told job.Told, seen *job.Snapshot, tell func(job.Change)) {
	if !job.Class(seen.StateClass).Failing() || told.FailureState {
		return
	}
	tell(job.Change{Kind: job.KindFailure, Detail: job.DetailState, From: told.StateBefore, To: seen.State})
}

func items(told job.Told, seen *job.Snapshot, tell func(job.Change)) {
	folders, files, ok := job.ParseFailures(seen.Failures)
	if !ok || folders <= told.Folders && files <= told.Files {
		return
	}
	tell(job.Change{Kind: job.KindFailure, Detail: job.DetailItems, From: told.Items, To: seen.Failures})
}

// machines gives a change for each that has failed anew, in the answer's order. None of what comes after depends on them.
func machines(told *job.Told, seen *job.Snapshot) []job.Change {
	var changes []job.Change
	for i := range seen.Machines {
		vm := &seen.Machines[i]
		if vm.Reason == "" {
			continue
		}
		before, known := told.VMReason(vm)
		if !known {
			before = inherited(told, seen.Machines, i)
		}
		if vm.HasNewFailure(before) {
			changes = append(changes, job.Change{
				Kind: job.KindFailure, Detail: job.DetailVM, From: before, To: vm.Reason,
				VM: vm.Name, VMGUID: string(vm.GUID), VMJob: vm.JobNumber(),
			})
		}
	}
	return changes
}

// inherited is what was told of a machine by its name alone, which is how older versions told all of them. It was told
// of one machine: of several with that name the one without a GUID, else the first that fails for that reason, else
// the first that fails.
func inherited(told *job.Told, vms []job.VM, i int) job.Text {
	name := vms[i].Name
	reason, found := told.VMs[name]
	if !found || told.VMGUIDs[name] != "" {
		return ""
	}
	heir := -1
	for k := range vms {
		vm := &vms[k]
		if vm.Name != name {
			continue
		}
		if vm.GUID == "" {
			return ""
		}
		_, known := told.VMReason(vm)
		if known || vm.Reason == "" {
			continue
		}
		if heir < 0 || vms[heir].HasNewFailure(reason) && !vm.HasNewFailure(reason) {
			heir = k
		}
	}
	if heir != i {
		return ""
	}
	return reason
}

func reason(told job.Told, seen *job.Snapshot, tell func(job.Change)) {
	text := seen.ReasonText()
	if seen.Terminal || text == "" || sameReason(told, text, seen.ReasonCode) {
		return
	}
	tell(job.Change{
		Kind: job.KindFailure, Detail: job.DetailReason, From: told.Reason, To: text, Code: seen.ReasonCode,
	})
}

// sameReason compares by code where both have one. The text of one reason counts on ("12 of 40
// streams"), so its numbers are left out.
func sameReason(told job.Told, text, code job.Text) bool {
	if code != "" && told.ReasonCode != "" {
		return code == told.ReasonCode
	}
	return told.Reason != "" && text.WithoutNumbers() == told.Reason.WithoutNumbers()
}

func attempt(told job.Told, seen *job.Snapshot, tell func(job.Change)) {
	if newAttempt(told, seen) {
		to := job.Text(strconv.FormatInt(*seen.Attempt, 10))
		tell(job.Change{Kind: job.KindWatch, Detail: job.DetailAttempt, From: told.Attempt, To: to})
	}
}

// newAttempt is one with a higher number than told: a lower one is an old entry that a phase shows again, or a list
// of attempts that was cut.
func newAttempt(told job.Told, seen *job.Snapshot) bool {
	if seen.Attempt == nil {
		return false
	}
	last, err := strconv.ParseInt(string(told.Attempt), 10, 64)
	return err != nil || *seen.Attempt > last
}
