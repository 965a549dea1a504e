package store

import (
	"testing"

	"jobwatch/internal/job"
)

func TestAnAcknowledgementEmptiesTheOutboxUpToIt(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "Scan")
	f.sees(t, of(71), "Running", "Backup")
	oldest, _, err := f.oldest(of(71))
	must(t, err)
	must(t, f.Acknowledge(of(71), oldest.Event.Numbered(2), 11))
	f.holds(t, "prod/71#3 phase.backup")
}

func TestALateAcknowledgementSetsNothingBack(t *testing.T) {
	f := newStore(t)
	f.sees(t, of(71), "Running", "Scan")
	first, second := f.sent(t, of(71), 10), f.sent(t, of(71), 11)
	must(t, f.Acknowledge(of(71), first, 10))
	sent, err := f.Acknowledged(of(71))
	must(t, err)
	if want := (Acknowledged{ID: second.ID, Sequence: 2, Stream: 11, Known: true}); sent != want {
		t.Errorf("sent %+v, want %+v", sent, want)
	}
}

// A foreign event is adopted while ours is in flight: what it told is what the next event follows.
func TestAnAcknowledgementAfterAnAdoptionChangesNothing(t *testing.T) {
	f := newStore(t)
	for _, state := range []string{"Running", "Waiting", "Pending"} {
		f.sees(t, of(71), job.Text(state), "")
	}
	under, _, err := f.oldest(of(71))
	must(t, err)
	other := toldByAnother(t, of(71), "Suspended")
	must(t, f.Adopt(of(71), other))
	must(t, f.Acknowledge(of(71), under.Event.Numbered(3), 51))
	sent, err := f.Acknowledged(of(71))
	must(t, err)
	if sent.ID != other.Last.ID || sent.Stream != 50 {
		t.Errorf("sent %+v, want the other watcher's", sent)
	}
	f.holds(t, "prod/71#1 state.running", "prod/71#2 state.waiting", "prod/71#3 state.pending")
}
