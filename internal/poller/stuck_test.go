package poller

import (
	"testing"
	"testing/synctest"
	"time"
)

// What stands still is counted at the end of each cycle, and after a restart as before it.
func TestWhatStandsStillIsCounted(t *testing.T) {
	for _, sweep := range []Sweep{SweepDetails, SweepList} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.StallAfter, c.Sweep, c.FullRefresh = 30*time.Minute, sweep, 10*time.Minute })
			b.script.is(71, state("Running"), percent(40), counted(0, 0))
			b.script.is(72, state("Running"), percent(40), counted(0, 0))
			b.cycle()
			began := time.Now()
			b.script.is(73, state("Pending"), counted(0, 0))
			b.cycle()
			wants := func(when string, stalled int, held time.Time) {
				t.Helper()
				if is := b.Counts.Totals(); is.Stalled != stalled || is.Held.Unix() != held.Unix() {
					t.Errorf("%s, %s: %d stalled, held since %v; want %d, %v", sweep, when, is.Stalled, is.Held, stalled, held)
				}
			}
			wants("at first", 0, began)
			time.Sleep(20 * time.Minute)
			b.script.is(72, state("Suspended"), counted(0, 0))
			b.cycle()
			wants("one more is held", 0, began)
			for range 8 {
				time.Sleep(10 * time.Minute)
				b.cycle()
			}
			wants("one stalls", 1, began)
			b.drain()
			time.Sleep(30 * time.Second)
			b.restart() // a list sweep asks for none of which the list shows nothing new
			b.cycle()
			wants("after a restart", 1, began)
			b.script.is(73, state("Running"), counted(0, 0))
			b.script.is(71, state("Running"), percent(41), counted(0, 0))
			time.Sleep(10 * time.Minute) // a list may tell no percents: then a refresh shows it
			b.cycle()
			wants("both go on", 0, began.Add(20*time.Minute))
			b.script.is(72, state("Completed"))
			b.cycle()
			wants("none", 0, time.Time{})
		})
	}
}
