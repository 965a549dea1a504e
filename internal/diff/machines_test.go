package diff_test

import (
	"testing"
	"time"

	"jobwatch/internal/job"
)

// A machine is its GUID, else its name.
func TestMachinesOfOneNameAreTwo(t *testing.T) {
	two := from(state("Running"), machine("app/g-1", ""), machine("app/g-2", "no snapshot"), machine("db/g-3", ""))
	for _, row := range []row{
		first(machine("app/g-1", "no snapshot"), machine("app/g-2", "no snapshot")).
			tells("failure.vm app/g-1 null→no snapshot", "failure.vm app/g-2 null→no snapshot"),
		two.to().tells(),
		two.to(machine("app/g-1", "no snapshot")).tells("failure.vm app/g-1 null→no snapshot"),
		two.to(machine("app/g-1", "no snapshot")).to().tells(),
		two.to(machine("app/g-1", "no snapshot")).to(machine("app/g-2", "host down")).
			tells("failure.vm app/g-2 no snapshot→host down"),
		two.to(machine("app", "no snapshot")).tells("failure.vm app null→no snapshot"), // beside them one without a GUID
		two.to(machine("app", "no snapshot")).to().tells(),
		two.to(gone("app/g-2"), machine("renamed/g-2", "no snapshot")).tells(),
		two.to(gone("app/g-2"), machine("renamed/g-2", "host down")).tells("failure.vm renamed/g-2 no snapshot→host down"),
	} {
		row.check(t)
	}
}

// What an older version told names machines only.
func TestMachinesToldByNameAlone(t *testing.T) {
	told := from(state("Running"), machine("app", "no snapshot"))
	one := func(called string, reason job.Text) row { return told.to(gone("app"), machine(called, reason)) }
	two := func(first, second job.Text) row {
		return told.to(gone("app"), machine("app/g-1", first), machine("app/g-2", second))
	}
	for _, row := range []row{
		one("app/g-1", "no snapshot").tells(),
		one("app/g-1", "").to(machine("app/g-1", "no snapshot")).tells(),
		one("app/g-1", "host down").tells("failure.vm app/g-1 no snapshot→host down"),
		one("app/g-1", "host down").to().tells(),
		one("app/g-1", job.Unexplained).tells(),
		one("db/g-1", "no snapshot").tells("failure.vm db/g-1 null→no snapshot"),

		two("no snapshot", "").tells(),
		two("", "no snapshot").tells(),
		two("no snapshot", "host down").tells("failure.vm app/g-2 null→host down"),
		two("host down", "no snapshot").tells("failure.vm app/g-1 null→host down"),
		two("host down", "no snapshot").to().tells(),
		two("host down", "locked").tells("failure.vm app/g-1 no snapshot→host down", "failure.vm app/g-2 null→locked"),
		two("host down", "locked").to().tells(),
		two("no snapshot", "no snapshot").tells("failure.vm app/g-2 null→no snapshot"), // one of them was told
		two("no snapshot", "no snapshot").to().tells(),

		told.to(machine("app/g-1", "no snapshot")).tells("failure.vm app/g-1 null→no snapshot"), // the other is still there
		told.to(machine("app", ""), machine("app/g-1", "no snapshot")).tells("failure.vm app/g-1 null→no snapshot"),
	} {
		row.check(t)
	}
}

// Watchers of two versions may tell in turn.
func TestMachinesToldByAnOlderWatcherMeanwhile(t *testing.T) {
	r := from(state("Running"), machine("app/g-1", "no snapshot"))
	r.told = r.told.Tell(job.Change{Kind: job.KindFailure, Detail: job.DetailVM, VM: "app", From: "no snapshot", To: "host down"}, &r.last, time.Time{})
	r.again(machine("app/g-1", "host down")).tells().check(t)
	r.again(machine("app/g-1", "locked")).tells("failure.vm app/g-1 host down→locked").check(t)
	r.again(machine("app/g-1", "no snapshot")).tells("failure.vm app/g-1 host down→no snapshot").check(t)
}

// The lines of a reason are a set, and their numbers say nothing.
func TestReasonsOfMachinesAreSets(t *testing.T) {
	one := from(state("Running"), machine("db/g-2", "Disk [d-1] is gone."))
	both := one.to(machine("db/g-2", "Disk [d-1] is gone.\nDisk [d-2] is gone."))
	try := from(state("Running"), machine("db/g-2", "try 1 of 5, next in 30 s"))
	silent := from(state("Running"), machine("db/g-2", job.Unexplained))
	for _, row := range []row{
		both.tells("failure.vm db/g-2 Disk [d-1] is gone.→Disk [d-1] is gone.\nDisk [d-2] is gone."),
		both.to(machine("db/g-2", "Disk [d-2] is gone.\nDisk [d-1] is gone.")).tells(),
		try.to(machine("db/g-2", "try 2 of 5, next in 60 s")).tells(),
		silent.to(machine("db/g-2", "no snapshot")).tells("failure.vm db/g-2 " + string(job.Unexplained) + "→no snapshot"),
		silent.to(machine("db/g-2", "no snapshot")).to(machine("db/g-2", job.Unexplained)).tells(),
	} {
		row.check(t)
	}
}
