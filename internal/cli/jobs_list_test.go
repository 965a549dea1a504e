package cli

import (
	"strings"
	"testing"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// TestJobsThatAnotherMemberFollows: of a job that is not at its end the list says who follows it, as the page does.
func TestJobsThatAnotherMemberFollows(t *testing.T) {
	running := store.Listed{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: "Running"}, Why: store.Discovered, FollowedBy: "w2"}
	ended, own := running, running
	ended.Snapshot.Number, ended.Snapshot.State, ended.Why = 72, "Completed", ""
	ended.Snapshot.Settle()
	own.Snapshot.Number, own.FollowedBy = 73, ""
	var table, array strings.Builder
	for _, list := range []jobList{newJobTable(&table), newJobArray(&array)} {
		for _, l := range []store.Listed{running, ended, own} {
			if err := list.add(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := list.end(); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(table.String(), "\n")
	if !strings.Contains(lines[1], "  followed by w2  ") || strings.Contains(lines[2], "w2") || !strings.Contains(lines[3], "  discovered  ") {
		t.Errorf("the table:\n%s", table.String())
	}
	if text := array.String(); strings.Count(text, `"followedBy":"w2"`) != 2 || strings.Count(text, `"followedBy":null`) != 1 {
		t.Errorf("the array:\n%s", text)
	}
}
