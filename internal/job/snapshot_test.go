package job

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"
)

var ended = time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)

func TestSettle(t *testing.T) {
	for _, row := range []struct {
		words    string
		seen     Snapshot
		class    Text
		terminal bool
		phase    Text
	}{
		{"a running job", Snapshot{State: "Running", Phase: "Scan"}, "active", false, "Scan"},
		{"a completed job", Snapshot{State: "Completed", Phase: "Archive Index"}, "succeeded", true, ""},
		{"a localized state", Snapshot{State: "Beendet", Phase: "Scan"}, "unknown", false, "Scan"},
		{"a localized state with an end", Snapshot{State: "Beendet", Phase: "Scan", EndTime: &ended}, "unknown", true, ""},
		{"a running job with an end", Snapshot{State: "Running", Phase: "Scan", EndTime: &ended}, "active", false, "Scan"},
		{"no state", Snapshot{Phase: "Scan"}, "", false, "Scan"},
		{"no state and an end", Snapshot{Phase: "Scan", EndTime: &ended}, "", true, ""},
	} {
		got := row.seen
		got.Settle()
		if got.StateClass != row.class || got.Terminal != row.terminal || got.Phase != row.phase {
			t.Errorf("%s: class %q, terminal %t, phase %q; want %q, %t, %q",
				row.words, got.StateClass, got.Terminal, got.Phase, row.class, row.terminal, row.phase)
		}
	}
}

func TestSettleCounts(t *testing.T) {
	s := Snapshot{
		State: "Running", Failures: "2 Folders, 3 Files",
		Machines: []VM{{Name: "mail", Reason: "disk full"}, {Name: "db"}, {Name: "web", Reason: "host down"}},
	}
	s.Settle()
	if *s.FailedFolders != 2 || *s.FailedFiles != 3 {
		t.Errorf("%d folders and %d files failed, want 2 and 3", *s.FailedFolders, *s.FailedFiles)
	}
	if s.VMs.Total != 3 || s.VMs.Failed != 2 {
		t.Errorf("machines: %+v, want 2 of 3 failed", *s.VMs)
	}

	silent := Snapshot{State: "Running", Failures: "N/A"}
	silent.Settle()
	if silent.FailedFolders != nil || silent.FailedFiles != nil || silent.VMs != nil {
		t.Errorf("counts that nobody told: %v, %v, %v", silent.FailedFolders, silent.FailedFiles, silent.VMs)
	}
}

func TestUpdated(t *testing.T) {
	later := ended.Add(time.Minute)
	for _, row := range []struct {
		words string
		seen  Snapshot
		want  time.Time
	}{
		{"no time", Snapshot{StartTime: &ended}, time.Time{}},
		{"an update", Snapshot{LastUpdateTime: &ended}, ended},
		{"an end", Snapshot{EndTime: &ended}, ended},
		{"an end after the update", Snapshot{LastUpdateTime: &ended, EndTime: &later}, later},
		{"an update after the end", Snapshot{LastUpdateTime: &later, EndTime: &ended}, later},
	} {
		if got := row.seen.Updated(); !got.Equal(row.want) {
			t.Errorf("%s: updated %v, want %v", row.words, got, row.want)
		}
	}
}

// What was not said is null, never left out and never zero; the machines themselves are no part of an event.
func TestSnapshotSaysWhatItDoesNotKnow(t *testing.T) {
	s := Snapshot{CommCell: "prod", Number: 1248, Machines: []VM{{Name: "mail"}}, Truncated: []string{"client"}}
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(encoded, &members); err != nil {
		t.Fatal(err)
	}
	said := map[string]any{"commcell": "prod", "id": 1248.0, "terminal": false}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if got, want := members[name], said[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if want := reflect.TypeFor[Snapshot]().NumField() - 2; len(members) != want { // without Machines and Truncated
		t.Errorf("%d members, want %d: %v", len(members), want, slices.Sorted(maps.Keys(members)))
	}
}
