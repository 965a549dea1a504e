package job

import (
	"strings"
	"testing"
)

func TestLookUp(t *testing.T) {
	for _, row := range []struct {
		state Text
		want  StateInfo
	}{
		{"Running", StateInfo{Active, false, Info}},
		{"Running (cannot be verified)", StateInfo{Active, false, Info}},
		{"Suspend Pending", StateInfo{Active, false, Info}},
		{"Kill Pending", StateInfo{Active, false, Info}},
		{"Interrupt Pending", StateInfo{Active, false, Info}},
		{"Resume Pending", StateInfo{Active, false, Info}},
		{"Abnormal Terminated Cleanup", StateInfo{Active, false, Warning}},
		{"Waiting", StateInfo{Queued, false, Info}},
		{"Queued", StateInfo{Queued, false, Info}},
		{"Not Started", StateInfo{Queued, false, Info}},
		{"Pending", StateInfo{Held, false, Info}},
		{"Suspended", StateInfo{Held, false, Info}},
		{"Interrupted", StateInfo{Held, false, Info}},
		{"Completed", StateInfo{Succeeded, true, Info}},
		{"Completed w/ one or more warnings", StateInfo{Succeeded, true, Warning}},
		{"Completed w/ one or more errors", StateInfo{Partial, true, Warning}},
		{"Committed", StateInfo{Partial, true, Warning}},
		{"Failed", StateInfo{Failed, true, Error}},
		{"Failed to Start", StateInfo{Failed, true, Error}},
		{"Killed", StateInfo{Killed, true, Warning}},
		{" rUNNING\t", StateInfo{Active, false, Info}},
		{"Wird gesichert", StateInfo{Unknown, false, Info}},
		{"", StateInfo{Unknown, false, Info}},
	} {
		if got := LookUp(row.state, false); got != row.want {
			t.Errorf("%q is %v, want %v", row.state, got, row.want)
		}
	}
	if len(states) != 20 {
		t.Errorf("%d states are known, the contract has 20", len(states))
	}
}

// Only a state that nobody knows is finished by its end time; a running job may carry one.
func TestLookUpOfWhatEnded(t *testing.T) {
	for state, finished := range map[Text]bool{
		"Running": false, "Pending": false, "Completed": true, "Fehlgeschlagen": true, "": true,
	} {
		if got := LookUp(state, true).Finished; got != finished {
			t.Errorf("%q with an end time: finished is %t, want %t", state, got, finished)
		}
	}
}

func TestFailing(t *testing.T) {
	for class, failing := range map[Class]bool{
		Queued: false, Active: false, Held: false, Succeeded: false, Unknown: false,
		Partial: true, Failed: true, Killed: true,
	} {
		if class.Failing() != failing {
			t.Errorf("%s: failing is %t, want %t", class, class.Failing(), failing)
		}
	}
}

func TestSame(t *testing.T) {
	for _, row := range []struct {
		a, b Text
		want bool
	}{
		{"Running", "running ", true},
		{"\tÜBERTRAGUNG", "Übertragung\n", true},
		{"", " ", true},
		{"Running", "Running (cannot be verified)", false},
		{"Archive Index", "Archive  Index", false},
		{"Failed", "", false},
	} {
		if got := Same(row.a, row.b); got != row.want {
			t.Errorf("Same(%q, %q) = %t, want %t", row.a, row.b, got, row.want)
		}
	}
}

func TestSlug(t *testing.T) {
	for _, row := range []struct{ words, want Text }{
		{"Running", "running"},
		{"Completed w/ one or more errors", "completed_with_errors"},
		{"completed W/ One Or More Warnings", "completed_with_warnings"},
		{"Failed to Start", "failed_to_start"},
		{"Running (cannot be verified)", "running_cannot_be_verified"},
		{"Archive Index", "archive_index"},
		{"  Scan -- 2 / 3 ", "scan_2_3"},
		{"a__b", "a_b"},
		{"Übertragung läuft", "übertragung_läuft"},
		{"バックアップ中", "バックアップ中"},
		{"a.b>c*d e", "a_b_c_d_e"},
		{"", "unknown"},
		{" ", "unknown"},
		{"_?!_", "unknown"},
		{Text(strings.Repeat("x", 65)), Text(strings.Repeat("x", 64))},
		{Text(strings.Repeat("ä", 65)), Text(strings.Repeat("ä", 64))},
		{Text(strings.Repeat("x", 63) + " y"), Text(strings.Repeat("x", 63))},
		{Text("  " + strings.Repeat("x", 64)), Text(strings.Repeat("x", 64))},
	} {
		if got := Slug(row.words); Text(got) != row.want {
			t.Errorf("Slug(%q) = %q, want %q", row.words, got, row.want)
		}
	}
}
