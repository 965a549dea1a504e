package store

import "go.etcd.io/bbolt"

// GUID is that of the CommServe which a CommCell's jobs are known from; "" is not learned yet.
func (s *Store) GUID(commCell string) (guid string, err error) {
	err = s.view(func(tx *bbolt.Tx) error {
		guid = string(tx.Bucket(metaBucket).Get(guidKey(commCell)))
		return nil
	})
	return guid, err
}

// SetGUID remembers which CommServe a CommCell is.
func (s *Store) SetGUID(commCell, guid string) error {
	return s.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(metaBucket).Put(guidKey(commCell), []byte(guid))
	})
}

func guidKey(commCell string) []byte { return []byte("guid/" + commCell) }
