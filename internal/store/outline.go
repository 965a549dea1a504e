package store

import (
	"bytes"
	"hash/maphash"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Brief is what orders and counts jobs: little, since there may be 100,000 of them.
type Brief struct {
	ID       job.ID
	Class    job.Class // Unknown also where the job was never seen, or told no state
	Terminal bool
	Stalled  bool  // told so, and not that it goes on
	End      int64 // of a finished job: when it ended, else when it was seen to have; Unix nanoseconds
}

// Size is that of the file.
func (s *Store) Size() (bytes int64, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		bytes = tx.Size()
		return nil
	})
	return bytes, err
}

// Free is how much of the file holds nothing, and is written to before it grows.
func (s *Store) Free() (bytes int64) {
	return int64(s.db.Stats().FreePageN) * int64(s.db.Info().PageSize)
}

// Version is another after each transaction.
func (s *Store) Version() (version int) {
	_ = s.view(func(tx *bbolt.Tx) error {
		version = tx.ID()
		return nil
	})
	return version
}

const walkBatch = 5000 // jobs read in one transaction: while one is open, it may keep the file from growing

// Entry is a job as Walk comes by it. It is read while that yields it, and not later.
type Entry struct {
	Brief
	value []byte // of jobs
}

var markSeed = maphash.MakeSeed()

// Mark is another once what is held of the job is, why it is polled aside. It means something to this process alone.
func (e Entry) Mark() uint64 { return maphash.Bytes(markSeed, e.value) }

// Listed reads the newest snapshot, of a job never seen its names alone, and what was told.
func (e Entry) Listed() (l Listed, err error) {
	first, line, _ := bytes.Cut(e.value, newline)
	var known record
	if len(first) > 0 {
		err = readJSON(first, &known)
	}
	if len(line) > 0 && err == nil {
		l.Snapshot, err = decodeSnapshot(line)
	}
	l.Snapshot.CommCell, l.Snapshot.Number = e.ID.CommCell, e.ID.Number
	l.Told, l.Sequence, l.LastProgress = known.Told, known.Sequence, fromNanos(known.LastProgress)
	return l, err
}

// Walk yields each job that List lists, in its order. It parses none of them: whoever wants more than the brief asks for it.
func (s *Store) Walk(yield func(Entry) error) error {
	for after, more := (job.ID{}), true; more; {
		err := s.view(func(tx *bbolt.Tx) (err error) {
			after, more, err = walkSome(tx, after, yield)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// walkSome walks on in one transaction, and says behind which job there may be more.
func walkSome(tx *bbolt.Tx, after job.ID, yield func(Entry) error) (last job.ID, more bool, err error) {
	next := mergeKeys(tx, keysAfter(after))
	jobs, last := tx.Bucket(jobsBucket), after
	for range walkBatch {
		key := next()
		if key == nil {
			return last, false, nil
		}
		if name := key[:len(key)-9]; string(name) != last.CommCell {
			last.CommCell = string(name) // one text for all of its jobs
		}
		if last.Number = keyNumber(key); last.IsCommCell() {
			continue
		}
		e := Entry{value: jobs.Get(key)}
		if e.Brief, err = brief(tx, last, e.value); err != nil {
			return last, false, err
		}
		if err := yield(e); err != nil {
			return last, false, err
		}
	}
	return last, true, nil
}

// Outline reads the brief of every job that List lists, in its order.
func (s *Store) Outline() (all []Brief, err error) {
	err = s.Walk(func(e Entry) error {
		all = append(all, e.Brief)
		return nil
	})
	return all, err
}

// brief finds its members in the text of a snapshot: to parse 100,000 of them takes a second, and this is asked often.
// No text in it can hold such a name in quotes, and the machines, which have an end too, come behind.
func brief(tx *bbolt.Tx, id job.ID, value []byte) (Brief, error) {
	known, snapshot, _ := bytes.Cut(value, newline)
	b := Brief{
		ID: id, Class: classNamed(member(snapshot, `"stateClass":`)), Terminal: string(member(snapshot, `"terminal":`)) == "true",
	}
	if !b.Terminal {
		b.Stalled = bytes.Contains(known, stalled)
		return b, nil
	}
	if end, err := time.Parse(`"`+time.RFC3339+`"`, string(member(snapshot, `"endTime":`))); err == nil {
		b.End = end.UnixNano()
		return b, nil
	}
	r, _, err := readRecord(tx, id)
	b.End = r.Asked
	return b, err
}

var stalled = []byte(`"stalled":true`) // of job.Told; within a text its quotes would be escaped

// member is the value of the first member of that name, where it holds no comma.
func member(line []byte, name string) []byte {
	_, rest, _ := bytes.Cut(line, []byte(name))
	value, _, _ := bytes.Cut(rest, []byte(","))
	return value
}

// classNamed reads a class in quotes, and gives it without memory of its own.
func classNamed(text []byte) job.Class {
	for _, class := range []job.Class{job.Queued, job.Active, job.Held, job.Succeeded, job.Partial, job.Failed, job.Killed} {
		if len(text) == len(class)+2 && string(text[1:len(text)-1]) == string(class) {
			return class
		}
	}
	return job.Unknown
}

// ShowAll reads the jobs that are known of those given, in their order, as List does.
func (s *Store) ShowAll(ids []job.ID) ([]Listed, error) {
	var all []Listed
	err := s.view(func(tx *bbolt.Tx) error {
		for _, id := range ids {
			l, found, err := list(tx, id)
			if err != nil {
				return err
			}
			if found {
				all = append(all, l)
			}
		}
		return nil
	})
	return all, err
}
