package store

import (
	"bytes"
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Listed is what people are shown of a job.
type Listed struct {
	Snapshot       job.Snapshot // the newest held; of a job never seen its names alone
	Seen           time.Time    // when that was asked for; zero: unknown, or never seen
	LastProgress   time.Time    // since when it shows the progress that it shows; zero: unknown, or not active
	Told           job.Told     // what the stream says of it, or will once the unsent events are there
	Why            Why          // why it is polled; "": it is not any more
	FollowedBy     string       // the member of the cluster that polls its CommCell; "": this watcher does, or nobody. No store knows it
	RefreshPending bool         // what a foreign writer told was adopted: the next poll replaces what is unsent
	Sequence       uint64       // of its last event, sent or not; 0: none
	Sent           uint64       // of its last event that the broker acknowledged
	Unsent         int          // events that wait for the broker
	Progress       *Progress    // of the last answer, where a poller runs; the store does not keep it
}

// Progress is how far a job was by the last answer about it.
type Progress struct {
	Percent *float64  `json:"percentComplete"` // nil: it said nothing of it
	Asked   time.Time `json:"askedAt"`
}

// NoProgressSince is since when a job that was told as stalled makes no progress; nil: it is not, or that is not known.
func (l Listed) NoProgressSince() *time.Time {
	if !l.Told.Stalled || l.LastProgress.IsZero() {
		return nil
	}
	return new(l.LastProgress.UTC().Truncate(time.Second))
}

// ID names the job listed.
func (l Listed) ID() job.ID { return l.Snapshot.JobID() }

// List reads up to limit jobs behind the one given, by CommCell and number; the zero ID is before
// all. A tracked job that was never seen is among them; a CommCell itself is not.
func (s *Store) List(after job.ID, limit int) ([]Listed, error) {
	var page []Listed
	err := s.view(func(tx *bbolt.Tx) error {
		next := mergeKeys(tx, keysAfter(after))
		for len(page) < limit {
			key := next()
			if key == nil {
				return nil
			}
			id := parseKey(key, 0)
			if id.IsCommCell() {
				continue
			}
			l, _, err := list(tx, id)
			if err != nil {
				return err
			}
			page = append(page, l)
		}
		return nil
	})
	return page, err
}

// Show reads one job as List does; false if the store knows nothing of it.
func (s *Store) Show(id job.ID) (Listed, bool, error) {
	var l Listed
	found := false
	err := s.view(func(tx *bbolt.Tx) (err error) {
		l, found, err = list(tx, id)
		return err
	})
	return l, found && err == nil && !id.IsCommCell(), err
}

// keysAfter is where the keys after a job's begin.
func keysAfter(id job.ID) []byte {
	if id == (job.ID{}) {
		return nil
	}
	return jobKey(job.ID{CommCell: id.CommCell, Number: id.Number + 1})
}

// mergeKeys walks the keys of jobs and tracked as one, in order.
func mergeKeys(tx *bbolt.Tx, from []byte) (next func() []byte) {
	seen, tracked := tx.Bucket(jobsBucket).Cursor(), tx.Bucket(trackedBucket).Cursor()
	a, _ := seen.Seek(from)
	b, _ := tracked.Seek(from)
	return func() []byte {
		key := a
		if a == nil || b != nil && bytes.Compare(b, a) < 0 {
			key = b
		}
		if bytes.Equal(a, key) {
			a, _ = seen.Next()
		}
		if bytes.Equal(b, key) {
			b, _ = tracked.Next()
		}
		return key
	}
}

func list(tx *bbolt.Tx, id job.ID) (Listed, bool, error) {
	r, line, err := readRecord(tx, id)
	why := Why(tx.Bucket(trackedBucket).Get(jobKey(id)))
	if err != nil || r.Revision == 0 && why == "" {
		return Listed{}, false, err
	}
	l := Listed{
		Seen: fromNanos(r.Asked), LastProgress: fromNanos(r.LastProgress), Told: r.Told, Why: why, RefreshPending: r.RefreshPending,
		Sequence: r.Sequence, Sent: r.Acked, Unsent: countRows(tx, id),
	}
	if len(line) > 0 {
		l.Snapshot, err = decodeSnapshot(line)
	}
	l.Snapshot.CommCell, l.Snapshot.Number = id.CommCell, id.Number
	return l, true, err
}

func countRows(tx *bbolt.Tx, id job.ID) int {
	n := 0
	c := tx.Bucket(outboxBucket).Cursor()
	for key, _ := c.Seek(jobKey(id)); bytes.HasPrefix(key, jobKey(id)); key, _ = c.Next() {
		n++
	}
	return n
}

// OldestUnsent is when the oldest event that waits for the broker was minted; zero if none waits.
// It reads one row a job.
func (s *Store) OldestUnsent() (time.Time, error) {
	var oldest time.Time
	err := s.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(outboxBucket).Cursor()
		for key, row := c.First(); key != nil; {
			at, err := mintedAt(row)
			if err != nil {
				return err
			}
			if oldest.IsZero() || at.Before(oldest) {
				oldest = at
			}
			id := parseKey(key, 8)
			key, row = c.Seek(outboxKey(job.ID{CommCell: id.CommCell, Number: id.Number + 1}, 0))
		}
		return nil
	})
	return oldest, err
}

// mintedAt reads an event's time alone: to parse 100,000 rows takes a second, and this is asked often.
// No value before it can hold the name in quotes.
func mintedAt(row []byte) (time.Time, error) {
	_, rest, _ := bytes.Cut(row, []byte(`"time":"`))
	text, _, _ := bytes.Cut(rest, []byte(`"`))
	return time.Parse(time.RFC3339, string(text))
}

// listedJSON is the form in which people and programs get a job outside of events: the snapshot as
// events carry it, with what they leave out.
type listedJSON struct {
	storedSnapshot
	SnapshotAt *time.Time `json:"snapshotAt"` // when it was asked for: an active job's progress is not kept up
	Tracked    job.Text   `json:"tracked"`    // configured, by hand, discovered, closing, owed, untracked; null: not any more
	FollowedBy job.Text   `json:"followedBy"` // the other member that polls its CommCell; null: this watcher does, or nobody
	Sequence   uint64     `json:"sequence"`   // of the job's last event, sent or not
	Sent       uint64     `json:"sent"`       // of the last that the broker acknowledged
	Unsent     int        `json:"unsent"`     // events that wait for the broker
	Stalled    bool       `json:"stalled"`    // it was told that the job gets no further
	Progress   *Progress  `json:"progress"`   // of the last answer; null: none yet in this process

	StateSince   *time.Time `json:"stateSince"`   // the event that told the state was observed then; null: not known
	StalledSince *time.Time `json:"stalledSince"` // so, too; null also where it is not stalled
}

// MarshalJSON leaves out what else was told: subscribers have it from the stream.
func (l Listed) MarshalJSON() ([]byte, error) {
	j := listedJSON{
		Tracked: job.Text(l.Why), FollowedBy: job.Text(l.FollowedBy), Sequence: l.Sequence, Sent: l.Sent, Unsent: l.Unsent,
		Stalled: l.Told.Stalled, Progress: l.Progress, StateSince: l.Told.InStateSince(), StalledSince: l.Told.GetsNoFurtherSince(),
	}
	j.storedSnapshot = storedSnapshot{Snapshot: l.Snapshot, Machines: l.Snapshot.Machines, Truncated: l.Snapshot.Truncated}
	if !l.Seen.IsZero() {
		j.SnapshotAt = &l.Seen
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *Listed) UnmarshalJSON(data []byte) error {
	var j listedJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*l = Listed{
		Snapshot: j.Snapshot, Told: job.Told{Stalled: j.Stalled}, Why: Why(j.Tracked), FollowedBy: string(j.FollowedBy),
		Sequence: j.Sequence, Sent: j.Sent, Unsent: j.Unsent, Progress: j.Progress,
	}
	l.Snapshot.Machines, l.Snapshot.Truncated = j.Machines, j.Truncated
	if j.SnapshotAt != nil {
		l.Seen = *j.SnapshotAt
	}
	if j.StateSince != nil {
		l.Told.StateSince = j.StateSince.Unix()
	}
	if j.StalledSince != nil {
		l.Told.StalledSince = j.StalledSince.Unix()
	}
	return nil
}
