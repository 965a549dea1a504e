// Package store keeps what was last seen of each job, and the outbox of events still to be published, in one bbolt file.
//
//	jobs     <commcell>/<job id, 8 bytes>                       => what was told, what the broker acknowledged,
//	                                                               and the snapshot (record.go)
//	outbox   <commcell>/<job id, 8 bytes><sequence, 8 bytes>    => event, as it is published (JSON); its subject
//	                                                               is built when it is sent
//	sent     <order, 8 bytes><key in outbox>                    => an acknowledged event, retained for KeepSent: when that was,
//	                                                               Unix nanoseconds, 8 bytes; its stream sequence, 8 bytes,
//	                                                               with the first bit set: that or one before; the event
//	tracked  <commcell>/<job id, 8 bytes>                       => why it is polled: configured, by hand, discovered,
//	                                                               closing (final poll), owed (refresh); or not: untracked
//	meta     format => the number of this layout; stream => name and birth of the stream last read;
//	         cursor => the last sequence read of it, 8 bytes; id => the file's own; guid/<commcell> => the CommServe's;
//	         kept since => the order in sent behind which the stream is known to have lost nothing, 8 bytes;
//	         listed/<commcell> => when the Job list was last read to its end, Unix nanoseconds, 8 bytes
//
// Numbers in keys are big-endian, so that a job's events lie in their order. Job id 0 is the CommCell
// itself, whose events have their own sequence. A value in jobs is two lines of JSON: first what is
// read at every poll, then the snapshot.
//
// One transaction changes a snapshot and its outbox rows together, or neither. That is the whole promise: commit.go.
//
// What serves the care of the file lies in file_*.go: locking, inspecting, compacting, backing up, verifying, counting
// and rebuilding it. All else serves the running program: recall.go and commit.go each poll, outbox.go and
// acknowledge.go each publish, adopt.go, renumber.go, retained.go and requeue.go what the stream turns out to hold,
// tracked.go, forget.go and meta.go what a cycle goes by, marks.go what people have decided at other watchers, list.go and
// outline.go what people and the page are shown.
package store

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

var (
	jobsBucket    = []byte("jobs")
	outboxBucket  = []byte("outbox")
	sentBucket    = []byte("sent")
	trackedBucket = []byte("tracked")
	metaBucket    = []byte("meta")

	buckets = [][]byte{jobsBucket, outboxBucket, sentBucket, trackedBucket, metaBucket}
)

// Store is the one file. Its methods may be called from many goroutines.
type Store struct {
	db   *bbolt.DB
	mint *event.Minter

	// Broken is called when the file turns out to be overwritten or damaged while it is in use. It had better not return:
	// a caller that waits for a lock held at that moment waits for ever. Set it before the first use.
	Broken func(error)

	// KeepSent is how long an acknowledged event is retained; 0: not at all. Set it before the first use.
	KeepSent time.Duration

	// Took is told how long each transaction that writes takes, its fsync included; nil: nobody. Set it before the first use.
	Took func(time.Duration)

	commits   groupCommit
	committed atomic.Int64 // id of the last transaction written, as far as is known
	broken    atomic.Bool
	cache     recallCache
	unsent    atomic.Int64 // rows in the outbox
	retained  atomicTally  // of the rows in sent

	maxRetained int64 // bytes that they may take

	mu      sync.Mutex
	fresh   map[job.ID]struct{} // that got events since TakeFresh; guarded by mu
	refresh map[job.ID]struct{} // adopted since Open, and not polled since; guarded by mu
	wake    chan struct{}       // holds one token while fresh is not empty
	held    chan struct{}       // closed when unsent events have come to wait for a refresh, and replaced; guarded by mu
}

// Close closes the file. One that is broken is left to the end of the process.
func (s *Store) Close() error {
	if s.broken.Load() {
		return nil
	}
	return s.db.Close()
}

func jobKey(id job.ID) []byte {
	key := make([]byte, 0, len(id.CommCell)+17)
	key = append(append(key, id.CommCell...), '/')
	return binary.BigEndian.AppendUint64(key, uint64(id.Number))
}

func outboxKey(id job.ID, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(jobKey(id), sequence)
}

// parseKey reads the job from a key of jobs, outbox or tracked.
func parseKey(key []byte, suffix int) job.ID {
	end := len(key) - suffix
	return job.ID{
		CommCell: string(key[:end-9]),
		Number:   keyNumber(key[:end]),
	}
}

// keyNumber reads the job's number from a key of jobs or tracked.
func keyNumber(key []byte) int64 { return int64(binary.BigEndian.Uint64(key[len(key)-8:])) }

func keySequence(outboxKey []byte) uint64 {
	return binary.BigEndian.Uint64(outboxKey[len(outboxKey)-8:])
}
