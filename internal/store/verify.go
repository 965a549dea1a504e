package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// Verified is what Verify has looked at, and what is wrong with it.
type Verified struct {
	Path     string   `json:"path"`
	Jobs     int      `json:"jobs"`     // known, CommCells left out
	Unsent   int      `json:"unsent"`   // events that wait for the broker
	Findings []string `json:"findings"` // sentences, each with what to do; the first hundred
	More     int      `json:"more"`     // findings beyond those
}

const (
	mostFindings = 100

	mendRebuild = "stop the watcher and run: watcher store rebuild"
	mendRestart = "restart the watcher"
)

// Verify looks at all that the store holds: the structure of the file, each record, snapshot and unsent
// event, and whether a job's unsent events are those behind the last acknowledged one, without a gap.
// It looks at a copy, which it makes beside the file: bbolt checks none that is written to, and what a
// damaged page does is to hit nobody who works. The error says that it could not look.
func (s *Store) Verify(ctx context.Context) (Verified, error) {
	v := Verified{Path: s.db.Path(), Findings: []string{}}
	if err := s.recount(&v); err != nil {
		return v, v.damaged(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(v.Path), filepath.Base(v.Path)+".verify.*")
	if err != nil {
		return v, fmt.Errorf("%s: a copy to look at cannot be made: %w", v.Path, cause(err))
	}
	defer os.RemoveAll(dir)
	copied, err := os.OpenFile(filepath.Join(dir, "copy.db"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return v, err
	}
	if _, err := s.copyTo(ctx, copied); err != nil {
		return v, fmt.Errorf("%s: a copy to look at cannot be made: %w", v.Path, cause(err))
	}
	err = v.look(copied.Name())
	slices.Sort(v.Findings)
	return v, v.damaged(err)
}

// damaged makes a finding of the error that a damaged file causes.
func (v *Verified) damaged(err error) error {
	if errors.Is(err, errDamaged) || errors.Is(err, errNotOurs) {
		v.find("%s: %v", v.Path, err)
		return nil
	}
	return err
}

// look walks a file that nobody writes to. What keeps it from doing so is the error.
func (v *Verified) look(path string) error {
	db, err := openFile(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	return guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			if err := check(path, tx); err != nil {
				return fmt.Errorf("%w (%w)", errDamaged, err)
			}
			if _, err := readFormat(tx); err != nil {
				return err
			}
			v.walk(tx)
			return nil
		})
	})
}

// find adds a finding.
func (v *Verified) find(format string, values ...any) {
	if len(v.Findings) == mostFindings {
		v.More++
		return
	}
	v.Findings = append(v.Findings, fmt.Sprintf(format, values...))
}

const recounts = 3 // a commit is counted a moment after it is made; such a moment does not last

// recount compares the count of unsent events with the events.
func (s *Store) recount(v *Verified) error {
	for range recounts {
		rows := 0
		err := s.view(func(tx *bbolt.Tx) error {
			return guard(func() error { // a damaged page is a finding, and breaks nobody who works
				rows = tx.Bucket(outboxBucket).Stats().KeyN
				return nil
			})
		})
		if err != nil || int64(rows) == s.Unsent() {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	v.find("%d events are counted as unsent, which is not what the file holds; %s", s.Unsent(), mendRestart)
	return nil
}
