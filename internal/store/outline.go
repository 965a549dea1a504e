package store

import (
	"bytes"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// Brief is what orders and counts jobs: little, since there may be 100,000 of them.
type Brief struct {
	ID       job.ID
	Class    job.Class // Unknown also where the job was never seen, or told no state
	Terminal bool
	End      int64 // of a finished job: when it ended, else when it was seen to have; Unix nanoseconds
}

// Version is another after each transaction.
func (s *Store) Version() (version int) {
	_ = s.view(func(tx *bbolt.Tx) error {
		version = tx.ID()
		return nil
	})
	return version
}

const outlineBatch = 5000 // jobs read in one transaction: while one is open, it may keep the file from growing

// Outline reads the brief of every job that List lists, in its order.
func (s *Store) Outline() ([]Brief, error) {
	var all []Brief
	for after, more := (job.ID{}), true; more; {
		before := len(all)
		err := s.view(func(tx *bbolt.Tx) error {
			next := mergeKeys(tx, keysAfter(after))
			jobs, commCell := tx.Bucket(jobsBucket), ""
			for len(all)-before < outlineBatch {
				key := next()
				if key == nil {
					return nil
				}
				if name := key[:len(key)-9]; string(name) != commCell {
					commCell = string(name)
				}
				id := job.ID{CommCell: commCell, Number: keyNumber(key)}
				if id.IsCommCell() {
					continue
				}
				b, err := brief(tx, id, jobs.Get(key))
				if err != nil {
					return err
				}
				all = append(all, b)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		more = len(all)-before == outlineBatch
		if more {
			after = all[len(all)-1].ID
		}
	}
	return all, nil
}

// brief finds its members in the text of a snapshot: to parse 100,000 of them takes a second, and this is asked often.
// No text in it can hold such a name in quotes, and the machines, which have an end too, come behind.
func brief(tx *bbolt.Tx, id job.ID, value []byte) (Brief, error) {
	_, snapshot, _ := bytes.Cut(value, newline)
	b := Brief{
		ID: id, Class: classNamed(member(snapshot, `"stateClass":`)), Terminal: string(member(snapshot, `"terminal":`)) == "true",
	}
	if !b.Terminal {
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
