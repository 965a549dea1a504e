package store

import (
	"bytes"
	"errors"
	"math"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// ErrChanged says that what was told of the job has changed since it was recalled: recall, ask and
// compare again.
var ErrChanged = errors.New("what was told of the job has changed meanwhile")

// Known is what the store knows of a job. The zero Known is a job never seen.
type Known struct {
	Told           job.Told
	Asked          time.Time // when the last observation kept was asked for; zero: unknown
	Updated        time.Time // its own time, by the CommServe's clock
	LastProgress   time.Time // since when the job shows the progress of the snapshot held; zero: unknown, or not active
	Misses         Misses    // since then
	Digest         uint64
	Terminal       bool
	RefreshPending bool // another watcher spoke: the next look replaces what is held

	revision, sequence uint64
}

// Recall reads what is known of a job.
func (s *Store) Recall(id job.ID) (Known, error) {
	var k Known
	err := s.view(func(tx *bbolt.Tx) error {
		line, _, _ := bytes.Cut(tx.Bucket(jobsBucket).Get(jobKey(id)), newline)
		held, found := s.memory.recall(id, line)
		if found {
			k = held
			return nil
		}
		r, _, err := readRecord(tx, id)
		k = Known{
			Told: r.Told, Asked: fromNanos(r.Asked), Updated: fromNanos(r.Updated),
			LastProgress: fromNanos(r.LastProgress), Misses: Misses{r.Misses, fromNanos(r.Missed)}, Digest: r.Digest,
			Terminal: r.Terminal, RefreshPending: r.RefreshPending, revision: r.Revision, sequence: r.Sequence,
		}
		if err == nil {
			s.memory.keep(id, line, k)
		}
		return err
	})
	return k, err
}

// Snapshot reads the newest snapshot held of a job; false if there is none.
func (s *Store) Snapshot(id job.ID) (job.Snapshot, bool, error) {
	var snapshot job.Snapshot
	found := false
	err := s.view(func(tx *bbolt.Tx) error {
		_, line, err := readRecord(tx, id)
		if err != nil || len(line) == 0 {
			return err
		}
		found = true
		if snapshot, err = decodeSnapshot(line); err != nil {
			return illegible(tx, id, "its snapshot", err)
		}
		return nil
	})
	return snapshot, found, err
}

// PollResult is what one poll at a job has found.
type PollResult struct {
	Known        Known // as recalled before
	Seen         job.Observation
	Changes      []job.Change
	NotBefore    time.Time       // the changes came after; zero: unknown
	Log          []job.FeedEntry // that each of the events carries
	LastProgress time.Time       // since when the job shows this progress; zero: unknown, or not active
	Missed       bool            // the CommServe did not know the job: Seen holds what was last seen of it
	Ended        bool            // the job's end is told with this: look at it once more, unless it is configured
	Untrack      bool            // look at it no more, unless it is configured
}

// Told is what will have been told. A job that is seen again need not differ from what was told before it
// was lost, and then no event says so: who has only the stream learns it by looking, too.
func (l *PollResult) Told() job.Told {
	before := l.Known.Told
	before.Lost = before.Lost && l.Missed
	return before.TellAll(l.Changes, &l.Seen.Snapshot)
}

// Commit keeps what a look has found, with the events that it owes. It returns ErrChanged when the
// look started from something else than what the store holds now.
func (s *Store) Commit(l PollResult) error {
	snapshot, err := encodeSnapshot(&l.Seen.Snapshot)
	if err != nil {
		return err
	}
	next := step{id: l.Seen.ID(), known: l.Known, finish: l.Ended, leave: l.Untrack}
	next.told = l.Told()
	next.keep = func(r *record) []byte {
		r.Asked, r.Updated = nanos(l.Seen.Asked), nanos(l.Seen.Snapshot.Updated())
		r.LastProgress = nanos(l.LastProgress)
		if !l.Missed || l.Untrack {
			r.miss(Misses{})
		}
		r.Digest, r.Terminal = Digest(&l.Seen.Snapshot), l.Seen.Snapshot.Terminal
		return snapshot
	}
	for _, c := range l.Changes {
		e, err := s.mint.Job(next.nextSequence(), c, l.Seen, l.NotBefore, l.Log...)
		if err != nil {
			return err
		}
		next.events = append(next.events, e)
	}
	return s.commit(next)
}

// CommitCommCell keeps that a CommCell answers, or does not, with the event that is owed for it.
func (s *Store) CommitCommCell(id job.ID, known Known, changes []job.Change, at time.Time, reason string) error {
	next := step{id: id, known: known, told: known.Told.TellAll(changes, &job.Snapshot{}), leave: true}
	next.keep = func(*record) []byte { return nil }
	for _, c := range changes {
		e, err := s.mint.CommCell(next.nextSequence(), c, id, at, reason)
		if err != nil {
			return err
		}
		next.events = append(next.events, e)
	}
	return s.commit(next)
}

// step is what one commit changes.
type step struct {
	id     job.ID
	known  Known
	told   job.Told
	events []event.Event
	finish bool
	leave  bool
	keep   func(*record) (snapshot []byte)
}

// nextSequence counts on from what was recalled; the revision guards that nobody else does.
func (n *step) nextSequence() uint64 { return n.known.sequence + uint64(len(n.events)) + 1 }

// commit is the commit point: a crash before it and nothing was seen, a crash after it and the
// events are owed.
func (s *Store) commit(n step) error {
	rows, err := encodeRows(n.events)
	if err != nil {
		return err
	}
	dropped := 0
	err = s.update(func(tx *bbolt.Tx) error {
		r, _, err := readRecord(tx, n.id)
		if err != nil {
			return err
		}
		if r.Revision != n.known.revision {
			return ErrChanged
		}
		if r.RefreshPending {
			tx.OnCommit(func() { s.setRefreshPending(n.id, false) })
			dropped, err = dropRows(tx, n.id, math.MaxUint64)
		}
		r.Revision++
		r.Told, r.RefreshPending, r.Sequence = n.told, false, r.Sequence+uint64(len(rows))
		return errors.Join(err,
			putRows(tx, n.id, n.known.sequence, rows),
			writeRecord(tx, n.id, r, n.keep(&r)),
			finish(tx, n.id, n.finish),
			leave(tx, n.id, n.leave))
	})
	if err != nil {
		return err
	}
	s.owe(n.id, len(rows), dropped)
	return nil
}
