package web

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
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

	Started time.Time      `json:"started"`
	Prefix  string         `json:"subjectPrefix"` // of the subjects of events; "": none
	Day     map[string]int `json:"jobs24h"`       // that ended within a day, by class; null as jobs is, as the next is
	Stalled *int           `json:"stalled"`
	Readers []reader       `json:"readers"` // of the stream; null: they could not be had, as the next
	Stream  *streamState   `json:"stream"`
	NATS    natsState      `json:"nats"`
	Store   *storeState    `json:"store"`
	Outbox  *outbox        `json:"outbox"`
}

// natsState is the connection to NATS. That it can be used the checks say.
type natsState struct {
	Server     string     `json:"server"` // host and port; "": none is connected
	Version    string     `json:"version"`
	Since      *time.Time `json:"since"`
	Reconnects int        `json:"reconnects"`
	RoundTrip  *float64   `json:"roundTripMillis"` // null: not known
}

type storeState struct {
	Bytes int64  `json:"bytes"`
	Free  *int64 `json:"free"` // on its disk; null: not known
}

type outbox struct {
	Unsent   int64      `json:"unsent"`
	Oldest   *time.Time `json:"oldest"`
	Stopped  int        `json:"stopped"` // jobs, by what the broker refuses for good
	Refusal  string     `json:"refusal,omitempty"`
	Refusals []refusal  `json:"refusals"` // that stop jobs, the one that stops most first
}

// refusal is what NATS says of events that it refuses for good.
type refusal struct {
	Reason string `json:"reason"` // as jobwatch_publish_errors_total has it
	Jobs   int    `json:"jobs"`
	Text   string `json:"text"`
	Mend   string `json:"mend"` // what to do; "": Text says it
}

const mostRefusals = 20 // that are shown

type commCell struct {
	Name     string         `json:"name"`
	Owner    *string        `json:"owner"`      // the member that polls it; null: none, or there is no cluster
	Owned    *time.Time     `json:"ownedSince"` // by that member's clock
	Up       *bool          `json:"up"`         // null: nothing was asked yet
	Since    *time.Time     `json:"since"`      // that is so, as this process saw it; or, where it does not answer, as was told before
	Answered *time.Time     `json:"answered"`   // last
	Failure  string         `json:"failure,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Classes  map[string]int `json:"tracked"` // jobs by the class of their state
	NextTick *time.Time     `json:"nextTick"`
	Took     float64        `json:"tickSeconds"` // the last tick
	Ticks    int64          `json:"ticks"`
	Skipped  int64          `json:"ticksSkipped"`
	Limit    int            `json:"requestLimit"` // requests under way at once at most, just now

	Schedule string     `json:"schedule,omitempty"`
	Ring     [][4]int64 `json:"ring"`       // the last cycles, the oldest first: began (Unix seconds), took (ms), asked, answered
	Jobs     *int       `json:"unfinished"` // null as the status's jobs is
	Stalls   float64    `json:"stallAfter"` // seconds without progress after which a job is told as stalled; 0: none is
	asking
}

// status is what the page's lights show.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, s.stands(r.Context()))
}

func (s *Server) stands(ctx context.Context) status {
	now := time.Now()
	checks := s.checks(now)
	of, isMember := s.view()
	is := status{
		Version: s.Version, Time: now.UTC(), Ready: ready(checks), Checks: checks, CommCells: []commCell{}, Relays: s.relays(),
		Instance: s.Instance, Members: of.Members, Started: s.started.UTC(), NATS: natsOf(s.Broker.Connection()),
	}
	if s.Store == nil {
		return is
	}
	is.CommCells, is.Prefix = s.commCells(of, isMember), s.Publisher.Prefix
	is.Unsent = s.Store.Unsent()
	said := s.stream.read(ctx, s.Broker)
	is.Stream, is.Readers, is.NATS.RoundTrip = said.stream, said.readers, said.roundTrip
	is.Outbox = s.outbox()
	if size, err := s.Store.Size(); err == nil {
		is.Store = &storeState{Bytes: size}
		if room, known := s.Store.Room(); known {
			is.Store.Free = &room
		}
	}
	if jobs, briefs, err := s.outline.read(s.Store); err == nil {
		is.Jobs = &jobs
		is.count(briefs, now)
	}
	return is
}

func (s *Server) outbox() *outbox {
	o := &outbox{Unsent: s.Store.Unsent(), Refusal: s.Publisher.Refusal(), Refusals: []refusal{}}
	_, o.Stopped = s.Publisher.Refusals()
	for _, r := range s.Publisher.RefusedNow() {
		if len(o.Refusals) < mostRefusals {
			o.Refusals = append(o.Refusals, refusalOf(r))
		}
	}
	if oldest, err := s.Store.OldestUnsent(); err == nil {
		o.Oldest = known(oldest)
	}
	return o
}

// refusalOf parts what is wrong from what to do, which stands behind the last semicolon.
func refusalOf(r publish.Refused) refusal {
	of := refusal{r.Reason, r.Jobs, r.Text, ""}
	if i := strings.LastIndex(r.Text, "; "); i >= 0 {
		of.Text, of.Mend = r.Text[:i], strings.TrimPrefix(r.Text[i+2:], "mend with: ")
	}
	return of
}

func natsOf(c stream.Connection) natsState {
	return natsState{Server: c.Server, Version: c.Version, Since: known(c.Since), Reconnects: c.Again}
}

// count fills in what is counted of all jobs.
func (is *status) count(jobs []store.Brief, now time.Time) {
	day, stalled, unfinished := now.Add(-24*time.Hour).UnixNano(), 0, map[string]int{}
	is.Day = map[string]int{}
	for _, class := range []job.Class{job.Succeeded, job.Partial, job.Failed, job.Killed, job.Unknown} {
		is.Day[string(class)] = 0
	}
	for _, b := range jobs {
		switch {
		case !b.Terminal:
			unfinished[b.ID.CommCell]++
			if b.Stalled {
				stalled++
			}
		case b.End < day:
		case b.Class == job.Succeeded, b.Class == job.Partial, b.Class == job.Failed, b.Class == job.Killed:
			is.Day[string(b.Class)]++
		default:
			is.Day[string(job.Unknown)]++
		}
	}
	is.Stalled = &stalled
	for i := range is.CommCells {
		is.CommCells[i].Jobs = new(unfinished[is.CommCells[i].Name])
	}
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
		b.text, b.made = encode(s.stands(context.Background())), now
	}
	return b.text
}

func (s *Server) light(p *poller.Poller) commCell {
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
	s.recall(&c)
	c.Schedule, c.Ring, c.Stalls = p.Spec, [][4]int64{}, p.StallAfter.Seconds()
	for _, cycle := range p.Counts.Last() {
		c.Ring = append(c.Ring, [4]int64{cycle.Began.Unix(), cycle.Took.Milliseconds(), int64(cycle.Asked), int64(cycle.Answered)})
	}
	c.asking = s.asks(p)
	return c
}

// recall fills in what was so before this process began: a CommCell that is silent may be so for long.
func (s *Server) recall(c *commCell) {
	was, err := s.Store.Recall(job.ID{CommCell: c.Name})
	if told := was.Told.InStateSince(); err == nil && c.Up != nil && !*c.Up && was.Told.Unreachable && told != nil && told.Before(*c.Since) {
		c.Since = told
	}
	if c.Answered == nil {
		if listed, err := s.Store.LastList(c.Name); err == nil {
			c.Answered = known(listed)
		}
	}
}

// known is null for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}
