package store

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

// legible finds the first value that is no text: bbolt has no checksum for what lies in its pages, and a start is the
// time to hear of a sector that was lost or overwritten. Reading each value as JSON would take a start six times as
// long; Verify does.
func legible(tx *bbolt.Tx) error {
	return errors.Join(
		eachValue(tx, jobsBucket, func(key, value []byte) error {
			record, snapshot, _ := bytes.Cut(value, newline)
			if !isKey(key, 0) || !isText(record) || len(snapshot) > 0 && !isText(snapshot) {
				return fmt.Errorf("what is known of job %s cannot be read", keyName(key, 0))
			}
			return nil
		}),
		eachValue(tx, outboxBucket, func(key, row []byte) error {
			if !isKey(key, 8) || !isText(row) {
				return fmt.Errorf("an unsent event of job %s cannot be read", keyName(key, 8))
			}
			return nil
		}),
		eachValue(tx, sentBucket, func(key, row []byte) error {
			if len(key) < 8 || !isKey(key[8:], 8) || len(row) < 16 || !isText(row[16:]) {
				return fmt.Errorf("a sent event of job %s cannot be read", keyName(key[min(8, len(key)):], 8))
			}
			return nil
		}),
	)
}

// eachValue ends with the first error. A file of an earlier format may lack the table.
func eachValue(tx *bbolt.Tx, table []byte, do func(key, value []byte) error) error {
	bucket := tx.Bucket(table)
	if bucket == nil {
		return nil
	}
	return bucket.ForEach(do)
}

// isText says whether the value may be one JSON object, as far as a quick look tells.
func isText(value []byte) bool {
	return bytes.HasPrefix(value, []byte("{")) && bytes.HasSuffix(value, []byte("}")) &&
		bytes.IndexByte(value, 0) < 0 && utf8.Valid(value)
}

func keyName(key []byte, suffix int) string {
	if !isKey(key, suffix) {
		return fmt.Sprintf("%.40q", key)
	}
	return parseKey(key, suffix).String()
}

// illegible is the error of a value that is met later.
func illegible(tx *bbolt.Tx, id job.ID, what string, err error) error {
	return illegibleIn(tx.DB().Path(), id, what, err)
}

func illegibleIn(path string, id job.ID, what string, err error) error {
	return fmt.Errorf("%s: %s in %s cannot be read (%w); %s", id, what, path, err, mendRebuild)
}

// Corrupt is the error of an unsent event that cannot be read, which is found when it is sent.
func (s *Store) Corrupt(id job.ID, err error) error {
	return illegibleIn(s.db.Path(), id, "its unsent event", err)
}
