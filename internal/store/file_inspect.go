package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"jobwatch/internal/job"
)

var (
	errNotOurs  = errors.New("not a store of jobwatch; move it away, or set another store.path")
	errNoHeader = fmt.Errorf("%w; if it was one, put a copy of watcher store backup in its place, or run: watcher store rebuild", errNotOurs)
	errDamaged  = errors.New("the file is damaged; stop the watcher, and put a copy of watcher store backup in its place, or run: watcher store rebuild, which moves it aside and reads back what was told")
)

// inspect reads the format of a file, and refuses what is no store, is damaged, or fails one of the checks. It opens the
// file for reading: bbolt writes to some files as it opens them, and what is refused is to stay as it is.
func inspect(path string, checks ...func(*bbolt.Tx) error) (format int, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err == nil && !info.Mode().IsRegular():
		return 0, errors.New("not a file; set store.path to one")
	case err == nil && info.Size() == 0:
		return 0, nil
	}
	readThrough(path)
	db, err := openFile(path, true)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			if err := checkPages(path, tx); err != nil {
				return fmt.Errorf("%w (%w)", errDamaged, err)
			}
			if format, err = readFormat(tx); err != nil || format == 0 {
				return err
			}
			for _, check := range checks {
				if err := check(tx); err != nil {
					return fmt.Errorf("%w (%w)", errDamaged, err)
				}
			}
			return nil
		})
	})
	return format, err
}

// readThrough brings a file into the page cache in one go. bbolt reads its pages one by one, in no order: after a reboot
// that took half a minute for 370 MiB. Whatever cannot be read is found by the reads that need it.
func readThrough(path string) {
	file, err := os.Open(path)
	if err != nil {
		return
	}
	defer file.Close()
	_, _ = io.Copy(io.Discard, file)
}

// checkPages finds what is missing, and has bbolt check every page.
func checkPages(path string, tx *bbolt.Tx) error {
	// A page beyond the end is a fault in bbolt's goroutine, which nobody can catch: compare first.
	if info, err := os.Stat(path); err != nil || info.Size() < tx.Size() {
		return errors.New("cut short")
	}
	var err error
	for wrong := range tx.Check() { // to the end, or bbolt's goroutine waits for ever
		if err == nil {
			err = wrong
		}
	}
	return err
}

// guard turns what bbolt does with a damaged file, a panic or a fault in the mapped memory, into an error.
func guard(read func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("%w (%v)", errDamaged, cause)
		}
	}()
	return read()
}

func readFormat(tx *bbolt.Tx) (int, error) {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		if name, _ := tx.Cursor().First(); name != nil {
			return 0, fmt.Errorf("%w (another program's bbolt file)", errNotOurs)
		}
		return 0, nil
	}
	value := meta.Get(formatKey)
	if len(value) != 8 {
		return 0, fmt.Errorf("%w (no format in it)", errNotOurs)
	}
	format, known := binary.BigEndian.Uint64(value), uint64(len(migrations))
	if format > known {
		return 0, fmt.Errorf("written by a newer version (format %d, this one knows %d); use that version, or set another store.path",
			format, known)
	}
	if format < known {
		return int(format), nil
	}
	for _, bucket := range buckets {
		if tx.Bucket(bucket) == nil {
			return 0, fmt.Errorf("%w (without its %s)", errDamaged, bucket)
		}
	}
	return int(format), nil
}

// Inspect says what Open would refuse of a file, and leaves it as it is. A file that is not there is fine.
func Inspect(path string) error {
	if _, err := inspect(path, decodable); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// decodable finds the first value that is no text: bbolt has no checksum for what lies in its pages, and a start is the
// time to find a sector that was lost or overwritten. Reading each value as JSON would make a start six times as
// long; Verify does.
func decodable(tx *bbolt.Tx) error {
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

// isText says whether the value may be one JSON object, as far as its ends and bytes tell.
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

// corrupt is the error of a value that is met later.
func corrupt(tx *bbolt.Tx, id job.ID, what string, err error) error {
	return corruptIn(tx.DB().Path(), id, what, err)
}

func corruptIn(path string, id job.ID, what string, err error) error {
	return fmt.Errorf("%s: %s in %s cannot be read (%w); %s", id, what, path, err, fixRebuild)
}

// Corrupt is the error of an unsent event that cannot be read, which is found when it is sent.
func (s *Store) Corrupt(id job.ID, err error) error {
	return corruptIn(s.db.Path(), id, "its unsent event", err)
}
