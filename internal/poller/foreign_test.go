package poller

import (
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/sim"
)

// An error in a shape that nobody lists is no sign that a job is lost, nor that no jobs are: what it hid is told when
// it is over.
func TestAForeignErrorHidesNothing(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			play := sim.New(sim.Config{Clock: func() time.Duration { return time.Since(start) }})
			play.Add(sim.Job{ID: 1, Steps: []sim.Step{{State: "Running"}}})
			play.Add(sim.Job{ID: 71, Steps: []sim.Step{{State: "Running"}, {At: 5 * time.Minute, State: "Failed"}}})
			play.Add(sim.Job{ID: 72, Steps: []sim.Step{{At: 4 * time.Minute, State: "Running"}, {At: 6 * time.Minute, State: "Failed"}}})
			client, err := commvault.New(commvault.Config{CommCell: "prod", URL: "http://cs/webconsole/api", Token: "QSDK sim", Format: format, Transport: play.Inside()})
			if err != nil {
				t.Fatal(err)
			}
			b := newBench(t, func(c *Config) {
				c.Source, c.LostAfter, c.FinishedWithin, c.Jobs = client, time.Minute, 2*time.Minute, []int64{71}
			})
			b.cycle()
			b.drain()
			play.Fault(sim.Fault{Kind: sim.ErrorForeign, Op: sim.OpJobDetails, Job: 71, Rate: 1})
			play.Fault(sim.Fault{Kind: sim.ErrorForeign, Op: sim.OpList, Rate: 1})
			for range 40 {
				time.Sleep(30 * time.Second)
				b.tells()
			}
			if n := b.tally.polls[string(commvault.NotAnAnswer)]; n != 40 {
				t.Errorf("%s: counted %v", format, b.tally.polls)
			}
			play.Heal()
			time.Sleep(30 * time.Second)
			b.tells("prod/71 failure: Running → Failed", "prod/71 state: Running → Failed", "prod/72 failure:  → Failed", "prod/72 state:  → Failed")
		})
	}
}
