package console

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/testing/golden"
	"jobwatch/internal/testing/terminal"
)

func TestPage(t *testing.T) {
	cet := time.FixedZone("CET", 3600)
	begun, ended := at(20, 0), at(21, 30)
	partial := store.Listed{
		Why: "closing", Seen: ended.Add(5 * time.Second), Sequence: 9, Unsent: 2,
		Snapshot: job.Snapshot{
			CommCell: "prod", Number: 1248, State: "Completed w/ one or more errors", Client: "vc", DestinationClient: "vc", Agent: "Virtual Server",
			Operation: "Backup", BackupLevel: "Unknown", StartedBy: "anna", StartedFrom: "Schedule", ParentJob: new(int64(1240)),
			StartTime: &begun, EndTime: &ended, PercentComplete: new(100.0), SizeOfApplication: new(int64(105558631797)), SavingsPercent: new(12.25),
			FilesTransferred: new(int64(8000)), TotalFiles: new(int64(8172)), Failures: "0 Folders, 0 Files",
			Machines: []job.VM{
				{Name: "cache-21", Reason: "No space left.", Job: new(int64(1249)), Agent: "proxy-01"}, {Name: "web-1"},
				{Name: "app-3", Reason: "Quiescing failed."}, {Name: "sql-44", Reason: "No space left."},
			},
		},
	}
	for n := range 12 {
		partial.Snapshot.Machines = append(partial.Snapshot.Machines, job.VM{Name: "well-" + string(rune('a'+n))})
	}
	running := store.Listed{
		Why: "discovered", Seen: ended, Sequence: 2, Told: job.Told{Stalled: true, StateSince: begun.Unix(), StalledSince: ended.Unix()}, Progress: &store.Progress{Percent: new(62.5), Asked: ended},
		Snapshot: job.Snapshot{
			CommCell: "prod", Number: 1250, State: "Running", Phase: "Backup", Client: "sql-01", DestinationClient: "sql-02", StartTime: &begun,
			Reason: "The tape is full.\nPut in another.", ReasonCode: "19:579", PercentComplete: new(3.0), EstimatedCompletionTime: &ended, Attempt: new(int64(2)),
		},
	}
	unseen := store.Listed{Why: store.ByHand, Snapshot: job.Snapshot{CommCell: "prod", Number: 7}}
	clock := clockAt(cet, at(22, 0), true)
	for name, l := range map[string]*store.Listed{"page-partial": &partial, "page-running": &running, "page-unseen": &unseen} {
		l.Snapshot.Settle()
		golden.Is(t, name+".golden", ansi.Strip(strings.Join(Page(Screen{Width: 100, Unicode: true}, clock, l), "\n"))+"\n")
	}
}

// TestPageCannotMoveTheTerminal has every text of a job come from somebody hostile.
func TestPageCannotMoveTheTerminal(t *testing.T) {
	const evil = terminal.Evil
	l := store.Listed{Snapshot: job.Snapshot{
		CommCell: "prod", Number: 1, State: evil, Phase: evil, Client: evil, DestinationClient: evil + "2", Agent: evil, Instance: evil, Backupset: evil,
		Subclient: evil, StoragePolicy: evil, MediaAgent: evil, Operation: evil, BackupLevel: evil, StartedBy: evil, StartedFrom: evil,
		Failures: evil, Reason: evil, ReasonCode: evil,
		Machines: []job.VM{{Name: evil, Agent: evil, Host: evil}, {Name: evil, Agent: evil, Host: evil, Reason: evil}},
	}}
	l.Snapshot.Settle()
	for _, line := range Page(Screen{}, clockAt(time.UTC, at(22, 0), false), &l) {
		if strings.Contains(line, "fs") {
			terminal.Harmless(t, "the page", line)
		}
	}
}
