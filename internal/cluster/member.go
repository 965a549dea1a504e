// Package cluster has several watchers share the CommCells of a configuration: each CommCell is polled by one of them, and
// by another when that one stops, dies or is cut off. They meet in a bucket, and nowhere else.
//
// Nothing correct depends on it: two that both believe to own a CommCell tell each event once (internal/publish sees to
// that). A claim saves work only.
//
//	member.go    the loop: beat, read on, decide, act
//	board.go     the bucket as it was read, and who lives
//	decide.go    what to do, a pure function
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
	gone    chan struct{} // closed when Run has ended

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
	hearing, deaf := context.WithCancel(ctx)
	defer deaf()
	go m.Bucket.Hear(hearing, []string{ownerPrefix + ">", handPrefix + ">"}, m.nudge)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	defer close(m.gone)
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
		m.give(cell, g)
	}
	m.refreshClaims(short)
	m.applyHands()
	if ticked {
		m.foresee()
		m.tidy(short)
		m.warnOfDifferences()
	}
	m.show(nil)
	return nil
}

// meet beats, where a tick has passed, and reads on.
func (m *Member) meet(ctx context.Context) error {
	if !m.entered {
		if err := m.enter(ctx); err != nil {
			return err
		}
	}
	if m.due {
		err := m.beat(ctx)
		if errors.Is(err, errWritten) {
			err = m.beat(ctx)
		}
		if err != nil {
			return err
		}
		m.due = false
	}
	all, err := m.Bucket.Since(ctx, m.board.revision)
	if errors.Is(err, stream.ErrNoStream) {
		m.anew()
		return err
	}
	if err != nil {
		return err
	}
	m.board.take(all)
	m.noteEpochs()
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

var errNameTaken = errors.New("another watcher has this name; whether it lives has to be seen")

// enter finds out whether the name is free: nobody has it, or this store's file had it, or who has it is dead.
func (m *Member) enter(ctx context.Context) error {
	all, err := m.Bucket.Since(ctx, m.board.revision)
	if err != nil && !errors.Is(err, stream.ErrNoStream) {
		return err
	}
	was := m.board.members[m.Instance]
	m.board.take(all)
	is := m.board.members[m.Instance]
	switch {
	case is == nil || is.Store == m.Store:
	case was != nil && is.revision != was.revision:
		return &InUseError{m.Instance, is.Host}
	case m.ticks < deathTicks+deathBeats:
		return errNameTaken
	}
	m.entered, m.ticks, m.due = true, 0, true
	if is != nil {
		m.own = is.revision
	} else if e, err := m.Bucket.Get(ctx, memberPrefix+m.Instance); err == nil {
		m.own = e.Revision // of what was deleted
	}
	return nil
}

// beat writes a sign of life.
func (m *Member) beat(ctx context.Context) error {
	value, err := encode(member{
		Layout: layout, Store: m.Store, Epoch: m.Epoch, Version: m.Version, Host: m.Host, Started: m.started.UTC(),
		Beat: uint64(m.ticks), CaughtUp: m.Work.CaughtUp(), Leaving: m.leaving, Settings: m.Work.Settings(),
	}, m.kept())
	if err != nil {
		return err
	}
	revision, err := m.Bucket.Put(ctx, stream.Entry{Key: memberPrefix + m.Instance, Value: value, Revision: m.own})
	if errors.Is(err, stream.ErrChanged) {
		return m.changed(ctx)
	}
	if err != nil {
		return err
	}
	if revision <= m.board.revision { // it begins at 1 again
		m.anew()
	}
	m.own = revision
	return nil
}

func (m *Member) kept() rest {
	if s := m.board.members[m.Instance]; s != nil {
		return s.rest
	}
	return nil
}

// errWritten says that this member's key was written meanwhile, and not by another watcher.
var errWritten = errors.New("the member's key was written meanwhile")

// changed finds out who has written this member's key: itself, the answer to which was lost; somebody who tells it to
// leave; or another watcher.
func (m *Member) changed(ctx context.Context) error {
	e, err := m.Bucket.Get(ctx, memberPrefix+m.Instance)
	if err != nil {
		return err
	}
	var is member
	if !decode(e, &is, &is.rest) {
		if e.Revision < m.own {
			m.anew()
		}
		m.own = e.Revision
		return errWritten
	}
	if is.Store != m.Store || is.Epoch != m.Epoch && is.Started.After(m.started) {
		return &InUseError{m.Instance, is.Host}
	}
	if is.Epoch == m.Epoch && is.Leaving && !m.leaving {
		m.leaving = true
		m.Log.Info("told to leave the cluster: gives away all that it polls, and takes nothing more until its next start")
	}
	m.own = e.Revision
	return errWritten
}

// anew forgets what was read of a bucket that is no more.
func (m *Member) anew() {
	if len(m.board.owners) > 0 {
		m.Log.Warn("the bucket in which the cluster meets was deleted; it is made anew")
	}
	m.board = newBoard(m.Instance)
	clear(m.applied)
}

// alone polls what was polled here before, where the bucket cannot be read from the start on.
func (m *Member) alone(why error) {
	patience := slowPatience
	if errors.Is(why, stream.ErrDisconnected) {
		patience = alonePatience
	}
	if m.entered || m.ticks < patience || len(m.tenures) > 0 {
		return
	}
	settings := m.Work.Settings()
	for _, cell := range m.owned {
		if _, follows := settings[cell]; follows {
			m.Log.Warn("polls what it polled before: the cluster cannot be reached", "commcell", cell)
			m.tenures[cell] = m.begin(cell, Facts{})
		}
	}
}

func (m *Member) remembered() {
	owned, err := m.Work.Owned()
	if err != nil {
		m.Log.Error("which CommCells were polled here is not known", "err", err)
	}
	m.owned = owned
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

// claim takes a CommCell, if nobody was faster.
func (m *Member) claim(ctx context.Context, cell string, why Reason) {
	was := m.board.owners[cell]
	if was == nil {
		was = &owned{}
	}
	facts := m.factsOf(cell, was)
	c := claim{
		Layout: layout, Instance: m.Instance, Term: was.Term + 1, Since: time.Now().UTC(), Why: why, Tracked: was.Tracked, rest: was.rest,
	}
	c.note(facts)
	if !m.write(ctx, cell, c, was.revision) {
		return
	}
	m.mu.Lock()
	m.counts[why]++
	m.mu.Unlock()
	m.Log.Info("claims a CommCell", "commcell", cell, "reason", string(why), "before", was.Instance)
	if m.tenures[cell] == nil {
		m.tenures[cell] = m.begin(cell, facts)
	}
}

// write writes a claim, if it is what was read last. Who was faster is read in the next pass.
func (m *Member) write(ctx context.Context, cell string, c claim, upon uint64) bool {
	value, err := encode(c, c.rest)
	if err != nil {
		return false
	}
	revision, err := m.Bucket.Put(ctx, stream.Entry{Key: ownerPrefix + cell, Value: value, Revision: upon})
	if err != nil {
		return false
	}
	if o := m.board.owners[cell]; o == nil || o.Instance != c.Instance {
		m.board.changed(c.Why == Balance)
	}
	m.board.owners[cell] = &owned{claim: c, revision: revision, stored: m.board.newest}
	return true
}

// factsOf are what the last owner has written of a CommCell. The age of its Job list goes on by the broker's clock.
func (m *Member) factsOf(cell string, was *owned) Facts {
	f := Facts{GUID: was.GUID, Hands: map[JobKey]Hand{}}
	if was.ListedAgo != nil {
		f.Listed = new(time.Duration(*was.ListedAgo)*time.Second + max(0, m.board.newest.Sub(was.stored)))
	}
	for k, h := range m.board.hands {
		if k.CommCell == cell {
			f.Hands[k] = h.Hand
			m.applied[k] = h.revision
		}
	}
	return f
}

// note writes into a claim what the next owner has to know.
func (c *claim) note(f Facts) {
	c.GUID, c.ListedAgo = f.GUID, nil
	if f.Listed != nil {
		c.ListedAgo = new(int64(f.Listed.Seconds()))
	}
}

const refreshTicks = 60 // between two writings of an own claim

// refreshClaims writes what has changed of the CommCells that are polled here: now and then, and soon after they began.
func (m *Member) refreshClaims(ctx context.Context) {
	for cell, t := range inOrder(m.tenures) {
		o := m.board.owners[cell]
		if o == nil || o.Instance != m.Instance || m.giving[cell] || m.ticks < t.refresh || !t.polls.Load() {
			continue
		}
		standing := m.Work.Standing(cell)
		c := o.claim
		c.Layout, c.Tracked = layout, standing.Tracked
		c.note(standing.Facts)
		if m.write(ctx, cell, c, o.revision) {
			t.refresh = m.ticks + refreshTicks
		}
	}
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
