package diff_test

import (
	"fmt"
	"testing"
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

func TestSinceFailureState(t *testing.T) {
	running := state("Running")
	for _, row := range []row{
		first(state("Failed")).tells("state.failed null→Failed", "failure.state null→Failed"),
		from(running).to(state("Failed")).tells("state.failed Running→Failed", "failure.state Running→Failed"),
		from(running).to(state("Failed to Start")).
			tells("state.failed_to_start Running→Failed to Start", "failure.state Running→Failed to Start"),
		from(running).to(state("Killed")).tells("state.killed Running→Killed", "failure.state Running→Killed"),
		from(running).to(state("Committed")).
			tells("state.committed Running→Committed", "failure.state Running→Committed"),
		from(running).to(state("Completed w/ one or more errors")).tells(
			"state.completed_with_errors Running→Completed w/ one or more errors",
			"failure.state Running→Completed w/ one or more errors"),
		from(running).to(state("Failed")).to().tells(),
		from(running).to(state("Failed")).to(state("failed")).tells(),
		from(running).to(state("Failed")).to(noState()).to(state("Failed")).tells(),
		from(running).to(state("Failed")).to(running).tells("state.running Failed→Running"),
		from(running).to(state("Failed")).to(running).to(state("Failed")).
			tells("state.failed Running→Failed", "failure.state Running→Failed"),
		from(running).to(state("Failed")).to(state("Killed")).
			tells("state.killed Failed→Killed", "failure.state Failed→Killed"),
		from(running).to(state("Abnormal Terminated Cleanup")).
			tells("state.abnormal_terminated_cleanup Running→Abnormal Terminated Cleanup"),
		from(running).to(state("Fehlgeschlagen"), ended()).tells("state.fehlgeschlagen Running→Fehlgeschlagen"),
	} {
		row.check(t)
	}
}

func TestSinceItems(t *testing.T) {
	running := from(state("Running"))
	three := from(state("Running"), failures("1 Folders, 3 Files"))
	for _, row := range []row{
		first(failures("0 Folders, 3 Files")).tells("failure.items null→0 Folders, 3 Files"),
		running.to(failures("0 Folders, 0 Files")).tells(),
		running.to(failures("0 Folders, 0 Files")).to(failures("0 Folders, 1 Files")).
			tells("failure.items null→0 Folders, 1 Files"),
		running.to(failures("2 Folders, 0 Files")).tells("failure.items null→2 Folders, 0 Files"),
		running.to(failures("many")).tells(),
		three.to().tells(),
		three.to(failures("1 Folders, 4 Files")).tells("failure.items 1 Folders, 3 Files→1 Folders, 4 Files"),
		three.to(failures("2 Folders, 0 Files")).tells("failure.items 1 Folders, 3 Files→2 Folders, 0 Files"),
		three.to(failures("0 Folders, 0 Files")).tells(),
		three.to(failures("0 Folders, 0 Files")).to(failures("1 Folders, 3 Files")).tells(),
		three.to(failures("")).to(failures("0 Folders, 2 Files")).tells(),
		three.to(failures("2 Folders, 0 Files")).to(failures("2 Folders, 3 Files")).tells(),
		three.to(failures("2 Folders, 0 Files")).to(failures("0 Folders, 4 Files")).
			tells("failure.items 2 Folders, 0 Files→0 Folders, 4 Files"),
		three.to(failures("2 Folders, 0 Files")).to(failures("0 Folders, 4 Files")).to(failures("2 Folders, 4 Files")).
			tells(),
		three.to(state("Completed"), failures("1 Folders, 9 Files")).tells(
			"state.completed Running→Completed", "failure.items 1 Folders, 3 Files→1 Folders, 9 Files"),
	} {
		row.check(t)
	}
}

func TestSinceMachines(t *testing.T) {
	running := from(state("Running"), machine("mail", ""), machine("fall.example.com", ""))
	failed := running.to(machine("mail", "disk full"))
	for _, row := range []row{
		first(machine("mail", "disk full"), machine("db", "")).tells("failure.vm mail null→disk full"),
		running.to().tells(),
		running.to(machine("mail", "disk full"), machine("fall.example.com", "host down")).
			tells("failure.vm mail null→disk full", "failure.vm fall.example.com null→host down"),
		failed.to().tells(),
		failed.to(machine("mail", "host down")).tells("failure.vm mail disk full→host down"),
		failed.to(machine("fall.example.com", "disk full")).tells("failure.vm fall.example.com null→disk full"),
		failed.to(machine("mail", "")).tells(),
		failed.to(machine("mail", "")).to(machine("mail", "disk full")).tells(),
		failed.to(machine("mail", "")).to(machine("mail", "host down")).
			tells("failure.vm mail disk full→host down"),
		failed.to(state("Completed")).to(state("Completed"), machine("mail", "host down")).
			tells("failure.vm mail disk full→host down"),
	} {
		row.check(t)
	}
}

// A machine that succeeds in a later attempt is told as failed once; one that fails again is told again.
func TestSinceMachinesOfLaterAttempts(t *testing.T) {
	failed := from(state("Running"), attempt(1), machine("mail", "disk full"), machine("db", "host down"))
	again := failed.to(attempt(2), machine("mail", ""), machine("db", ""))
	for _, row := range []row{
		again.tells("watch.attempt 1→2"),
		again.to(state("Completed")).tells("state.completed Running→Completed"),
		again.to(machine("db", "host down")).tells("failure.vm db null→host down"),
		again.to(machine("db", "host down")).to().tells(),
		failed.to(attempt(2), machine("mail", "")).tells("watch.attempt 1→2"),
		failed.to(attempt(2), machine("mail", "")).to().tells("failure.vm db null→host down"),
		failed.to(machine("mail", "")).to(attempt(2)).to(machine("mail", "disk full")).
			tells("failure.vm mail null→disk full", "failure.vm db null→host down"),
	} {
		row.check(t)
	}
}

func TestAFailedMachineIsToldWithItsJob(t *testing.T) {
	var seen job.Snapshot
	for i := range int64(500) {
		vm := job.VM{Name: fmt.Sprintf("vm-%03d", 499-i)}
		if i%10 == 3 {
			vm.Reason, vm.Job = "disk full", new(7000+i)
		}
		seen.Machines = append(seen.Machines, vm)
	}
	seen.Machines[493].Job = nil // an old server names none
	seen.Settle()
	found := diff.Since(job.Told{}, &seen)
	if len(found) != 50 || seen.VMs.Failed != 50 {
		t.Fatalf("%d changes, %d failed, want 50", len(found), seen.VMs.Failed)
	}
	for i, c := range found {
		want := job.Change{Kind: "failure", Detail: "vm", To: "disk full", VM: fmt.Sprintf("vm-%03d", 496-10*i), VMJob: int64(7003 + 10*i)}
		if i == 49 {
			want.VMJob = 0
		}
		if c != want {
			t.Errorf("change %d is %+v, want %+v", i, c, want)
		}
	}
	if again := diff.Since(job.Told{}.TellAll(found, &seen, time.Time{}), &seen); len(again) > 0 {
		t.Errorf("told again: %+v", again[0])
	}
}

func TestSinceReason(t *testing.T) {
	running := from(state("Running"))
	busy := from(state("Running"), reason("12 of 40 streams in use"))
	noMedia := from(state("Pending"), coded("no media", "19:579"))
	for _, row := range []row{
		first(reason("no media")).tells("failure.reason null→no media"),
		first(state("Failed"), reason("no media")).tells("state.failed null→Failed", "failure.state null→Failed"),
		running.to(coded("no media", "19:579")).tells("failure.reason null→no media [19:579]"),
		running.to(coded("", "19:579")).tells("failure.reason null→19:579 [19:579]"),
		running.to(reason("404")).tells("failure.reason null→404"),

		busy.to().tells(),
		busy.to(reason("13 of 40 streams in use")).tells(),
		busy.to(reason("13 of 40 readers in use")).
			tells("failure.reason 12 of 40 streams in use→13 of 40 readers in use"),
		busy.to(coded("13 of 40 streams in use", "19:579")).tells(),

		noMedia.to(coded("keine Medien", "19:579")).tells(),
		noMedia.to(coded("no media", "19:580")).tells("failure.reason no media→no media [19:580]"),
		noMedia.to(reason("no media")).tells(),
		noMedia.to(reason("no drive")).tells("failure.reason no media→no drive"),
		noMedia.to(coded("", "19:579")).tells(),

		noMedia.to(noReason()).tells(),
		noMedia.to(noReason()).to(coded("no media", "19:579")).tells(),
		noMedia.to(noReason()).to(coded("no drive", "19:580")).
			tells("failure.reason no media→no drive [19:580]"),
		noMedia.to(noReason(), state("Running")).to(state("Pending"), coded("no media", "19:579")).
			tells("state.pending Running→Pending", "failure.reason null→no media [19:579]"),
		noMedia.to(state("Running")).to(state("Pending")).tells("state.pending Running→Pending"),
		noMedia.to(noReason()).to(state("Running"), coded("no media", "19:579")).
			tells("state.running Pending→Running"),

		noMedia.to(state("Killed"), reason("killed by admin")).
			tells("state.killed Pending→Killed", "failure.state Pending→Killed"),
		noMedia.to(state("Abgebrochen"), reason("no drive"), ended()).
			tells("state.abgebrochen Pending→Abgebrochen"),
	} {
		row.check(t)
	}
}
