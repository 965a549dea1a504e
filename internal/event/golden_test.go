package event

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/testing/golden"
)

// TestGolden pins the form of an event: the names of all members are a promise to subscribers.
func TestGolden(t *testing.T) {
	completed := seen(everything())
	vm := job.Change{Kind: job.KindFailure, Detail: job.DetailVM, From: "host down", To: "disk full", VM: "mail.example.com", VMGUID: "5036e64d", VMJob: 1249}
	reason := job.Change{Kind: job.KindFailure, Detail: job.DetailReason, To: "no media", Code: "19:579"}
	pending := job.Snapshot{State: "Pending", Phase: "Backup", Client: "skma_2", Reason: "no media", ReasonCode: "19:579"}
	of := func(c job.Change, o job.Observation, notBefore time.Time) func(*Minter) (Event, error) {
		return func(m *Minter) (Event, error) { return m.Job(3, c, o, notBefore) }
	}
	for file, mint := range map[string]func(*Minter) (Event, error){
		"state.json":  of(stateChange("Running", "Completed"), completed, asked),
		"vm.json":     of(vm, seen(job.Snapshot{State: "Running", Machines: []job.VM{{Name: "mail.example.com", GUID: "5036e64d", Reason: "disk full"}}}), asked),
		"reason.json": of(reason, seen(pending), time.Time{}),
		"unreachable.json": func(m *Minter) (Event, error) {
			unreachable := job.Change{Kind: job.KindCommCell, Detail: job.DetailUnreachable}
			return m.CommCell(1, unreachable, job.ID{CommCell: "prod"}, answered, "no route to host")
		},
		"reachable.json": func(m *Minter) (Event, error) {
			reachable := job.Change{Kind: job.KindCommCell, Detail: job.DetailReachable}
			return m.CommCell(2, reachable, job.ID{CommCell: "prod"}, answered, "")
		},
	} {
		t.Run(file, func(t *testing.T) {
			e, err := mint(&Minter{epoch: "q7m2xk3vb4t6hs5c"})
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, file, message(t, e))
		})
	}
}

func compareGolden(t *testing.T, file string, message []byte) {
	t.Helper()
	var got bytes.Buffer
	if err := json.Indent(&got, message, "", "  "); err != nil {
		t.Fatal(err)
	}
	got.WriteByte('\n')
	golden.Is(t, file, got.String())
}

// everything is a snapshot with each member said, no two alike.
func everything() job.Snapshot {
	at := func(minute int) *time.Time {
		return new(time.Date(2026, 11, 23, 13, minute, 0, 0, time.UTC))
	}
	return job.Snapshot{
		CommCell: "prod", Number: 1248, State: "Completed",
		Client: "skma_2", DestinationClient: "skma_3", Agent: "Windows File System", Instance: "DefaultInstanceName",
		Backupset: "defaultBackupSet", Subclient: "default", StoragePolicy: "disk", MediaAgent: "ma1",
		Operation: "Backup", BackupLevel: "Incremental", StartedBy: "admin", StartedFrom: "Schedule",
		SystemState: "Yes", SoftwareCompression: "On Client",
		Priority: new(int64(266)), ParentJob: new(int64(1200)), Attempt: new(int64(2)),
		StartTime: at(0), EndTime: at(59), LastUpdateTime: at(58), EstimatedCompletionTime: at(57),
		ElapsedSeconds: new(int64(3540)), TransferSeconds: new(int64(3000)),
		PercentComplete: new(100.0), TotalFiles: new(int64(5000)), FilesTransferred: new(int64(4990)),
		Objects: new(int64(5010)), SkippedItems: new(int64(7)), Streams: new(int64(4)),
		SizeOfApplication: new(int64(9007199254740993)), DataWritten: new(int64(2048)), DataTransferred: new(int64(1024)),
		UncompressedBytes: new(int64(8192)), CompressedBytes: new(int64(4096)), SizeOfMediaOnDisk: new(int64(512)),
		SavingsPercent: new(-0.5), AverageThroughput: new(12.25), CurrentThroughput: new(13.5), Throughput: new(11.75),
		Failures: "1 Folders, 3 Files", Reason: "a <reason> & more", ReasonCode: "19:579",
		Machines:  []job.VM{{Name: "mail", Reason: "disk full"}, {Name: "db"}},
		Truncated: []string{"startedBy", "vms"},
	}
}
