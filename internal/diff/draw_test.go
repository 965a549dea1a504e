package diff_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

// Few words each, so that polls often agree in one thing and differ in another, and things that
// vanished come back.
var (
	states = rapid.SampledFrom([]job.Text{
		"", "Running", "Running", "running ", "Waiting", "Pending", "Suspended", "Wird gesichert",
		"Completed", "Completed w/ one or more errors", "Failed", "Failed to Start", "Killed",
	})
	phases  = rapid.SampledFrom([]job.Text{"", "Scan", "Backup", " backup", "Archive Index"})
	reasons = rapid.SampledFrom([]job.Text{
		"", "", "12 of 40 streams in use", "13 of 40 streams in use", "no media", "404",
	})
	codes      = rapid.SampledFrom([]job.Text{"", "", "19:579", "19:580"})
	attempts   = rapid.SampledFrom([]int64{0, 0, 1, 2, 3})
	complaints = rapid.SampledFrom([]job.Text{
		"", "", "disk full", "host down", "snapshot 17 of 20 lost", "snapshot 18 of 20 lost", "disk 1\ndisk 2", "disk 2\ndisk 1",
		job.Unexplained, job.SyncFailed, job.SyncRevertFailed,
	})
	failedItems = rapid.Custom(func(t *rapid.T) job.Text {
		if !rapid.Bool().Draw(t, "counted") {
			return ""
		}
		few := rapid.IntRange(0, 3)
		return job.Text(fmt.Sprintf("%d Folders, %d Files", few.Draw(t, "folders"), few.Draw(t, "files")))
	})
)

var snapshots = rapid.Custom(func(t *rapid.T) job.Snapshot {
	s := job.Snapshot{
		CommCell: "prod", Number: 1248, Client: "fall.example.com",
		State:      states.Draw(t, "state"),
		Phase:      phases.Draw(t, "phase"),
		Reason:     reasons.Draw(t, "reason"),
		ReasonCode: codes.Draw(t, "code"),
		Failures:   failedItems.Draw(t, "failures"),
	}
	if number := attempts.Draw(t, "attempt"); number > 0 {
		s.Attempt = &number
	}
	if rapid.Bool().Draw(t, "ended") {
		at := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
		s.EndTime = &at
	}
	s.Machines = drawMachines(t)
	s.Settle()
	return s
})

// drawMachines gives some that share a name, some without a GUID, some that are called otherwise now and then. Each
// identity stands once; the order is any.
func drawMachines(t *rapid.T) []job.VM {
	var vms []job.VM
	for _, of := range []struct {
		guid  job.Text
		names []string
	}{
		{"", []string{"mail"}}, {"g-1", []string{"mail"}}, {"g-2", []string{"mail", "mail (g-1)"}}, {"", []string{"db", "g-3"}},
		{"g-3", []string{"db", "db", "mail"}}, {"g-4", []string{"fall.example.com"}},
	} {
		name := rapid.SampledFrom(of.names).Draw(t, "name")
		vm := job.VM{Name: name, GUID: of.guid, Job: own[name]}
		known := func(other job.VM) bool { return other.Identity() == vm.Identity() }
		if rapid.IntRange(0, 2).Draw(t, "is there") == 0 && !slices.ContainsFunc(vms, known) {
			vm.Reason = complaints.Draw(t, "complains")
			vms = append(vms, vm)
		}
	}
	return rapid.Permutation(vms).Draw(t, "machines")
}

// own are the jobs of machines that have one.
var own = map[string]*int64{"db": new(int64(7002))}

// polls is what is seen of one job, poll by poll; a poll often shows what the one before showed.
var polls = rapid.Custom(func(t *rapid.T) []job.Snapshot {
	seen := rapid.SliceOfN(snapshots, 1, 10).Draw(t, "polls")
	for i := 1; i < len(seen); i++ {
		if rapid.Bool().Draw(t, "as before") {
			keepMost(t, &seen[i], seen[i-1])
		}
	}
	return seen
})

// keepMost leaves of a poll only one thing that is new.
func keepMost(t *rapid.T, s *job.Snapshot, before job.Snapshot) {
	drawn := *s
	*s = before
	switch rapid.SampledFrom([]string{"state", "phase", "reason", "failures", "machines", "attempt"}).Draw(t, "but") {
	case "state":
		s.State, s.EndTime = drawn.State, drawn.EndTime
	case "phase":
		s.Phase = drawn.Phase
	case "reason":
		s.Reason, s.ReasonCode = drawn.Reason, drawn.ReasonCode
	case "failures":
		s.Failures, s.FailedFolders, s.FailedFiles = drawn.Failures, nil, nil
	case "machines":
		s.Machines, s.VMs = drawn.Machines, nil
	case "attempt":
		s.Attempt = drawn.Attempt
	}
	s.Settle()
}

// watches is what the clock says of a poll.
var watches = rapid.SampledFrom([]diff.Watch{{}, {}, {Stalled: true}, {Moved: true}, {Lost: true}})

// changes is what a poll tells. One that found the job lost has seen nothing of it.
func changes(told job.Told, seen *job.Snapshot, w diff.Watch) []job.Change {
	var all []job.Change
	if !w.Lost {
		all = diff.Since(told, seen)
	}
	return append(all, diff.Watched(told.TellAll(all, seen, time.Time{}), seen, w)...)
}
