package event

import (
	"encoding/json"
	"reflect"
	"testing"

	"jobwatch/internal/job"
)

func TestParseReadsWhatWasMinted(t *testing.T) {
	for _, want := range []Event{
		mint(t, 3, stateChange("Running", "Completed"), everything()),
		mintCommCell(t, 7, job.DetailUnreachable, "no route to host"),
	} {
		got, err := Parse(message(t, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v (%v)\nwant %+v", got, err, want)
		}
	}
}

func TestEventSaysWhatItIsAbout(t *testing.T) {
	of1248 := mint(t, 3, stateChange("Running", "Completed"), job.Snapshot{})
	if id, err := of1248.JobID(); err != nil || id != (job.ID{CommCell: "prod", Number: 1248}) || of1248.IsCommCell() {
		t.Errorf("about %v (%v), want prod/1248", id, err)
	}
	ofProd := mintCommCell(t, 18446744073709551615, job.DetailReachable, "")
	if id, err := ofProd.JobID(); err != nil || id != (job.ID{CommCell: "prod"}) || !ofProd.IsCommCell() {
		t.Errorf("about %v (%v), want prod", id, err)
	}
	if of1248.Number() != 3 || ofProd.Number() != 18446744073709551615 {
		t.Errorf("numbers %d and %d", of1248.Number(), ofProd.Number())
	}
}

func TestJobReadsBackTheSnapshot(t *testing.T) {
	want := seen(everything()).Snapshot
	data, err := mint(t, 3, stateChange("Running", "Completed"), everything()).Job()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(data.Truncated, want.Truncated) {
		t.Errorf("truncated are %q, want %q", data.Truncated, want.Truncated)
	}
	want.Machines, want.Truncated = nil, nil // events carry counts
	if !reflect.DeepEqual(data.Job, want) {
		t.Errorf("got  %+v\nwant %+v", data.Job, want)
	}
}

func TestParseRefuses(t *testing.T) {
	ours := message(t, mint(t, 3, stateChange("Running", "Completed"), job.Snapshot{}))
	for words, spoil := range map[string]func(map[string]any){
		"no version":              func(m map[string]any) { delete(m, "specversion") },
		"another version":         func(m map[string]any) { m["specversion"] = "0.3" },
		"another's type":          func(m map[string]any) { m["type"] = "com.example.job.state.v1" },
		"a type close to ours":    func(m map[string]any) { m["type"] = "jobwatch.jobs" },
		"no id":                   func(m map[string]any) { delete(m, "id") },
		"no sequence":             func(m map[string]any) { delete(m, "sequence") },
		"a sequence of words":     func(m map[string]any) { m["sequence"] = "third" },
		"a negative sequence":     func(m map[string]any) { m["sequence"] = "-1" },
		"a number for a sequence": func(m map[string]any) { m["sequence"] = 3 },
		"a time that is none":     func(m map[string]any) { m["time"] = "yesterday" },
	} {
		var members map[string]any
		if err := json.Unmarshal(ours, &members); err != nil {
			t.Fatal(err)
		}
		spoil(members)
		spoiled, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := Parse(spoiled); err == nil {
			t.Errorf("%s: read as %+v", words, e)
		}
	}
	for _, text := range []string{"", "hello", "null", "{}", "[]", string(ours[:len(ours)-1]), "\x00\xff"} {
		if e, err := Parse([]byte(text)); err == nil {
			t.Errorf("%q: read as %+v", text, e)
		}
	}
}
