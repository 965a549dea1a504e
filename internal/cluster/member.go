// Package cluster has several watchers share the CommCells of a configuration: each CommCell is polled by one of them, and
// by another when that one stops, dies or is cut off. They meet in a bucket, and nowhere else.
//
// Nothing correct depends on it: two that both believe to own a CommCell tell each event once (internal/publish sees to
// that). A claim saves work only.
//
//	member.go    the loop: beat, read on, decide, act
//	meet.go      beats, and what others have written
//	board.go     the bucket as it was read, and who lives
//	decide.go    what to do, a pure function
//	claims.go    claims as they are written
//	tenure.go    the time in which a CommCell is polled here
//	hands.go     what people said of jobs, at any member
//	values.go    what the keys of the bucket hold; status.go: the same for people
package cluster

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"jobwatch/internal/stream"
)

// Work is what a member decides for: the watcher's pollers, its publisher and its store.
type Work interface {
	// Settings are the CommCells of the configuration in force, with digests of their settings.
	Settings() map[string]string

	// CaughtUp says whether the stream has been read to its end since the start.
	CaughtUp() bool

	// Prepare gets what a new owner has to know: facts into the store, and what the stream tells. It may fail for the
	// latter: the first poll does not wait for NATS.
	Prepare(ctx context.Context, commCell string, f Facts) error

	// ReadOn has the stream read on to its end.
	ReadOn(ctx context.Context) error

	// Poll has a CommCell polled from now on, and Rest no more: no request is under way when it returns.
	Poll(commCell string) error
	Rest(commCell string)

	// Drain waits until nothing of a CommCell waits for the broker, or ctx ends.
	Drain(ctx context.Context, commCell string)

	// Standing is how a CommCell that is polled here stands.
	Standing(commCell string) Standing

	// Mark has the store know what somebody said of a job; Marks gives what it knows of that still.
	Mark(k JobKey, h Hand) error
	Marks(commCell string) (map[JobKey]Hand, error)

	// Own remembers over a restart which CommCells are polled here; Owned gives them.
	Own(commCells []string) error
	Owned() ([]string, error)
}

// Facts are what no stream tells a new owner.
type Facts struct {
	GUID   string          // of the CommServe; empty: unknown
	Listed *time.Duration  // since the last whole Job list; nil: unknown
	Hands  map[JobKey]Hand // of the CommCell
}

// Standing is how a CommCell stands that is polled here.
type Standing struct {
	Facts
	Tracked int
	Answers bool // its CommServe does
}

// Config says who a member is.
type Config struct {
	Instance string
	Store    string // id of the store's file
	Epoch    string // of its events
	Version  string
	Host     string
	Bucket   stream.Bucket
	Work     Work
	Log      *slog.Logger
}

// Member is one of the watchers that share the CommCells.
type Member struct {
	Config
	started time.Time
	nudges  chan struct{}
	results chan func()
	gone    chan struct{}  // closed when the loop has ended
	beside  sync.WaitGroup // what runs beside the loop; Run ends after it

	// What follows is the loop's own.
	board    *board
	own      uint64 // revision of this member's key
	due      bool   // a beat is
	ticks    int
	entered  bool // nobody else has the name
	leaving  bool
	outage   int  // passes in a row in which the bucket could not be read
	cut      bool // in one of them there was no connection
	tenures  map[string]*tenure
	giving   map[string]bool
	applied  map[JobKey]uint64 // revisions of what was said of jobs that the store knows
	owned    []string          // as the store remembers it
	said     map[string]int    // ticks that a member's configuration has differed for
	saidNews bool

	foreseeing atomic.Bool // the stream is read since a member is silent

	mu     sync.Mutex
	view   Status          // guarded by mu
	counts map[Reason]int  // guarded by mu
	epochs map[string]bool // of all that were met; guarded by mu
}

// InUseError says that another watcher lives under the same name.
type InUseError struct{ Instance, Host string }

func (e *InUseError) Error() string {
	return fmt.Sprintf("cluster.instance: another watcher, on host %s, runs as %s; give this one another name, or stop that one", e.Host, e.Instance)
}

// New gives a member that does nothing until Run is called.
func New(c Config) *Member {
	return &Member{
		Config: c, started: time.Now(), nudges: make(chan struct{}, 1), results: make(chan func()), gone: make(chan struct{}),
		board: newBoard(c.Instance), tenures: map[string]*tenure{}, giving: map[string]bool{}, applied: map[JobKey]uint64{}, said: map[string]int{},
		counts: map[Reason]int{}, epochs: map[string]bool{},
	}
}

// The bucket is waited for at the start, so many ticks. Then what was polled here before is polled on: soon where there is no
// connection at all, later where NATS is there and slow, or elects a leader.
const (
	alonePatience = 5
	slowPatience  = 15
)

// Run takes part until ctx ends, and then gives away all that it owns. Its error is an InUseError.
func (m *Member) Run(ctx context.Context) error {
	defer m.beside.Wait()
	defer close(m.gone)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.beside.Go(func() { m.Bucket.Hear(ctx, []string{ownerPrefix + ">", handPrefix + ">"}, m.nudge) })
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	m.remembered()
	for ticked := true; ; {
		if err := m.pass(ctx, ticked); err != nil {
			m.end(false)
			return err
		}
		ticked = false
		select {
		case <-ticker.C:
			m.ticks++
			m.board.tick()
			m.due, ticked = true, true
		case <-m.nudges:
		case apply := <-m.results:
			apply()
		case <-ctx.Done():
			m.end(true)
			return nil
		}
	}
}

func (m *Member) nudge() {
	select {
	case m.nudges <- struct{}{}:
	default:
	}
}

// pass does all that there is to do now. Its error is an InUseError.
func (m *Member) pass(ctx context.Context, ticked bool) error {
	short, cancel := context.WithTimeout(ctx, 2*tick)
	defer cancel()
	if err := m.meet(short); err != nil {
		if used, is := errors.AsType[*InUseError](err); is {
			return used
		}
		m.outage++
		m.cut = m.cut || errors.Is(err, stream.ErrDisconnected)
		if !errors.Is(err, errNameTaken) {
			m.alone(err)
		}
		m.show(err)
		return nil
	}
	switch {
	case m.cut: // others may connect later than this one
		m.board.hearAll(deathTicks)
	case m.outage > 1: // the bucket's servers had to elect a leader: all were there meanwhile
		m.board.hearAll(deathTicks / 2)
	}
	m.outage, m.cut = 0, false
	p := m.board.decide(m.situation())
	for cell, why := range inOrder(p.claims) {
		m.claim(short, cell, why)
	}
	m.keepTenures()
	for cell, g := range inOrder(p.gives) {
		m.give(ctx, cell, g)
	}
	m.refreshClaims(short)
	m.applyHands()
	if ticked {
		m.foresee(ctx)
		m.tidy(short)
		m.warnOfDifferences()
	}
	m.show(nil)
	return nil
}

// noteEpochs remembers whose events are no stray's.
func (m *Member) noteEpochs() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.board.members {
		m.epochs[s.Epoch] = true
	}
}

// Sibling says whether events of an epoch are of a member that was met.
func (m *Member) Sibling(epoch string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.epochs[epoch]
}

func (m *Member) situation() situation {
	s := situation{caughtUp: m.Work.CaughtUp(), leaving: m.leaving, cells: map[string]bool{}, polls: map[string]bool{}}
	for cell := range m.Work.Settings() {
		s.cells[cell] = true
		if m.tenures[cell] != nil {
			s.polls[cell] = true
			s.cells[cell] = m.Work.Standing(cell).Answers
		}
	}
	return s
}

// inOrder goes through a map in the order of its keys: what is asked of the broker has the same order in each simulation.
func inOrder[T any](all map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if !yield(key, all[key]) {
				return
			}
		}
	}
}

// Counts gives how often a CommCell was claimed here, by reason.
func (m *Member) Counts() map[Reason]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.counts)
}

// remember has the store remember what is polled here.
func (m *Member) remember() {
	now := slices.Sorted(maps.Keys(m.tenures))
	if slices.Equal(now, m.owned) {
		return
	}
	if err := m.Work.Own(now); err == nil {
		m.owned = now
	}
}
