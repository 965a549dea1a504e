package poller_test

import (
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/sim"
)

// TestEveryJobIsListed reads the simulator's list over real HTTP, whatever happens to its pages.
func TestEveryJobIsListed(t *testing.T) {
	for _, row := range []struct {
		name   string
		faults []sim.Fault
		moves  bool
	}{
		{"no trouble", nil, false},
		{"short pages", []sim.Fault{{Kind: sim.ShortPage, Next: 2}}, false},
		{"a short page in the middle", []sim.Fault{{Kind: sim.ShortPage, Skip: 1, Next: 1}}, false},
		{"totals of the page", []sim.Fault{{Kind: sim.PageTotal, Rate: 1}}, false},
		{"jobs leave while it is read", nil, true},
		{"all of it", []sim.Fault{{Kind: sim.ShortPage, Skip: 1, Next: 1}, {Kind: sim.PageTotal, Next: 2}}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var pages atomic.Int64
			clock := func() time.Duration { return time.Duration(pages.Load()) * time.Second }
			play := sim.New(sim.Config{Clock: clock})
			for id := int64(1); id <= 1300; id++ {
				play.Add(sim.Job{ID: id, Steps: leaves(row.moves && id <= 100, id)})
			}
			for _, fault := range row.faults {
				play.Fault(fault)
			}
			server := httptest.NewServer(play)
			defer server.Close()
			client, err := commvault.New(commvault.Config{URL: server.URL + "/webconsole/api", Token: "QSDK sim"})
			if err != nil {
				t.Fatal(err)
			}
			listed := map[int64]bool{}
			err = client.List(t.Context(), 0, func(page []commvault.Line) error {
				pages.Add(1)
				for _, line := range page {
					listed[line.Number] = true
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for id := int64(1); id <= 1300; id++ {
				if !listed[id] && (id > 100 || !row.moves) {
					t.Fatalf("job %d is not among the %d listed", id, len(listed))
				}
			}
		})
	}
}

// leaves has ten jobs a page end, the first ones first; the others run on.
func leaves(moves bool, id int64) []sim.Step {
	steps := []sim.Step{{State: "Running"}}
	if moves {
		steps = append(steps, sim.Step{At: time.Duration(id+9) / 10 * time.Second, State: "Completed"})
	}
	return steps
}
