package eventtest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

var at = time.Date(2026, 11, 23, 14, 0, 0, 123_000_000, time.UTC)

// minted is an event of a change, as it is sent.
func minted(t *testing.T, c job.Change, s job.Snapshot) []byte {
	t.Helper()
	s.CommCell, s.Number = "prod", 1248
	s.Settle()
	e, err := event.NewMinter(nil).Job(3, c, job.Observation{Snapshot: s, Asked: at, Answered: at}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, e)
}

func ofCommCell(t *testing.T, detail, reason string) []byte {
	t.Helper()
	c := job.Change{Kind: job.KindCommCell, Detail: detail}
	e, err := event.NewMinter(nil).CommCell(1, c, job.ID{CommCell: "prod"}, at, reason)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, e)
}

func encode(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func completed(t *testing.T) []byte {
	return minted(t, job.Change{Kind: "state", Detail: "completed", From: "Running", To: "Completed"},
		job.Snapshot{State: "Completed", Client: "fall.example.com", EndTime: &at, PercentComplete: new(100.0)})
}

func vmFailed(t *testing.T) []byte {
	return minted(t, job.Change{Kind: "failure", Detail: "vm", VM: "mail", VMGUID: "5036e64d", To: "disk full"},
		job.Snapshot{State: "Running", Machines: []job.VM{{Name: "mail", Reason: "disk full"}}, Truncated: []string{"client", "vms"}})
}

func withLog(t *testing.T, log ...job.FeedEntry) []byte {
	t.Helper()
	o := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: 1248, State: "Killed"}, Answered: at}
	o.Snapshot.Settle()
	e, err := event.NewMinter(nil).Job(3, job.Change{Kind: "state", Detail: "killed", From: "Running", To: "Killed"}, o, time.Time{}, log...)
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, e)
}

func TestSchemaAcceptsWhatCanBeSent(t *testing.T) {
	long := job.Text(strings.Repeat("ä", 100))
	for subject, message := range map[string][]byte{
		"jobs.prod.1248.fall%2Eexample%2Ecom.state.completed": completed(t),
		"acme.jobs.prod.1248.-.failure.vm":                    vmFailed(t),
		"jobs.prod.1248.-.state.killed": withLog(t, job.FeedEntry{Code: "19:1081", Severity: job.FeedInfo, Time: at, Text: "Killed by admin."},
			job.FeedEntry{Time: at, Text: "Of no severity."}),
		"commcells.prod.unreachable":               ofCommCell(t, "unreachable", "no route to host"),
		"acme.eu.commcells.prod.reachable":         ofCommCell(t, "reachable", ""),
		"jobs.prod.1248.-.phase.archive_index":     minted(t, job.Change{Kind: "phase", Detail: "archive_index", To: "Archive Index"}, job.Snapshot{}),
		"jobs.prod.1248.-.state.完了しました":            minted(t, job.Change{Kind: "state", Detail: "完了しました", To: "完了しました"}, job.Snapshot{State: "完了しました"}),
		"jobs.prod.1248.-.state.unknown":           minted(t, job.Change{Kind: "state", Detail: job.Slug("…!"), To: "…!"}, job.Snapshot{State: "…!"}),
		"jobs.prod.1248.-.phase." + job.Slug(long): minted(t, job.Change{Kind: "phase", Detail: job.Slug(long), To: long}, job.Snapshot{}),
		"jobs.prod.1248.-.failure.state":           minted(t, job.Change{Kind: "failure", Detail: "state", To: "Failed"}, job.Snapshot{State: "Failed"}),
		"jobs.prod.1248.-.failure.items":           minted(t, job.Change{Kind: "failure", Detail: "items", To: "0 Folders, 2 Files"}, job.Snapshot{Failures: "0 Folders, 2 Files"}),
		"jobs.prod.1248.-.failure.reason":          minted(t, job.Change{Kind: "failure", Detail: "reason", To: "no media", Code: "19:579"}, job.Snapshot{Reason: "no media"}),
		"jobs.prod.1248.-.watch.attempt":           minted(t, job.Change{Kind: "watch", Detail: "attempt", From: "1", To: "2"}, job.Snapshot{Attempt: new(int64(2))}),
		"jobs.prod.1248.-.watch.resumed":           minted(t, job.Change{Kind: "watch", Detail: "resumed"}, job.Snapshot{State: "Running"}),
		"jobs.prod.1248.-.watch.lost":              worrying(t, minted(t, job.Change{Kind: "watch", Detail: "lost"}, job.Snapshot{})),
		"jobs.prod.1248.-.watch.stalled":           worrying(t, minted(t, job.Change{Kind: "watch", Detail: "stalled"}, job.Snapshot{State: "Running"})),
	} {
		Valid(t, subject, nil, message)
		if !accepted(t, message) {
			t.Errorf("the whole schema refuses the event of %s", subject)
		}
	}
}

// accepted says whether the whole schema accepts a message, as a stranger uses it.
func accepted(t *testing.T, message []byte) bool {
	t.Helper()
	var value any
	if err := json.Unmarshal(message, &value); err != nil {
		t.Fatal(err)
	}
	byWhole := whole().Validate(value) == nil
	if byKind := validate(message) == nil; byKind != byWhole {
		t.Errorf("the whole schema accepts it: %t, that of its type: %t: %s", byWhole, byKind, message)
	}
	return byWhole
}

// worrying gives an event the severity that the contract gives it.
func worrying(t *testing.T, message []byte) []byte {
	return changed(t, message, "data.severity", "warning")
}

// gone takes a member out.
type gone struct{}

// changed is a message with one member, named by its path, set to another value.
func changed(t *testing.T, message []byte, path string, value any) []byte {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal(message, &whole); err != nil {
		t.Fatal(err)
	}
	members := whole
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		members = members[name].(map[string]any)
	}
	last := names[len(names)-1]
	if members[last] = value; value == (gone{}) {
		delete(members, last)
	}
	return encode(t, whole)
}

func TestSchemaRefuses(t *testing.T) {
	if !accepted(t, changed(t, completed(t), "data.severity", "info")) {
		t.Fatal("refused with what is there already")
	}
	state, vm, down := completed(t), vmFailed(t), ofCommCell(t, "unreachable", "no route to host")
	loud := map[string]any{"code": "19:1081", "severity": "loud", "time": "2026-11-23T14:00:00Z", "text": "Killed."}
	for _, row := range []struct {
		message []byte
		path    string
		value   any
	}{
		{state, "specversion", "0.3"},
		{state, "data.change.log", []any{}},
		{state, "data.change.log", []any{loud}},
		{state, "data.change.log", []any{map[string]any{"code": "19:1081"}}},
		{state, "id", "000000000001"},
		{state, "id", "q7m2xk3vb4t6hs5c-1"},
		{state, "id", 1},
		{state, "source", "prod"},
		{state, "source", "/commcells/pro d"},
		{state, "type", "jobwatch.job.states.v1"},
		{state, "type", "jobwatch.job.phase.v1"},
		{state, "type", "jobwatch.job.state.v2"},
		{state, "type", "jobwatch.commcell.unreachable.v1"},
		{state, "subject", "1248"},
		{state, "subject", "jobs/0"},
		{state, "subject", "jobs/1248/"},
		{state, "subject", "commcells/prod"},
		{state, "time", "23.11.2026 14:00"},
		{state, "time", "2026-11-23 14:00:00Z"},
		{state, "time", "2026-13-23T14:00:00Z"},
		{state, "time", "2026-02-30T14:00:00Z"},
		{state, "time", nil},
		{state, "time", 1700000000},
		{state, "datacontenttype", "text/plain"},
		{state, "dataschema", "urn:jobwatch:commcell-change:v1"},
		{state, "sequence", "3"},
		{state, "sequence", 3},
		{state, "sequence", "00000000000000000000"},
		{state, "sequence", "0000000000000000000x"},
		{state, "partitionkey", "1248"},
		{state, "partitionkey", "prod/01248"},
		{state, "data", nil},
		{state, "data", "Completed"},
		{state, "extra", 1},
		{state, "data.extra", 1},
		{state, "data.severity", "fatal"},
		{state, "data.severity", nil},
		{state, "data.truncated", []string{}},
		{state, "data.truncated", nil},
		{state, "data.truncated", []string{"client", "client"}},
		{state, "data.truncated", []string{"no member"}},
		{state, "data.change.extra", 1},
		{state, "data.change.kind", "status"},
		{state, "data.change.kind", "phase"},
		{state, "data.change.detail", "Completed"},
		{state, "data.change.detail", "completed with errors"},
		{state, "data.change.detail", "_completed"},
		{state, "data.change.detail", "a__b"},
		{state, "data.change.detail", ""},
		{state, "data.change.detail", strings.Repeat("x", 65)},
		{state, "data.change.from", ""},
		{state, "data.change.from", 1},
		{state, "data.change.to", nil},
		{state, "data.change.to", ""},
		{state, "data.change.vm", "mail"},
		{state, "data.change.vmGuid", "5036e64d"},
		{state, "data.change.code", "19:579"},
		{state, "data.change.observedAt", nil},
		{state, "data.change.notBefore", "yesterday"},
		{state, "data.job.id", "1248"},
		{state, "data.job.id", 0},
		{state, "data.job.id", 1.5},
		{state, "data.job.commcell", nil},
		{state, "data.job.extra", 1},
		{state, "data.job.state", ""},
		{state, "data.job.stateClass", "done"},
		{state, "data.job.terminal", "true"},
		{state, "data.job.terminal", nil},
		{state, "data.job.percentComplete", "100"},
		{state, "data.job.sizeOfApplication", "1024"},
		{state, "data.job.sizeOfApplication", 0.5},
		{state, "data.job.endTime", 1700000000},
		{state, "data.job.endTime", "2026-11-23T15:00:00+01:00"},
		{vm, "data.change.vm", gone{}},
		{vm, "data.change.vm", ""},
		{vm, "data.change.vm", nil},
		{vm, "data.change.vmGuid", ""},
		{vm, "data.change.vmGuid", nil},
		{vm, "data.change.detail", "machine"},
		{vm, "data.change.detail", "reason"},
		{vm, "data.change.kind", "watch"},
		{vm, "data.severity", "error"},
		{vm, "data.job.vms", 1},
		{vm, "data.job.vms.total", gone{}},
		{vm, "data.job.vms.failed", -1},
		{vm, "data.job.vms.names", []string{"mail"}},
		{down, "type", "jobwatch.commcell.reachable.v1"},
		{down, "subject", "jobs/1248"},
		{down, "partitionkey", "prod/1248"},
		{down, "data.detail", "down"},
		{down, "data.detail", "reachable"},
		{down, "data.severity", "info"},
		{down, "data.observedAt", "now"},
		{down, "data.job", map[string]any{"commcell": "prod", "id": 1248}},
	} {
		if accepted(t, changed(t, row.message, row.path, row.value)) {
			t.Errorf("accepted with %s %#v", row.path, row.value)
		}
	}
}

// Each member that an event has, it must have; but for those that are absent where they are empty.
func TestSchemaMissesEachMember(t *testing.T) {
	for what, message := range map[string][]byte{"of a job": completed(t), "of a CommCell": ofCommCell(t, "reachable", "")} {
		var all map[string]any
		if err := json.Unmarshal(message, &all); err != nil {
			t.Fatal(err)
		}
		for _, path := range paths("", all) {
			if accepted(t, changed(t, message, path, gone{})) {
				t.Errorf("an event %s is accepted without %s", what, path)
			}
		}
	}
}

func paths(before string, members map[string]any) []string {
	var all []string
	for name, value := range members {
		all = append(all, before+name)
		if inner, is := value.(map[string]any); is {
			all = append(all, paths(before+name+".", inner)...)
		}
	}
	return all
}

// The data of one kind of event in the envelope of another.
func TestSchemaRefusesMixedEvents(t *testing.T) {
	var state, down map[string]any
	for message, into := range map[string]*map[string]any{string(completed(t)): &state, string(ofCommCell(t, "unreachable", "")): &down} {
		if err := json.Unmarshal([]byte(message), into); err != nil {
			t.Fatal(err)
		}
	}
	if accepted(t, changed(t, completed(t), "data", down["data"])) {
		t.Error("an event of a job with the data of a CommCell is accepted")
	}
	if accepted(t, changed(t, ofCommCell(t, "unreachable", ""), "data", state["data"])) {
		t.Error("an event of a CommCell with the data of a job is accepted")
	}
}
