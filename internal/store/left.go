package store

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// Left is what a file holds that no stream tells.
type Left struct {
	Unsent int // events
	ByHand int // jobs tracked or untracked by a person
}

// LeftIn counts it, and leaves the file as it is. Its errors are those of Inspect, but that it also counts what cannot
// be read.
func LeftIn(path string) (left Left, err error) {
	if _, err := inspect(path); err != nil {
		return left, fmt.Errorf("%s: %w", path, err)
	}
	db, err := openFile(path, true)
	if err != nil {
		return left, err
	}
	defer db.Close()
	err = guard(func() error {
		return db.View(func(tx *bbolt.Tx) error {
			left.Unsent = keys(tx, outboxBucket)
			return eachTracked(tx, func(why Why) {
				if why == ByHand || why == Untracked {
					left.ByHand++
				}
			})
		})
	})
	return left, err
}

// keys counts those of a table, which an empty file has none of.
func keys(tx *bbolt.Tx, table []byte) int {
	bucket := tx.Bucket(table)
	if bucket == nil {
		return 0
	}
	return bucket.Stats().KeyN
}

func eachTracked(tx *bbolt.Tx, do func(Why)) error {
	bucket := tx.Bucket(trackedBucket)
	if bucket == nil {
		return nil
	}
	return bucket.ForEach(func(_, why []byte) error {
		do(Why(why))
		return nil
	})
}
