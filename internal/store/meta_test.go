package store

import (
	"testing"
	"time"
)

func TestLastList(t *testing.T) {
	b := newStore(t)
	noon := time.Date(2026, 11, 25, 12, 0, 0, 5, time.UTC)
	for _, note := range []struct {
		commCell string
		at       time.Time
	}{{"prod", noon}, {"lab", noon.Add(time.Hour)}, {"prod", noon.Add(time.Minute)}, {"lab", time.Time{}}} {
		if err := b.SetLastList(note.commCell, note.at); err != nil {
			t.Fatal(err)
		}
	}
	b.reopen(t)
	for commCell, want := range map[string]time.Time{"prod": noon.Add(time.Minute), "lab": {}, "never": {}} {
		if got, err := b.LastList(commCell); err != nil || !got.Equal(want) {
			t.Errorf("%s: %v, want %v; %v", commCell, got, want, err)
		}
	}
}
