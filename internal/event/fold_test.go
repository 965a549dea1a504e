package event

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/job"
)

func fold(t *testing.T, events ...Event) Fold {
	t.Helper()
	var f Fold
	for i, e := range events {
		f.Add(uint64(100+i), message(t, e))
	}
	return f
}

func TestFold(t *testing.T) {
	running := job.Snapshot{State: "Running", Phase: "Backup"}
	last := mint(t, 3, phaseChange("Scan", "Backup"), running)
	f := fold(t,
		mint(t, 1, stateChange("", "Running"), job.Snapshot{State: "Running", Phase: "Scan"}),
		mint(t, 2, phaseChange("", "Scan"), job.Snapshot{State: "Running", Phase: "Scan"}),
		last,
	)
	if want := (job.Told{State: "Running", Phase: "Backup", StateSince: answered.Unix()}); !reflect.DeepEqual(f.Told, want) {
		t.Errorf("told %+v, want %+v", f.Told, want)
	}
	if want := seen(running).Snapshot; !reflect.DeepEqual(f.Snapshot, want) {
		t.Errorf("the job is %+v, want %+v", f.Snapshot, want)
	}
	if f.Last.Data != nil {
		t.Errorf("the fold holds on to %d bytes of data", len(f.Last.Data))
	}
	if f.Last.ID != last.ID || f.Last.Number() != 3 || f.Stream != 102 || !f.Asked.Equal(asked) || f.Empty() {
		t.Errorf("last %s number %d, stream %d, asked %v, empty %t",
			f.Last.ID, f.Last.Number(), f.Stream, f.Asked, f.Empty())
	}
}

// The changes count, not the job of the last event: the rest of its observation may be untold.
func TestFoldTellsNoMoreThanTheEvents(t *testing.T) {
	failed := job.Snapshot{State: "Failed", Failures: "0 Folders, 3 Files", Attempt: new(int64(1))}
	f := fold(t,
		mint(t, 1, stateChange("", "Running"), job.Snapshot{State: "Running"}),
		mint(t, 2, stateChange("Running", "Failed"), failed),
	)
	if want := (job.Told{State: "Failed", StateBefore: "Running", StateSince: answered.Unix()}); !reflect.DeepEqual(f.Told, want) {
		t.Errorf("told %+v, want %+v", f.Told, want)
	}
}

// Where the first events are gone, the job of the oldest that is left stands for them.
func TestFoldWithoutItsFirstEvents(t *testing.T) {
	scanning := job.Snapshot{State: "Running", Phase: "Scan", Failures: "0 Folders, 3 Files", Attempt: new(int64(1))}
	backup := scanning
	backup.Phase = "Backup"
	f := fold(t,
		mint(t, 4, phaseChange("", "Scan"), scanning),
		mint(t, 5, phaseChange("Scan", "Backup"), backup),
	)
	want := job.Told{State: "Running", Phase: "Backup", Items: "0 Folders, 3 Files", Files: 3, Attempt: "1"}
	if !reflect.DeepEqual(f.Told, want) {
		t.Errorf("told %+v, want %+v", f.Told, want)
	}
}

// An older version's events name machines only, and theirs had no other member.
func TestFoldOfMachines(t *testing.T) {
	failed := func(number uint64, guid string, from, to job.Text) Event {
		change := job.Change{Kind: job.KindFailure, Detail: job.DetailVM, From: from, To: to, VM: "mail", VMGUID: guid}
		return mint(t, number, change, job.Snapshot{State: "Running"})
	}
	older := failed(2, "", "", "disk full")
	if written := string(message(t, older)); strings.Contains(written, "vmGuid") {
		t.Fatalf("a machine without a GUID: %s", written)
	}
	begun := mint(t, 1, stateChange("", "Running"), job.Snapshot{State: "Running"})
	for words, row := range map[string]struct {
		events []Event
		want   job.Told
	}{
		"older": {[]Event{begun, older}, job.Told{State: "Running", StateSince: answered.Unix(), VMs: map[string]job.Text{"mail": "disk full"}}},
		"older, then newer": {[]Event{begun, older, failed(3, "g-1", "disk full", "host down")},
			job.Told{State: "Running", StateSince: answered.Unix(), VMs: map[string]job.Text{"mail": "host down"}, VMGUIDs: map[string]job.Text{"mail": "g-1"}}},
		"older, then newer of another machine": {[]Event{begun, older, failed(3, "g-2", "", "host down")},
			job.Told{State: "Running", StateSince: answered.Unix(), VMs: map[string]job.Text{"mail": "disk full", "mail (g-2)": "host down"}, VMGUIDs: map[string]job.Text{"mail (g-2)": "g-2"}}},
	} {
		if f := fold(t, row.events...); !reflect.DeepEqual(f.Told, row.want) {
			t.Errorf("%s: told %+v, want %+v", words, f.Told, row.want)
		}
	}
}

func TestFoldSkipsWhatIsNoneOfOurs(t *testing.T) {
	e := mint(t, 1, stateChange("", "Running"), job.Snapshot{State: "Running"})
	dataless := e
	dataless.ID, dataless.Data = "another", []byte(`"no object"`)
	want := fold(t, e)
	got := want
	for i, foreign := range [][]byte{[]byte("hello"), nil, []byte(`{"specversion":"1.0","type":"com.example"}`), encode(t, dataless)} {
		got.Add(uint64(200+i), foreign)
	}
	want.Stream = 203 // its sequence counts
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	var nothing Fold
	nothing.Add(7, []byte("hello"))
	if !nothing.Empty() || nothing.Stream != 7 {
		t.Errorf("of nothing of ours: empty %t, stream %d; want true, 7", nothing.Empty(), nothing.Stream)
	}
	nothing.Add(8, message(t, e)) // number 1 after foreign messages: nothing is gone
	if nothing.Told.State != "Running" || nothing.Empty() {
		t.Errorf("after the first event: %+v", nothing)
	}
}

func TestFoldWithoutNotBefore(t *testing.T) {
	e, err := NewMinter(nil).Job(2, phaseChange("", "Scan"), seen(job.Snapshot{Phase: "Scan"}), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	f := fold(t, mint(t, 1, stateChange("", "Running"), job.Snapshot{State: "Running"}), e)
	if !f.Asked.IsZero() {
		t.Errorf("asked %v, want the zero time", f.Asked)
	}
}

func TestFoldOfCommCell(t *testing.T) {
	down := mintCommCell(t, 1, job.DetailUnreachable, "no route to host")
	up := mintCommCell(t, 2, job.DetailReachable, "")
	if f := fold(t, down); !f.Told.Unreachable || f.Last.ID != down.ID {
		t.Errorf("after unreachable: %+v", f)
	}
	if f := fold(t, down, up); f.Told.Unreachable || f.Last.Number() != 2 || f.Stream != 101 {
		t.Errorf("after reachable: %+v", f)
	}
}
