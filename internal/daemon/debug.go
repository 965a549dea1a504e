package daemon

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/control"
	"jobwatch/internal/poller"
)

// state is what the parts say of themselves in a dump: what they do, not how they are configured.
type state struct {
	Version   string         `json:"version"`
	LogLevel  string         `json:"logLevel"`
	CommCells []commCell     `json:"commcells"`
	Outbox    outbox         `json:"outbox"`
	NATS      connection     `json:"nats"`
	Publisher publisherState `json:"publisher"`
}

// commCell is a worker of the supervisor, and its poller.
type commCell struct {
	Name      string         `json:"name"`
	Started   bool           `json:"started"`
	Up        bool           `json:"up"`
	Since     time.Time      `json:"since,omitzero"`
	Reason    string         `json:"reason,omitempty"` // why it is not up
	Limit     int            `json:"requestLimit"`     // under way at once
	HeldUntil time.Time      `json:"heldUntil,omitzero"`
	HeldFor   string         `json:"heldFor,omitempty"`
	Tracked   map[string]int `json:"tracked"` // jobs by the class of their state
	Cycles    int64          `json:"cycles"`
	Skipped   int64          `json:"ticksSkipped"`
	Took      string         `json:"lastCycleTook"`
	CutShort  string         `json:"lastCycleCutShortBy,omitempty"`
	Next      time.Time      `json:"nextTick,omitzero"`
}

type outbox struct {
	Unsent int64     `json:"unsentEvents"`
	Oldest time.Time `json:"oldestUnsent,omitzero"`
	Error  string    `json:"error,omitempty"`
}

type connection struct {
	Connected bool   `json:"connected"`
	Unusable  string `json:"unusable,omitempty"` // why
	Embedded  string `json:"embeddedTrouble,omitempty"`
}

type publisherState struct {
	ReadToEnd bool             `json:"streamRead"`
	Published int64            `json:"published"`
	Errors    map[string]int64 `json:"errors"`
	Stopped   int              `json:"jobsStopped"`
	Refusal   string           `json:"refusal,omitempty"`
	Foreign   map[string]int64 `json:"foreignWrites"`
	StoppedBy string           `json:"stoppedBy,omitempty"`
}

func (p *parts) debug() *control.Debug {
	return &control.Debug{State: func() any { return p.state() }, SetLogLevel: p.setLogLevel}
}

func (p *parts) state() state {
	s := state{Version: p.Version, CommCells: p.pollers.states()}
	if p.Level != nil {
		s.LogLevel = levelName(p.Level.Level())
	}
	oldest, err := p.store.OldestUnsent()
	s.Outbox = outbox{Unsent: p.store.Unsent(), Oldest: oldest, Error: text(err)}
	s.NATS = connection{Connected: p.broker.Connected(), Unusable: text(p.broker.Usable()), Embedded: text(p.embedded.Trouble())}
	_, stopped := p.publisher.Refusals()
	s.Publisher = publisherState{
		Published: p.publisher.Counts.Published.Load(), Errors: p.publisher.Errors(), Stopped: stopped,
		Refusal: p.publisher.Refusal(), Foreign: p.publisher.ForeignWrites(), StoppedBy: text(p.publisher.Stopped()),
	}
	select {
	case <-p.publisher.CaughtUp():
		s.Publisher.ReadToEnd = true
	default:
	}
	return s
}

func (s *supervisor) states() []commCell {
	s.mu.Lock()
	defer s.mu.Unlock()
	cells := []commCell{}
	for _, w := range s.workers {
		cells = append(cells, stateOf(w.poller, w.stop != nil))
	}
	return cells
}

func stateOf(p *poller.Poller, started bool) commCell {
	t := p.Counts.Totals()
	until, why := p.Hold()
	return commCell{
		Name: p.CommCell, Started: started, Up: t.Up, Since: t.Since, Reason: t.Reason, Limit: p.Limit(), HeldUntil: until, HeldFor: text(why),
		Tracked: t.Classes, Cycles: t.Cycles, Skipped: t.Skipped, Took: t.Took.String(), Next: t.Due, CutShort: text(t.Broken),
	}
}

// LogLevels are those that a log can have.
var LogLevels = []string{"debug", "info", "warn", "error"}

func levelName(level slog.Level) string { return strings.ToLower(level.String()) }

// setLogLevel is asked for by an administrator, and holds until the watcher ends or log.level is edited.
func (p *parts) setLogLevel(name string) (before string, err error) {
	if !slices.Contains(LogLevels, name) {
		return "", fmt.Errorf("%s: no level of the log; there are %s", name, strings.Join(LogLevels, ", "))
	}
	if p.Level == nil {
		return "", errors.New("the level of this watcher's log is fixed")
	}
	before = levelName(p.Level.Level())
	logAt(p.Level, name, p.Log, "the log's level is set by watcher debug: "+name)
	return before, nil
}

// logAt sets a level that is checked already, and says so where the old or the new one shows it.
func logAt(level *slog.LevelVar, name string, log *slog.Logger, message string) {
	var next slog.Level
	_ = next.UnmarshalText([]byte(name))
	level.Set(min(level.Level(), next))
	log.Info(message)
	level.Set(next)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
