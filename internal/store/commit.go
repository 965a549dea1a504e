package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash"
	"hash/fnv"
	"math"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// ErrChanged says that what was told of the job has changed since it was recalled: recall, ask and
// compare again.
var ErrChanged = errors.New("what was told of the job has changed meanwhile")

// PollResult is what one poll of a job has found.
type PollResult struct {
	Known        Known // as recalled before
	Seen         job.Observation
	Changes      []job.Change
	NotBefore    time.Time       // the changes came after; zero: unknown
	Log          []job.FeedEntry // that each of the events carries
	LastProgress time.Time       // since when the job shows this progress; zero: unknown, or not active
	Missed       bool            // the CommServe did not know the job: Seen holds what was last seen of it
	Ended        bool            // the job's end is told with this: poll it once more, unless it is configured
	Untrack      bool            // poll it no more, unless it is configured
}

// ToldAfter is what will have been told. A job that is seen again need not differ from what was told before it
// was lost, and then no event says so: a watcher that has only the stream learns it by polling, too.
func (p *PollResult) ToldAfter() job.Told {
	before := p.Known.Told
	before.Lost = before.Lost && p.Missed
	return before.TellAll(p.Changes, &p.Seen.Snapshot, p.Seen.Answered)
}

// Commit stores what a poll has found, and puts the events of it into the outbox. It returns ErrChanged when the
// poll started from something else than what the store holds now.
func (s *Store) Commit(p PollResult) error {
	snapshot, err := encodeSnapshot(&p.Seen.Snapshot)
	if err != nil {
		return err
	}
	next := step{id: p.Seen.ID(), known: p.Known, ended: p.Ended, untrack: p.Untrack}
	next.told = p.ToldAfter()
	next.fill = func(r *record) []byte {
		r.Asked, r.Updated = nanos(p.Seen.Asked), nanos(p.Seen.Snapshot.Updated())
		r.LastProgress = nanos(p.LastProgress)
		if !p.Missed || p.Untrack {
			r.setMisses(Misses{})
		}
		r.Digest, r.Terminal = Digest(&p.Seen.Snapshot), p.Seen.Snapshot.Terminal
		return snapshot
	}
	for _, c := range p.Changes {
		e, err := s.mint.Job(next.nextSequence(), c, p.Seen, p.NotBefore, p.Log...)
		if err != nil {
			return err
		}
		next.events = append(next.events, e)
	}
	return s.commit(next)
}

// CommitCommCell stores that a CommCell answers, or does not, and puts the event of it into the outbox.
func (s *Store) CommitCommCell(id job.ID, known Known, changes []job.Change, at time.Time, reason string) error {
	next := step{id: id, known: known, told: known.Told.TellAll(changes, &job.Snapshot{}, at), untrack: true}
	next.fill = func(*record) []byte { return nil }
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
	id      job.ID
	known   Known
	told    job.Told
	events  []event.Event
	ended   bool
	untrack bool
	fill    func(*record) (snapshot []byte)
}

// nextSequence counts on from what was recalled; that nobody else does is what commit compares revisions for.
func (n *step) nextSequence() uint64 { return n.known.sequence + uint64(len(n.events)) + 1 }

// commit is the commit point: after a crash before it nothing was seen, after a crash behind it the events wait in the
// outbox.
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
			writeRecord(tx, n.id, r, n.fill(&r)),
			awaitFinalPoll(tx, n.id, n.ended),
			stopTracking(tx, n.id, n.untrack))
	})
	if err != nil {
		return err
	}
	s.outboxChanged(n.id, len(rows), dropped)
	return nil
}

// Misses is a run of answers that did not know a job. The zero Misses is none.
type Misses struct {
	Count int
	Since time.Time // the first was answered
}

// Miss stores a run of misses, or its end, until a poll is committed, so that a restart goes on counting. The job
// may never have been seen. It returns ErrChanged when what was told has changed since the job was recalled.
func (s *Store) Miss(id job.ID, known Known, misses Misses) error {
	return s.update(func(tx *bbolt.Tx) error {
		r, snapshot, err := readRecord(tx, id)
		if err != nil {
			return err
		}
		if r.Revision != known.revision {
			return ErrChanged
		}
		r.setMisses(misses)
		return writeRecord(tx, id, r, snapshot)
	})
}

func (r *record) setMisses(m Misses) { r.Misses, r.Missed = m.Count, nanos(m.Since) }

// Digest sums up what is worth storing of a snapshot. An active job's progress is not, nor are its
// machines' sizes: they are different in every answer.
func Digest(s *job.Snapshot) uint64 {
	sum := fnv.New64a()
	if s.Terminal {
		encoder := json.NewEncoder(sum)
		_ = encoder.Encode(s) // neither can fail
		_ = encoder.Encode(s.Machines)
		return sum.Sum64()
	}
	addTexts(sum, s.State, s.Phase, s.Client, s.DestinationClient, s.Agent, s.Instance, s.Backupset, s.Subclient,
		s.StoragePolicy, s.MediaAgent, s.Operation, s.BackupLevel, s.StartedBy, s.StartedFrom, s.SystemState,
		s.SoftwareCompression, s.Failures, s.Reason, s.ReasonCode)
	addNumbers(sum, s.Priority, s.ParentJob, s.Attempt)
	for _, vm := range s.Machines {
		addTexts(sum, job.Text(vm.Name), vm.Reason)
		addNumbers(sum, vm.Status)
	}
	return sum.Sum64()
}

func addTexts(sum hash.Hash64, texts ...job.Text) {
	for _, t := range texts {
		_, _ = sum.Write(append([]byte(t), 0))
	}
}

func addNumbers(sum hash.Hash64, numbers ...*int64) {
	for _, n := range numbers {
		if n == nil {
			_, _ = sum.Write([]byte{0})
			continue
		}
		_, _ = sum.Write(binary.LittleEndian.AppendUint64([]byte{1}, uint64(*n)))
	}
}
