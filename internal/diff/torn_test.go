package diff_test

import "testing"

// A watcher that dies over its events leaves the first of them told; the next tells the rest.
func TestSinceTorn(t *testing.T) {
	lost := []mark{state("Failed"), failures("0 Folders, 3 Files"), machine("mail", "disk full")}
	torn := from(state("Running"), phase("Scan")).to(lost...)
	pending := from(state("Running"), phase("Scan")).
		to(state("Pending"), phase("Backup"), coded("no media", "19:579"), attempt(2))
	for _, row := range []row{
		torn.toldOnly(1).again().tells(
			"failure.state Running→Failed", "failure.items null→0 Folders, 3 Files",
			"failure.vm mail null→disk full"),
		torn.toldOnly(2).again().tells("failure.items null→0 Folders, 3 Files", "failure.vm mail null→disk full"),
		torn.toldOnly(3).again().tells("failure.vm mail null→disk full"),
		torn.toldOnly(4).again().tells(),
		torn.toldOnly(1).again(state("Running")).tells("state.running Failed→Running",
			"failure.items null→0 Folders, 3 Files", "failure.vm mail null→disk full"),
		torn.toldOnly(1).again(state("Killed")).tells("state.killed Failed→Killed", "failure.state Failed→Killed",
			"failure.items null→0 Folders, 3 Files", "failure.vm mail null→disk full"),
		pending.toldOnly(1).again().tells("phase.backup Scan→Backup",
			"failure.reason null→no media [19:579]", "watch.attempt null→2"),
		pending.toldOnly(1).again(phase("Archive Index"), noReason()).
			tells("phase.archive_index Scan→Archive Index", "watch.attempt null→2"),
		pending.toldOnly(3).again().tells("watch.attempt null→2"),
	} {
		row.check(t)
	}
}
