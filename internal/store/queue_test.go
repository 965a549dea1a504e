package store

import (
	"fmt"
	"testing"

	"jobwatch/internal/job"
)

// Keys lie in the order of the numbers in them, also where these need a second byte.
func TestALongOutboxKeepsItsOrder(t *testing.T) {
	f := newStore(t)
	result := f.poll(t, observed(of(71), "Running", ""))
	result.Changes = nil
	for n := range uint64(600) {
		result.Changes = append(result.Changes, job.Change{Kind: job.KindPhase, Detail: "scan", To: job.Text(fmt.Sprint(n))})
	}
	must(t, f.Commit(result))
	f.sees(t, of(256+71), "Running", "")
	waiting, err := f.Waiting()
	must(t, err)
	if len(waiting) != 2 || waiting[0] != of(71) {
		t.Errorf("waiting are %v", waiting)
	}
	for want := uint64(1); want <= 600; want += 85 {
		oldest, _, err := f.oldest(of(71))
		must(t, err)
		if oldest.Event.Number() != want {
			t.Fatalf("the oldest is %d, want %d", oldest.Event.Number(), want)
		}
		last := oldest.Event.Numbered(want + 84) // acknowledged with all before it
		must(t, f.Acknowledge(of(71), last, want+84))
	}
}
