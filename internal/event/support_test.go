package event

import (
	"encoding/json"
	"testing"
	"time"

	"jobwatch/internal/job"
)

var (
	asked    = time.Date(2026, 11, 23, 13, 59, 30, 118_000_000, time.UTC)
	answered = time.Date(2026, 11, 23, 14, 0, 0, 123_000_000, time.UTC)
)

// Valid is eventtest's, set from outside.
var Valid func(t *testing.T, subject string, message []byte)

func seen(s job.Snapshot) job.Observation {
	if s.CommCell == "" {
		s.CommCell, s.Number = "prod", 1248
	}
	s.Settle()
	return job.Observation{Snapshot: s, Asked: asked, Answered: answered}
}

func mint(t *testing.T, number uint64, c job.Change, s job.Snapshot) Event {
	t.Helper()
	e, err := NewMinter(nil).Job(number, c, seen(s), asked)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mintCommCell(t *testing.T, number uint64, detail, reason string) Event {
	t.Helper()
	c := job.Change{Kind: job.KindCommCell, Detail: detail}
	e, err := NewMinter(nil).CommCell(number, c, job.ID{CommCell: "prod"}, answered, reason)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// message is the event as the broker gets it.
func message(t *testing.T, e Event) []byte {
	t.Helper()
	data := encode(t, e)
	Valid(t, "", data)
	return data
}

func encode(t *testing.T, e Event) []byte {
	t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func stateChange(from, to job.Text) job.Change {
	return job.Change{Kind: job.KindState, Detail: job.Slug(to), From: from, To: to}
}

func phaseChange(from, to job.Text) job.Change {
	return job.Change{Kind: job.KindPhase, Detail: job.Slug(to), From: from, To: to}
}
