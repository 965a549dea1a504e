package store

import (
	"encoding/json"

	"go.etcd.io/bbolt"
)

var ownedKey = []byte("owned")

// Owned are the CommCells that were polled here last: a member of a cluster polls them on where it cannot ask.
func (s *Store) Owned() (commCells []string, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		if value := tx.Bucket(metaBucket).Get(ownedKey); value != nil {
			return json.Unmarshal(value, &commCells)
		}
		return nil
	})
	return commCells, err
}

// SetOwned remembers which CommCells are polled here.
func (s *Store) SetOwned(commCells []string) error {
	value, err := json.Marshal(commCells)
	if err != nil {
		return err
	}
	return s.update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(ownedKey, value) })
}

// WaitsOf says whether events of a CommCell wait for the broker.
func (s *Store) WaitsOf(commCell string) (waits bool, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		key, _ := tx.Bucket(outboxBucket).Cursor().Seek([]byte(commCell + "/"))
		waits = key != nil && parseKey(key, 8).CommCell == commCell
		return nil
	})
	return waits, err
}
