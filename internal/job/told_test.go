package job

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestParseFailures(t *testing.T) {
	for _, row := range []struct {
		text           Text
		folders, files int64
		ok             bool
	}{
		{"0 Folders, 0 Files", 0, 0, true},
		{"3 Folders, 12 Files", 3, 12, true},
		{"1 folder,1 file", 1, 1, true},
		{"  1 FOLDERS , 2 FILES\n", 1, 2, true},
		{"0 Folders, 999999999999999999 Files", 0, 999999999999999999, true},
		{"0 Folders, 9999999999999999999 Files", 0, 0, false}, // more than an int64 holds
		{"-1 Folders, 2 Files", 0, 0, false},
		{"2 Files", 0, 0, false},
		{"3 Folders, 12 Files, 1 Stream", 0, 0, false},
		{"3 Ordner, 12 Dateien", 0, 0, false},
		{"", 0, 0, false},
	} {
		folders, files, ok := ParseFailures(row.text)
		if folders != row.folders || files != row.files || ok != row.ok {
			t.Errorf("%q is %d, %d, %t; want %d, %d, %t", row.text, folders, files, ok, row.folders, row.files, row.ok)
		}
	}
}

// allTold is a Told with something in each field, StateBefore and FailureState included.
func allTold() Told {
	return Told{
		State: "Killed", StateBefore: "Running", FailureState: true, Phase: "Backup",
		Items: "1 Folders, 3 Files", Folders: 1, Files: 3, Reason: "no media", ReasonCode: "19:579",
		VMs: map[string]Text{"mail": "disk full"}, VMGUIDs: map[string]Text{"mail": "g-1"}, Attempt: "1", Stalled: true, Lost: true,
		StateSince: 50, StalledSince: 60,
	}
}

// What an event clears besides saying its own.
func TestTellClears(t *testing.T) {
	silent, busy := &Snapshot{}, &Snapshot{Reason: "no media"}
	for _, row := range []struct {
		words  string
		change Change
		of     *Snapshot
		want   func(*Told)
	}{
		{"a state of a job that waits for something", Change{Kind: KindState, From: "Killed", To: "Running"}, busy,
			func(told *Told) {
				told.State, told.StateBefore, told.FailureState = "Running", "Killed", false
				told.Stalled, told.Lost = false, false
				told.StateSince, told.StalledSince = 70, 0
			}},
		{"a state of a job that waits for nothing", Change{Kind: KindState, From: "Killed", To: "Running"}, silent,
			func(told *Told) {
				told.State, told.StateBefore, told.FailureState = "Running", "Killed", false
				told.Reason, told.ReasonCode = "", ""
				told.Stalled, told.Lost = false, false
				told.StateSince, told.StalledSince = 70, 0
			}},
		{"a state from null", Change{Kind: KindState, To: "Running"}, busy,
			func(told *Told) { *told = Told{State: "Running", StateSince: 70} }},
		{"a phase", Change{Kind: KindPhase, From: "Backup", To: "Scan"}, silent,
			func(told *Told) { told.Phase, told.Lost = "Scan", false }},
		{"an attempt", Change{Kind: KindWatch, Detail: DetailAttempt, From: "1", To: "2"}, silent,
			func(told *Told) {
				told.Attempt, told.Items, told.Folders, told.Files = "2", "", 0, 0
				told.VMs, told.VMGUIDs, told.Lost = nil, nil, false
			}},
		{"a stall", Change{Kind: KindWatch, Detail: DetailStalled}, silent, func(told *Told) { told.StalledSince, told.Lost = 70, false }},
		{"its end", Change{Kind: KindWatch, Detail: DetailResumed}, silent,
			func(told *Told) { told.Stalled, told.StalledSince, told.Lost = false, 0, false }},
		{"a loss", Change{Kind: KindWatch, Detail: DetailLost}, silent, func(*Told) {}},
		{"a reason without a code", Change{Kind: KindFailure, Detail: DetailReason, To: "no drive"}, busy,
			func(told *Told) { told.Reason, told.ReasonCode, told.Lost = "no drive", "", false }},
		{"fewer files, more folders", Change{Kind: KindFailure, Detail: DetailItems, To: "2 Folders, 0 Files"}, silent,
			func(told *Told) { told.Items, told.Folders, told.Lost = "2 Folders, 0 Files", 2, false }},
		{"fewer folders, more files", Change{Kind: KindFailure, Detail: DetailItems, To: "0 Folders, 4 Files"}, silent,
			func(told *Told) { told.Items, told.Files, told.Lost = "0 Folders, 4 Files", 4, false }},
	} {
		want := allTold()
		row.want(&want)
		if got := allTold().Tell(row.change, row.of, time.Unix(70, 999)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s leaves\n     %+v\nwant %+v", row.words, got, want)
		}
	}
}

// Another watcher may hold what was told before.
func TestTellLeavesItsTold(t *testing.T) {
	before := allTold()
	before.TellAll([]Change{tellVM("db", "g-2", "", "host down"), tellVM("mail", "g-1", "disk full", "host down")}, &Snapshot{}, time.Time{})
	if want := allTold(); !reflect.DeepEqual(before, want) {
		t.Errorf("what was told before is now %+v, want %+v", before, want)
	}
}

func TestToldBy(t *testing.T) {
	two := int64(2)
	seen := Snapshot{
		State: "Failed", Phase: "Scan", Failures: "1 Folders, 3 Files", Reason: "no media", ReasonCode: "19:579",
		Attempt: &two, Machines: []VM{{Name: "mail", Reason: "disk full"}}, StateClass: Text(Failed),
	}
	want := Told{
		State: "Failed", FailureState: true, Phase: "Scan", Items: "1 Folders, 3 Files", Folders: 1, Files: 3,
		Reason: "no media", ReasonCode: "19:579", Attempt: "2",
	}
	if got := ToldBy(&seen); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	none := Snapshot{State: "Running", StateClass: Text(Active), Failures: "0 Folders, 0 Files"}
	if got, want := ToldBy(&none), (Told{State: "Running"}); !reflect.DeepEqual(got, want) {
		t.Errorf("of nothing failed: got %+v, want %+v", got, want)
	}
}

func TestToldIsKept(t *testing.T) {
	for _, told := range []Told{{}, allTold(), {Unreachable: true}} {
		encoded, err := json.Marshal(told)
		if err != nil {
			t.Fatal(err)
		}
		var back Told
		if err := json.Unmarshal(encoded, &back); err != nil || !reflect.DeepEqual(back, told) {
			t.Errorf("%s reads as %+v (%v), want %+v", encoded, back, err, told)
		}
	}
}
