package poller

import (
	"slices"
	"time"
)

// Delay is how late changes of state were seen, at most: the time between the two polls that they lie between.
type Delay struct {
	Median  time.Duration
	P99     time.Duration
	Changes int // 0: the two say nothing
}

// delays keep how late the last changes were seen. The zero delays are ready; Counts' mu guards them.
type delays struct {
	last  [lastDelays]time.Duration // a ring
	added int                       // ever put into it
	cycle []time.Duration           // since the end of the last cycle
}

const (
	lastDelays  = 1000
	cycleDelays = 10_000 // of a cycle with more changes its first ones are judged
)

func (d *delays) add(after time.Duration) {
	d.last[d.added%lastDelays] = after
	d.added++
	if len(d.cycle) < cycleDelays {
		d.cycle = append(d.cycle, after)
	}
}

func (d *delays) ofLast() Delay { return delayOf(slices.Clone(d.last[:min(d.added, lastDelays)])) }

// ofCycle ends a cycle.
func (d *delays) ofCycle() Delay {
	of := delayOf(d.cycle)
	d.cycle = nil
	return of
}

// delayOf sorts what it is given.
func delayOf(all []time.Duration) Delay {
	if len(all) == 0 {
		return Delay{}
	}
	slices.Sort(all)
	rank := func(percent int) time.Duration { return all[(len(all)*percent+99)/100-1] } // the least that so many do not exceed
	return Delay{rank(50), rank(99), len(all)}
}
