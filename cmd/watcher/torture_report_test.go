package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// report counts what was done, and what came of it.
type report struct {
	torments map[string]int
	ends     map[string]int
	crashes  map[string]int // by point
	restarts int            // of NATS
	answers  int
	verdict
}

func newReport() report {
	return report{torments: map[string]int{}, ends: map[string]int{}, crashes: map[string]int{}}
}

// kills are those by a signal and those at a point.
func (r *report) kills() (kills int) {
	for _, count := range r.crashes {
		kills += count
	}
	return kills + r.ends["SIGKILL"]
}

func (r *report) judged(x *torture, found verdict) {
	r.restarts, r.answers, r.verdict = x.nats.restarts-1, len(x.sim.Served()), found
}

func (r *report) add(part report) {
	if r.torments == nil {
		*r = newReport()
	}
	for name, count := range part.torments {
		r.torments[name] += count
	}
	for name, count := range part.ends {
		r.ends[name] += count
	}
	for name, count := range part.crashes {
		r.crashes[name] += count
	}
	r.restarts += part.restarts
	r.answers += part.answers
	r.events += part.events
	r.lost += part.lost
	r.doubled += part.doubled
	r.disordered += part.disordered
	r.madeUp += part.madeUp
	r.gaps += part.gaps
}

func (r report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d kills, NATS restarted %d times, %d answers, %s", r.kills(), r.restarts, r.answers, r.verdict)
	for _, counts := range []map[string]int{r.ends, r.crashes, r.torments} {
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&b, "\n%5d %s", counts[name], name)
		}
	}
	return b.String()
}
