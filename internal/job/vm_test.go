package job

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSameReasons(t *testing.T) {
	for _, row := range []struct {
		a, b Text
		same bool
	}{
		{"disk full", "disk full", true},
		{"disk full", "host down", false},
		{"disk full", "", false},
		{"404", "", false},
		{"404", "503", true},
		{"try 1 of 5, next in 30 s", "try 2 of 5, next in 60 s", true},
		{"disk d1\ndisk d2", "disk d2\ndisk d1", true},
		{"disk d1\ndisk d2", " disk d3 \r\n\r\ndisk d4\n", true},
		{"disk d1", "disk d1\ndisk d2", false}, // one more
		{"disk d1", "disk d1\ndisk d1", true},  // said twice
		{"disk d1\nhost down", "disk d1\nno media", false},
	} {
		if SameReasons(row.a, row.b) != row.same || SameReasons(row.b, row.a) != row.same {
			t.Errorf("%q and %q are the same: %v", row.a, row.b, !row.same)
		}
	}
}

func TestHasNewFailure(t *testing.T) {
	for _, row := range []struct {
		reason, told Text
		isNew        bool
	}{
		{"", "", false},
		{"", "disk full", false},
		{"disk full", "", true},
		{"disk full", "disk full", false},
		{"disk full", "host down", true},
		{"disk full", Unexplained, true}, // more is known
		{Unexplained, "", true},
		{Unexplained, Unexplained, false},
		{Unexplained, "disk full", false}, // the reason is gone, the failure is not
		{SyncFailed, "disk full", false},
		{SyncFailed, Unexplained, true},
		{SyncValidationFailed, SyncFailed, true},
		{SyncRevertFailed, SyncValidationFailed, true},
		{Unexplained, SyncFailed, false},
	} {
		vm := VM{Reason: row.reason}
		if vm.HasNewFailure(row.told) != row.isNew {
			t.Errorf("%q is news after %q: %v", row.reason, row.told, !row.isNew)
		}
	}
}

// tellVM is a machine's failure; the GUID may be "".
func tellVM(name, guid string, from, to Text) Change {
	return Change{Kind: KindFailure, Detail: DetailVM, VM: name, VMGUID: guid, From: from, To: to}
}

func TestToldOfMachines(t *testing.T) {
	for words, row := range map[string]struct {
		tell []Change
		want map[string]Text // told of, by name or name/GUID; "" for nothing
	}{
		"by name": {[]Change{tellVM("app", "", "", "a")},
			map[string]Text{"app": "a", "app/g-1": ""}},
		"by GUID": {[]Change{tellVM("app", "g-1", "", "a")},
			map[string]Text{"app": "", "app/g-1": "a", "app/g-2": "", "renamed/g-1": "a"}},
		"two of one name": {[]Change{tellVM("app", "g-1", "", "a"), tellVM("app", "g-2", "", "b")},
			map[string]Text{"app": "", "app/g-1": "a", "app/g-2": "b"}},
		"and a third without a GUID": {[]Change{tellVM("app", "g-1", "", "a"), tellVM("app", "g-2", "", "b"), tellVM("app", "", "", "c")},
			map[string]Text{"app": "c", "app/g-1": "a", "app/g-2": "b"}},
		"the one without a GUID first": {[]Change{tellVM("app", "", "", "c"), tellVM("app", "g-1", "", "c")},
			map[string]Text{"app": "c", "app/g-1": "c"}},
		"told by name, then by GUID": {[]Change{tellVM("app", "", "", "a"), tellVM("app", "g-1", "a", "b")},
			map[string]Text{"app": "", "app/g-1": "b"}},
		"told by GUID, then by an older watcher": {[]Change{tellVM("app", "g-1", "", "a"), tellVM("app", "", "a", "b")},
			map[string]Text{"app": "", "app/g-1": "b"}},
		"two of one name, then by an older watcher": {[]Change{tellVM("app", "g-1", "", "a"), tellVM("app", "g-2", "", "b"), tellVM("app", "", "a", "a; b")},
			map[string]Text{"app": "a; b", "app/g-1": "a", "app/g-2": "b"}},
		"a name that holds another's GUID": {[]Change{tellVM("app (g-2)", "g-9", "", "a"), tellVM("app", "g-1", "", "b"), tellVM("app", "g-2", "", "c")},
			map[string]Text{"app (g-2)/g-9": "a", "app/g-1": "b", "app/g-2": "c"}},
		"a name that is another's GUID": {[]Change{tellVM("g-2", "g-9", "", "a"), tellVM("app", "g-1", "", "b"), tellVM("app", "g-2", "", "c")},
			map[string]Text{"g-2/g-9": "a", "app/g-1": "b", "app/g-2": "c"}},
		"renamed": {[]Change{tellVM("app", "g-1", "", "a"), tellVM("web", "g-1", "a", "b")},
			map[string]Text{"app/g-1": "b", "web/g-1": "b", "web": ""}},
		"a new attempt": {[]Change{tellVM("app", "g-1", "", "a"), {Kind: KindWatch, Detail: DetailAttempt, To: "2"}, tellVM("web", "g-2", "", "b")},
			map[string]Text{"app/g-1": "", "web/g-2": "b"}},
	} {
		told := Told{}.TellAll(row.tell, &Snapshot{}, time.Time{})
		one := Told{}
		for _, c := range row.tell {
			one = one.Tell(c, &Snapshot{}, time.Time{})
		}
		if !reflect.DeepEqual(one, told) {
			t.Errorf("%s: one by one %+v, together %+v", words, one, told)
		}
		for machine, want := range row.want {
			if got, _ := told.VMReason(machineCalled(machine)); got != want {
				t.Errorf("%s: of %s was told %q, want %q", words, machine, got, want)
			}
		}
	}
}

func machineCalled(name string) *VM {
	name, guid, _ := strings.Cut(name, "/")
	return &VM{Name: name, GUID: Text(guid)}
}
