package sim

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

func TestTruth(t *testing.T) {
	start := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	s := New(Config{Speed: 2, Start: start, Clock: func() time.Duration { return time.Minute }})
	s.Fault(Fault{Kind: ErrorFlat, Rate: 1})
	s.Add(Job{ID: 8, Client: "b", Steps: []Step{{At: -time.Hour, State: "Running"}, {At: -time.Minute, State: "Failed", Reason: "no drive", Code: "19:599"}}})
	s.Add(Job{ID: 7, Client: "a", Kind: VirtualServer, Steps: []Step{
		{State: "Running", Phase: "Backup", VMs: []VM{{Name: "dc-01"}}},
		{At: 30 * time.Second, State: "Running", Phase: "Backup", Stalled: true, VMs: []VM{{Name: "dc-01"}, {Name: "web-02", Failed: true}}},
	}})
	s.Add(Job{ID: 9, Steps: []Step{{At: time.Hour, State: "Running"}}})
	want := []Truth{
		{ID: 7, Client: "a", State: "Running", Phase: "Backup", Machines: []string{"web-02"}, Began: start, Since: start.Add(15 * time.Second), Stalled: true},
		{ID: 8, Client: "b", State: "Failed", Reason: "no drive", Code: "19:599", Began: start.Add(-30 * time.Minute), Since: start.Add(-30 * time.Second), Finished: true},
	}
	if got := s.Truth(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestTruthOverHTTP(t *testing.T) {
	_, ask := controlled(t)
	status, said := ask("GET", "/sim/jobs", "")
	var all []Truth
	if err := json.Unmarshal([]byte(said), &all); status != 200 || err != nil || len(all) != 1 || all[0].ID != 7 || all[0].State != "Running" {
		t.Errorf("got %d %s, %v", status, said, err)
	}
}
