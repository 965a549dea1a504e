package commvault

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/sim"
)

// The simulator's record says which of its answers were observations, and streams are held against that. It has to say
// so of those that a client takes for one, and of no others, whatever befalls them.
func TestTheSimulatorsRecordKnowsAnObservation(t *testing.T) {
	const now = time.Minute
	jobs := map[string][]sim.Step{
		"running":       {{State: "Waiting"}, {At: now / 2, State: "Running", Phase: "Scan"}},
		"pending":       {{State: "Pending", Phase: "Scan", Reason: "No drive.", Code: "1:2"}},
		"ended":         {{State: "Running", Phase: "Scan"}, {At: now / 2, State: "Completed"}},
		"running, mute": {{State: "Running", Phase: "Scan", Mute: true}},
		"ended, mute":   {{State: "Running", Phase: "Scan"}, {At: now / 2, State: "Completed", Mute: true}},
	}
	for name, steps := range jobs {
		for _, format := range []string{"json", "xml"} {
			for _, kind := range sim.FaultKinds() {
				if kind == sim.Huge || kind == sim.GzipBomb || !kind.Befalls(sim.OpJobDetails) {
					continue // of those two the size alone matters, and 17 MiB take their time
				}
				t.Run(fmt.Sprint(name, "/", format, "/", kind), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := sim.New(sim.Config{Clock: func() time.Duration { return now }})
						s.Add(sim.Job{ID: 7, Steps: steps})
						s.Add(sim.Job{ID: 8, Steps: jobs["running"]})
						s.Fault(sim.Fault{Kind: kind, Op: sim.OpJobDetails, Next: 1})
						c := newClient(t, Config{Username: "watcher", Password: "watcher", Format: format, Timeout: time.Minute, Transport: s.Inside()})
						_, err := c.JobDetails(t.Context(), 7)
						recorded := false
						for _, a := range s.Served() {
							recorded = recorded || a.Whole || a.Old
						}
						if recorded != (err == nil) {
							t.Errorf("recorded as an observation: %v; the client says: %v\n%+v", recorded, err, s.Served())
						}
					})
				})
			}
		}
	}
}
