package diff_test

import (
	"testing"
	"time"

	"jobwatch/internal/diff"
)

// watched adds to a poll what the clock says of it.
func (r row) watched(w diff.Watch) row {
	r.words += " watched"
	r.changes = append(r.changes, diff.Watched(r.told.TellAll(r.changes, &r.last, time.Time{}), &r.last, w)...)
	return r
}

func TestWatched(t *testing.T) {
	still, moved, gone := diff.Watch{Stalled: true}, diff.Watch{Moved: true}, diff.Watch{Lost: true}
	running := from(state("Running"))
	stalled := running.to().watched(still)
	lost := running.to().watched(gone)
	for _, row := range []row{
		running.to().watched(diff.Watch{}).tells(),
		running.to().watched(moved).tells(),
		stalled.tells("watch.stalled null→null"),
		stalled.to().watched(still).tells(),
		stalled.to().watched(diff.Watch{}).tells(),
		stalled.to().watched(moved).tells("watch.resumed null→null"),
		stalled.to().watched(moved).to().watched(moved).tells(),
		stalled.to().watched(moved).to().watched(still).tells("watch.stalled null→null"),
		stalled.to(attempt(2)).watched(moved).tells("watch.attempt null→2", "watch.resumed null→null"),
		stalled.to(phase("Scan")).watched(moved).tells("phase.scan null→Scan", "watch.resumed null→null"),

		// A state says more than that it moves again.
		stalled.to(state("Pending")).watched(moved).tells("state.pending Running→Pending"),
		stalled.to(state("Completed")).watched(moved).tells("state.completed Running→Completed"),
		stalled.to(state("Pending")).to(state("Running")).watched(moved).tells("state.running Pending→Running"),
		stalled.to(noState(), ended()).watched(moved).tells(),
		stalled.to(noState()).watched(moved).tells("watch.resumed null→null"),

		first().watched(gone).tells("watch.lost null→null"),
		lost.tells("watch.lost null→null"),
		lost.to().watched(gone).tells(),
		lost.to(state("Waiting")).to().watched(gone).tells("watch.lost null→null"),
		stalled.to().watched(gone).to().watched(moved).tells("watch.resumed null→null"),
	} {
		row.check(t)
	}
}
