package store

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"

	"go.etcd.io/bbolt"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

// A record of a version that told machines by name alone, as that version wrote it.
const olderRecord = `{"rev":2,"told":{"state":"Running","vms":{"app":"no snapshot"}},"seq":2,"asked":1793958318000000000,"digest":7}
{"commcell":"prod","id":71,"state":"Running","vms":{"total":1,"failed":1},"machines":[{"name":"app","guid":"g-1","failureReason":"no snapshot"}]}`

func TestARecordThatNamesMachinesOnly(t *testing.T) {
	f := newStore(t)
	must(t, f.write(func(tx *bbolt.Tx) error { return tx.Bucket(jobsBucket).Put(jobKey(of(71)), []byte(olderRecord)) }))
	f.reopen(t)
	known, err := f.Recall(of(71))
	must(t, err)
	held, found, err := f.Snapshot(of(71))
	if err != nil || !found || held.Machines[0].GUID != "g-1" {
		t.Fatalf("held %+v, %v (%v)", held, found, err)
	}
	seen := job.Snapshot{CommCell: "prod", Number: 71, State: "Running", Machines: []job.VM{{Name: "app", GUID: "g-1", Reason: "no snapshot"}}}
	seen.Settle()
	if again := diff.Since(known.Told, &seen); len(again) > 0 {
		t.Errorf("told again: %+v", again)
	}
	seen.Machines[0].Reason = "host down"
	result := PollResult{Known: known, Seen: job.Observation{Snapshot: seen, Asked: at, Answered: at}, Changes: diff.Since(known.Told, &seen)}
	must(t, f.Commit(result))
	f.reopen(t)
	if known, err = f.Recall(of(71)); err != nil || len(diff.Since(known.Told, &seen)) > 0 || known.Told.VMGUIDs["app"] != "g-1" {
		t.Errorf("then it knows %+v (%v)", known.Told, err)
	}
}

// Who goes back to such a version finds the machines under their names.
func TestAnOlderVersionReadsTheRecord(t *testing.T) {
	f := newStore(t)
	seen := job.Snapshot{CommCell: "prod", Number: 71, State: "Running", Machines: []job.VM{
		{Name: "app", GUID: "g-1", Reason: "no snapshot"}, {Name: "db", GUID: "g-2", Reason: "host down"},
	}}
	seen.Settle()
	must(t, f.Commit(PollResult{Seen: job.Observation{Snapshot: seen, Asked: at, Answered: at}, Changes: diff.Since(job.Told{}, &seen)}))
	var older struct {
		Told struct{ VMs map[string]string }
	}
	must(t, f.db.View(func(tx *bbolt.Tx) error {
		return json.NewDecoder(bytes.NewReader(tx.Bucket(jobsBucket).Get(jobKey(of(71))))).Decode(&older)
	}))
	if want := map[string]string{"app": "no snapshot", "db": "host down"}; !maps.Equal(older.Told.VMs, want) {
		t.Errorf("it reads %v, want %v", older.Told.VMs, want)
	}
}
