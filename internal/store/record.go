package store

import (
	"bytes"
	"encoding/json"
	"time"

	fastjson "github.com/go-json-experiment/json"
	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// record is the first line of a value in jobs.
type record struct {
	Revision uint64   `json:"rev"` // counts the changes of what was told
	Told     job.Told `json:"told"`
	Sequence uint64   `json:"seq"` // of the job's last event, sent or not

	AckedID string `json:"ackId,omitempty"`  // the last event that the broker acknowledged,
	Acked   uint64 `json:"ack,omitempty"`    // its sequence,
	AckedAt int64  `json:"ackAt,omitempty"`  // when, Unix nanoseconds, where it was retained,
	Stream  uint64 `json:"stream,omitempty"` // and the stream's last sequence of the job, which the next publish expects

	Asked          int64  `json:"asked,omitempty"`   // of the last observation stored; Unix nanoseconds, 0 is unknown
	Updated        int64  `json:"updated,omitempty"` // its own time, by the CommServe's clock
	LastProgress   int64  `json:"still,omitempty"`   // since when an active job shows this progress; 0 is unknown
	Misses         int    `json:"misses,omitempty"`  // answers without the job since then, in a row, as far as they are counted
	Missed         int64  `json:"missed,omitempty"`  // when the first of them came, Unix nanoseconds
	Marked         int64  `json:"marked,omitempty"`  // when a person had it polled no more, Unix nanoseconds
	Digest         uint64 `json:"digest,omitempty"`  // of what is worth storing of the snapshot
	Terminal       bool   `json:"terminal,omitempty"`
	RefreshPending bool   `json:"owed,omitempty"` // what a foreign writer told was adopted: poll again before anything is sent
}

var newline = []byte("\n") // between the two

// readJSON reads what encoding/json has written, three times as fast: each commit and each acknowledgement reads a record.
func readJSON(data []byte, into any) error { return fastjson.Unmarshal(data, into) }

// storedSnapshot is the second line: the snapshot with what events leave out.
type storedSnapshot struct {
	job.Snapshot
	Machines  []job.VM `json:"machines,omitempty"`
	Truncated []string `json:"truncated,omitempty"`
}

func encodeSnapshot(s *job.Snapshot) ([]byte, error) {
	return json.Marshal(storedSnapshot{Snapshot: *s, Machines: s.Machines, Truncated: s.Truncated})
}

func decodeSnapshot(line []byte) (job.Snapshot, error) {
	var k storedSnapshot
	if err := readJSON(line, &k); err != nil {
		return job.Snapshot{}, err
	}
	k.Snapshot.Machines, k.Snapshot.Truncated = k.Machines, k.Truncated
	return k.Snapshot, nil
}

// readRecord finds a job's record, and its snapshot's line, which is valid in the transaction only.
func readRecord(tx *bbolt.Tx, id job.ID) (r record, snapshot []byte, err error) {
	value := tx.Bucket(jobsBucket).Get(jobKey(id))
	if value == nil {
		return record{}, nil, nil
	}
	first, snapshot, _ := bytes.Cut(value, newline)
	if err := readJSON(first, &r); err != nil {
		return record{}, nil, corrupt(tx, id, "its record", err)
	}
	return r, snapshot, nil
}

// writeRecord puts a record with a snapshot's line, which may come from readRecord: it is copied.
func writeRecord(tx *bbolt.Tx, id job.ID, r record, snapshot []byte) error {
	first, err := json.Marshal(r)
	if err != nil {
		return err
	}
	value := make([]byte, 0, len(first)+1+len(snapshot))
	value = append(append(append(value, first...), '\n'), snapshot...)
	return tx.Bucket(jobsBucket).Put(jobKey(id), value)
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
