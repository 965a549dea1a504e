package web

import (
	"net/http"
	"sync"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/poller"
)

type status struct {
	Version   string     `json:"version"`
	Time      time.Time  `json:"time"`
	Ready     bool       `json:"ready"`
	Checks    []check    `json:"checks"`
	Unsent    int64      `json:"unsent"`
	Jobs      *counts    `json:"jobs"` // null: the store cannot be read, as the checks say
	CommCells []commCell `json:"commcells"`
	Relays    []Relay    `json:"relays"`

	Instance string                 `json:"instance,omitempty"` // this watcher's name in the cluster
	Members  []cluster.MemberStatus `json:"members"`            // none: it is alone
}

type commCell struct {
	Name     string         `json:"name"`
	Owner    *string        `json:"owner"`      // the member that polls it; null: none, or there is no cluster
	Owned    *time.Time     `json:"ownedSince"` // by that member's clock
	Up       *bool          `json:"up"`         // null: nothing was asked yet
	Since    *time.Time     `json:"since"`      // that is so, as this process saw it
	Answered *time.Time     `json:"answered"`   // last
	Failure  string         `json:"failure,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Classes  map[string]int `json:"tracked"` // jobs by the class of their state
	NextTick *time.Time     `json:"nextTick"`
	Took     float64        `json:"tickSeconds"` // the last tick
	Ticks    int64          `json:"ticks"`
	Skipped  int64          `json:"ticksSkipped"`
	Limit    int            `json:"requestLimit"` // requests under way at once at most, just now
}

// status is what the page's lights show.
func (s *Server) status(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.stands()) }

func (s *Server) stands() status {
	now := time.Now()
	checks := s.checks(now)
	of, isMember := s.view()
	is := status{
		Version: s.Version, Time: now.UTC(), Ready: ready(checks), Checks: checks, CommCells: []commCell{}, Relays: s.relays(),
		Instance: s.Instance, Members: of.Members,
	}
	if s.Store == nil {
		return is
	}
	is.CommCells = s.commCells(of, isMember)
	is.Unsent = s.Store.Unsent()
	if jobs, _, err := s.outline.read(s.Store); err == nil {
		is.Jobs = &jobs
	}
	return is
}

// statusBoard keeps what was last sent to those who follow: one status serves them all.
type statusBoard struct {
	mu   sync.Mutex
	made time.Time // guarded by mu, as the rest is
	text []byte
}

const statusHolds = time.Second

func (b *statusBoard) read(s *Server) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); b.made.IsZero() || now.Sub(b.made) >= statusHolds {
		b.text, b.made = encode(s.stands()), now
	}
	return b.text
}

func light(p *poller.Poller) commCell {
	t := p.Counts.Totals()
	c := commCell{
		Name: p.CommCell, Failure: string(t.Failure), Reason: t.Reason, Classes: t.Classes, Took: t.Took.Seconds(), Ticks: t.Cycles, Skipped: t.Skipped, Limit: p.Limit(),
		Since: known(t.Since), Answered: known(t.Answered), NextTick: known(t.Due),
	}
	if !t.Since.IsZero() {
		c.Up = &t.Up
	}
	if c.Classes == nil {
		c.Classes = map[string]int{}
	}
	return c
}

// known is null for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
