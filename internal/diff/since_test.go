package diff_test

import "testing"

func TestSinceState(t *testing.T) {
	for _, row := range []row{
		first(state("Running")).tells("state.running null→Running"),
		first(state("Running"), phase("Scan")).tells("state.running null→Running", "phase.scan null→Scan"),
		first(state("Completed")).tells("state.completed null→Completed"),
		first(noState()).tells(),
		first(noState(), phase("Scan"), reason("no media")).tells("phase.scan null→Scan", "failure.reason null→no media"),
		from(state("Running")).to().tells(),
		from(state("Running")).to(state(" RUNNING ")).tells(),
		from(state("Running")).to(state("Waiting")).tells("state.waiting Running→Waiting"),
		from(state("Waiting")).to(state("Pending")).tells("state.pending Waiting→Pending"),
		from(state("Running")).to(state("Suspended")).tells("state.suspended Running→Suspended"),
		from(state("Suspended")).to(state("Running")).tells("state.running Suspended→Running"),
		from(state("Running")).to(state("Completed")).tells("state.completed Running→Completed"),
		from(state("Running")).to(state("Completed w/ one or more warnings")).
			tells("state.completed_with_warnings Running→Completed w/ one or more warnings"),
		from(state("Completed")).to(state("Running")).tells("state.running Completed→Running"),
		from(state("Running")).to(noState()).tells(),
		from(state("Running")).to(noState()).to(state("Running")).tells(),
		from(state("Running")).to(noState()).to(state("Pending")).tells("state.pending Running→Pending"),
		from(state("Running")).to(noState(), phase("Backup")).tells("phase.backup null→Backup"),
		from(state("Running")).to(state("Wird gesichert")).tells("state.wird_gesichert Running→Wird gesichert"),
		from(state("Running")).to(state("完了")).tells("state.完了 Running→完了"),
		from(state("Running")).to(state("?!")).tells("state.unknown Running→?!"),
	} {
		row.check(t)
	}
}

func TestSincePhase(t *testing.T) {
	scanning := []mark{state("Running"), phase("Scan")}
	for _, row := range []row{
		from(scanning...).to(phase("Backup")).tells("phase.backup Scan→Backup"),
		from(scanning...).to(phase("Archive Index")).tells("phase.archive_index Scan→Archive Index"),
		from(scanning...).to(phase("scan ")).tells(),
		from(scanning...).to(noPhase()).tells(),
		from(scanning...).to(noPhase()).to(phase("Scan")).tells(),
		from(scanning...).to(noPhase()).to(phase("Backup")).tells("phase.backup Scan→Backup"),
		from(scanning...).to(phase("Backup")).to(phase("Scan")).tells("phase.scan Backup→Scan"),
		from(scanning...).to(state("Completed"), phase("Backup")).tells("state.completed Running→Completed"),
		from(scanning...).to(state("Completed")).to(state("Running")).tells("state.running Completed→Running"),
		from(scanning...).to(state("Beendet"), phase("Backup")).
			tells("state.beendet Running→Beendet", "phase.backup Scan→Backup"),
		from(scanning...).to(state("Beendet"), phase("Backup"), ended()).tells("state.beendet Running→Beendet"),
		from(scanning...).to(noState(), phase("Backup"), ended()).tells(),
	} {
		row.check(t)
	}
}

func TestSinceAttempt(t *testing.T) {
	one := from(state("Running"), failures("0 Folders, 3 Files"), machine("mail", "disk full"), attempt(1))
	for _, row := range []row{
		first(state("Running"), attempt(1)).tells("state.running null→Running", "watch.attempt null→1"),
		one.to().tells(),
		one.to(attempt(2)).tells("watch.attempt 1→2"),
		one.to(attempt(2)).to().
			tells("failure.items null→0 Folders, 3 Files", "failure.vm mail null→disk full"),
		one.to(attempt(2), failures("0 Folders, 0 Files"), machine("mail", "")).
			to(failures("0 Folders, 1 Files"), machine("mail", "disk full")).
			tells("failure.items null→0 Folders, 1 Files", "failure.vm mail null→disk full"),
		one.to(attempt(2)).to(attempt(1)).
			tells("failure.items null→0 Folders, 3 Files", "failure.vm mail null→disk full"), // no attempt is new
		one.to(attempt(2)).to().to(attempt(1)).tells(),
		one.to(attempt(2)).to().to(attempt(1)).to(attempt(2)).tells(),
		one.to(noAttempt()).tells(),
		one.to(noAttempt()).to(attempt(1)).tells(),
		one.to(attempt(9)).to().to(attempt(10)).tells("watch.attempt 9→10"),
		one.to(noAttempt(), failures("0 Folders, 4 Files")).tells("failure.items 0 Folders, 3 Files→0 Folders, 4 Files"),
		one.to(attempt(2), reason("no media"), phase("Scan")).
			tells("phase.scan null→Scan", "failure.reason null→no media", "watch.attempt 1→2"),
	} {
		row.check(t)
	}
}

// A state from null begins the job anew, for whoever reads the stream too.
func TestSinceNullState(t *testing.T) {
	unnamed := from(noState(), phase("Scan"), failures("0 Folders, 3 Files"), machine("mail", "disk full"),
		reason("no media"))
	unnamed.to().tells().check(t)
	unnamed.to(state("Running")).tells(
		"state.running null→Running", "phase.scan null→Scan", "failure.items null→0 Folders, 3 Files",
		"failure.vm mail null→disk full", "failure.reason null→no media",
	).check(t)
	from(state("Running"), phase("Scan")).to(noState(), phase("Backup")).tells("phase.backup Scan→Backup").check(t)
}

func TestSinceOrder(t *testing.T) {
	everything := []mark{
		attempt(1), reason("no media"), machine("mail", "disk full"), machine("db", "host down"),
		failures("1 Folders, 0 Files"), phase("Backup"), state("Fehler"),
	}
	from(state("Running"), attempt(1)).to(everything...).tells(
		"state.fehler Running→Fehler", "phase.backup null→Backup",
		"failure.items null→1 Folders, 0 Files", "failure.vm mail null→disk full",
		"failure.vm db null→host down", "failure.reason null→no media",
	).check(t)
	from(state("Running"), attempt(1)).to(append(everything, state("Failed"))...).tells(
		"state.failed Running→Failed", "failure.state Running→Failed", "failure.items null→1 Folders, 0 Files",
		"failure.vm mail null→disk full", "failure.vm db null→host down",
	).check(t)
	from(state("Running")).to(everything...).tells(
		"state.fehler Running→Fehler", "phase.backup null→Backup", "failure.reason null→no media",
		"watch.attempt null→1",
	).check(t)
}
