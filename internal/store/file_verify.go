package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/progress"
)

// Verified is what Verify has read, and what is wrong with it.
type Verified struct {
	Path     string   `json:"path"`
	Jobs     int      `json:"jobs"`     // known, CommCells left out
	Unsent   int      `json:"unsent"`   // events that wait for the broker
	Findings []string `json:"findings"` // sentences, each with what to do; the first hundred
	More     int      `json:"more"`     // findings beyond those
}

const (
	mostFindings = 100

	fixRebuild = "stop the watcher and run: watcher store rebuild"
	fixRestart = "restart the watcher"
)

// Verify reads all that the store holds: the structure of the file, each record, snapshot and unsent
// event, and whether a job's unsent events are those behind the last acknowledged one, without a gap.
// It reads a copy, which it makes beside the file: bbolt checks no file that is written to, and a damaged page is not to
// hit the running program. The error says that it could not read.
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
	progress.Of(ctx, "reading the copy", "", 0)
	err = v.examine(copied.Name())
	slices.Sort(v.Findings)
	return v, v.damaged(err)
}

// damaged makes a finding of the error that a damaged file causes.
func (v *Verified) damaged(err error) error {
	if errors.Is(err, errDamaged) || errors.Is(err, errNotOurs) {
		v.addFinding("%s: %v", v.Path, err)
		return nil
	}
	return err
}

// examine reads a file that nobody writes to. The error says why it cannot.
func (v *Verified) examine(path string) error {
	db, err := openFile(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	return guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			if err := checkPages(path, tx); err != nil {
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

// addFinding adds a sentence, or counts it where there are enough.
func (v *Verified) addFinding(format string, values ...any) {
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
			return guard(func() error { // a damaged page is a finding, and does not break the store
				rows = tx.Bucket(outboxBucket).Stats().KeyN
				return nil
			})
		})
		if err != nil || int64(rows) == s.Unsent() {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	v.addFinding("%d events are counted as unsent, which is not what the file holds; %s", s.Unsent(), fixRestart)
	return nil
}

// walk reads every key and value.
func (v *Verified) walk(tx *bbolt.Tx) {
	records := map[job.ID]record{}
	_ = tx.Bucket(jobsBucket).ForEach(func(key, value []byte) error {
		v.record(records, key, value)
		return nil
	})
	rows := map[job.ID][]uint64{}
	_ = tx.Bucket(outboxBucket).ForEach(func(key, row []byte) error {
		v.row(rows, key, row)
		return nil
	})
	_ = tx.Bucket(trackedBucket).ForEach(func(key, why []byte) error {
		v.tracked(key, Why(why))
		return nil
	})
	v.order(records, rows)
}

func (v *Verified) record(records map[job.ID]record, key, value []byte) {
	if !isKey(key, 0) {
		v.addFinding("jobs holds a key that names no job (%.40q); %s", key, fixRebuild)
		return
	}
	id := parseKey(key, 0)
	if !id.IsCommCell() {
		v.Jobs++
	}
	first, line, _ := bytes.Cut(value, newline)
	var r record
	if err := json.Unmarshal(first, &r); err != nil {
		v.addFinding("%s: its record cannot be read (%v); %s", id, err, fixRebuild)
		return
	}
	records[id] = r
	if len(line) == 0 {
		return
	}
	if snapshot, err := decodeSnapshot(line); err != nil {
		v.addFinding("%s: its snapshot cannot be read (%v); %s", id, err, fixRebuild)
	} else if snapshot.JobID() != id {
		v.addFinding("%s: its snapshot is of %s; %s", id, snapshot.JobID(), fixRebuild)
	}
}

func (v *Verified) row(rows map[job.ID][]uint64, key, row []byte) {
	v.Unsent++
	if !isKey(key, 8) {
		v.addFinding("outbox holds a key that names no event (%.40q); %s", key, fixRebuild)
		return
	}
	id, sequence := parseKey(key, 8), keySequence(key)
	rows[id] = append(rows[id], sequence)
	e, err := event.Parse(row)
	if err == nil {
		err = readData(e)
	}
	if err != nil {
		v.addFinding("%s: its unsent event %d cannot be read (%v); %s", id, sequence, err, fixRebuild)
		return
	}
	if about, err := e.JobID(); err != nil || about != id || e.Number() != sequence {
		v.addFinding("%s: its unsent event %d is %s's event %d; %s", id, sequence, e.PartitionKey, e.Number(), fixRebuild)
	}
}

func readData(e event.Event) (err error) {
	if e.IsCommCell() {
		_, err = e.CommCell()
	} else {
		_, err = e.Job()
	}
	return err
}

func (v *Verified) tracked(key []byte, why Why) {
	if !isKey(key, 0) {
		v.addFinding("tracked holds a key that names no job (%.40q); %s", key, fixRebuild)
	} else if !slices.Contains(whys, why) {
		v.addFinding("%s: tracked for no known reason (%.40q); %s", parseKey(key, 0), why, fixRebuild)
	}
}

// order checks that the unsent events of a job are those behind the acknowledged ones. While a refresh is pending, what
// is held follows nothing.
func (v *Verified) order(records map[job.ID]record, rows map[job.ID][]uint64) {
	for id, held := range rows {
		if _, known := records[id]; !known {
			v.addFinding("%s: %d unsent events of a job that is not known; %s", id, len(held), fixRebuild)
		}
	}
	for id, r := range records {
		if r.RefreshPending {
			continue
		}
		if gap := gapIn(rows[id], r.Acked, r.Sequence); gap != "" {
			v.addFinding("%s: %s; %s", id, gap, fixRebuild)
		}
	}
}

// gapIn says how a job's rows are not acked+1 to last.
func gapIn(rows []uint64, acked, last uint64) string {
	next := acked + 1
	for _, sequence := range rows {
		if sequence != next {
			return fmt.Sprintf("its unsent event %d is followed by %d", next-1, sequence)
		}
		next++
	}
	if next != last+1 {
		return fmt.Sprintf("its last event is %d, and its last unsent one %d", last, next-1)
	}
	return ""
}

// isKey says whether a key is <commcell>/<job id> and so many bytes.
func isKey(key []byte, suffix int) bool {
	slash := len(key) - suffix - 9
	return slash > 0 && key[slash] == '/'
}
