package console

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/golden"
)

// teller makes the messages of a stream.
type teller struct {
	*testing.T
	minter *event.Minter
	number uint64
}

func newTeller(t *testing.T) *teller { return &teller{T: t, minter: event.NewMinter(nil)} }

// message is of an event: asked for a minute before it was answered.
func (s *teller) message(answered time.Time, snapshot job.Snapshot, c job.Change) stream.Message {
	s.Helper()
	snapshot.Settle()
	s.number++
	o := job.Observation{Snapshot: snapshot, Asked: answered.Add(-time.Second), Answered: answered}
	e, err := s.minter.Job(s.number, c, o, answered.Add(-time.Minute))
	if err != nil {
		s.Fatal(err)
	}
	data, err := json.Marshal(e)
	if err != nil {
		s.Fatal(err)
	}
	return stream.Message{Data: data, Sequence: s.number}
}

func (s *teller) commCell(at time.Time, detail, reason string) stream.Message {
	s.Helper()
	e, err := s.minter.CommCell(1, job.Change{Kind: job.KindCommCell, Detail: detail}, job.ID{CommCell: "prod"}, at, reason)
	if err != nil {
		s.Fatal(err)
	}
	data, err := json.Marshal(e)
	if err != nil {
		s.Fatal(err)
	}
	return stream.Message{Data: data}
}

// night is what a tail may have to show: over midnight, with two jobs that fail.
func (s *teller) night() []stream.Message {
	sql := job.Snapshot{CommCell: "prod", Number: 1248, Client: "sql-01", State: "Running"}
	vc := job.Snapshot{CommCell: "prod", Number: 1249, Client: "vcenter-west.example.com.and.longer.than.that", State: "Running"}
	failed, ill := sql, vc
	failed.State, ill.State = "Failed", "Completed w/ one or more errors"
	return []stream.Message{
		s.message(at(22, 58), sql, job.Change{Kind: "state", Detail: "running", From: "Waiting", To: "Running"}),
		s.message(at(22, 58), sql, job.Change{Kind: "phase", Detail: "scan", To: "Scan"}),
		{Data: []byte("another's")},
		s.message(at(22, 59), failed, job.Change{Kind: "state", Detail: "failed", From: "Running", To: "Failed"}),
		s.message(at(23, 1), ill, job.Change{Kind: "state", Detail: "completed_with_errors", From: "Running", To: ill.State}),
		s.message(at(22, 59), failed, job.Change{Kind: "failure", Detail: "state", From: "Running", To: "Failed"}),
		s.message(at(23, 1), ill, job.Change{Kind: "failure", Detail: "state", From: "Running", To: ill.State}),
		s.message(at(23, 1), ill, job.Change{Kind: "failure", Detail: "vm", To: "no space", VM: "sql-44"}),
		s.commCell(at(23, 2), "unreachable", "connection refused"),
	}
}

func (s *teller) shown(screen Screen, zone *time.Location, all ...stream.Message) string {
	s.Helper()
	var out strings.Builder
	screen.Out = &out
	p := NewEvents(screen, clockAt(zone, at(23, 30), screen.Terminal()))
	for _, m := range all {
		if err := p.Print(m); err != nil {
			s.Fatal(err)
		}
	}
	return ansi.Strip(out.String())
}

func TestEvents(t *testing.T) {
	s := newTeller(t)
	cet := time.FixedZone("CET", 3600)
	golden.Is(t, "events.golden", s.shown(Screen{Width: 110, Unicode: true}, cet, s.night()...))
	golden.Is(t, "events-ascii.golden", s.shown(Screen{Width: 80}, time.UTC, s.night()...))
	golden.Is(t, "events-elsewhere.golden", s.shown(Screen{Unicode: true}, cet, s.night()...))
}

// TestAFailureAloneIsShown has no event of the state before that of its failure.
func TestAFailureAloneIsShown(t *testing.T) {
	s := newTeller(t)
	night := s.night()
	if got := s.shown(Screen{}, time.UTC, night[5], night[6]); strings.Count(got, "\n") != 2 {
		t.Errorf("of two failures are shown:\n%s", got)
	}
	if got := s.shown(Screen{}, time.UTC, night[3], night[0], night[5]); strings.Count(got, "\n") != 3 {
		t.Errorf("a failure behind another state is not shown:\n%s", got)
	}
	killed := job.Snapshot{CommCell: "prod", Number: 1248, State: "Killed"}
	meanwhile := s.message(at(23, 5), killed, job.Change{Kind: "state", Detail: "killed", From: "Failed", To: "Killed"})
	if got := s.shown(Screen{}, time.UTC, night[3], meanwhile, night[5]); strings.Count(got, "\n") != 3 {
		t.Errorf("a failure of the state before is not shown:\n%s", got)
	}
}
