package poller

import (
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// seconds after noon at which an answer was asked for, and that it shows as its own time.
type answerAt struct{ asked, own int }

func (a answerAt) observation() job.Observation {
	own := noon.Add(time.Duration(a.own) * time.Second)
	return job.Observation{Snapshot: job.Snapshot{LastUpdateTime: &own}, Asked: noon.Add(time.Duration(a.asked) * time.Second)}
}

func TestNewer(t *testing.T) {
	for _, row := range []struct {
		words   string
		last    answerAt
		answers []answerAt
		want    []bool
	}{
		{"a later one", answerAt{10, 10}, []answerAt{{20, 20}}, []bool{true}},
		{"the same again", answerAt{10, 10}, []answerAt{{10, 10}}, []bool{true}},
		{"asked for before the last", answerAt{10, 10}, []answerAt{{9, 11}}, []bool{false}},
		{"its own time before the last's", answerAt{10, 10}, []answerAt{{20, 9}}, []bool{false}},
		{"three that agree", answerAt{10, 10}, []answerAt{{20, 5}, {30, 6}, {40, 7}}, []bool{false, false, true}},
		{"three that do not", answerAt{10, 10}, []answerAt{{20, 5}, {30, 4}, {40, 3}}, []bool{false, false, false}},
		{"three, and a newer one between", answerAt{10, 10}, []answerAt{{20, 5}, {30, 11}, {40, 6}, {50, 7}}, []bool{false, true, false, false}},
	} {
		for name, restarted := range map[string]bool{"": false, ", after a restart": true} {
			t.Run(row.words+name, func(t *testing.T) {
				last := row.last.observation()
				s, known := &cachedJob{asked: last.Asked, updated: last.Snapshot.Updated().Unix()}, store.Known{}
				if restarted {
					s, known = &cachedJob{}, store.Known{Asked: last.Asked, Updated: last.Snapshot.Updated()}
				}
				for i, answer := range row.answers {
					seen := answer.observation()
					if got := s.newer(known, &seen); got != row.want[i] {
						t.Errorf("answer %d is newer: %v, want %v", i, got, row.want[i])
					}
				}
			})
		}
	}
}

func TestARowOfOlderAnswersEndsWithANewerForeignEvent(t *testing.T) {
	s := &cachedJob{asked: noon, updated: noon.Unix()}
	for i, row := range []struct {
		told, own int // by a foreign event; of the answer: seconds after noon
		want      bool
	}{{20, 5, false}, {20, 6, false}, {30, 7, false}, {30, 7, false}, {30, 8, true}} {
		told, seen := answerAt{0, row.told}.observation(), answerAt{40 + i, row.own}.observation()
		known := store.Known{Updated: told.Snapshot.Updated(), RefreshPending: true}
		if got := s.newer(known, &seen); got != row.want {
			t.Errorf("answer %d is newer: %v, want %v", i, got, row.want)
		}
	}
}

func TestNotBeforeIsTheForeignWriters(t *testing.T) {
	ours, theirs := noon, noon.Add(-time.Minute)
	for words, row := range map[string]struct {
		asked time.Time // by this process
		known store.Known
		want  time.Time
	}{
		"our own last poll":         {ours, store.Known{Asked: theirs}, ours},
		"the last kept, at a start": {time.Time{}, store.Known{Asked: theirs}, theirs},
		"of a foreign event":        {ours, store.Known{Asked: theirs, RefreshPending: true}, theirs},
	} {
		s := &cachedJob{asked: row.asked}
		if got := s.notBefore(row.known); !got.Equal(row.want) {
			t.Errorf("%s: %v, want %v", words, got, row.want)
		}
	}
}
