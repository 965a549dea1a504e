package store

import (
	"errors"

	"go.etcd.io/bbolt"

	"jobwatch/internal/event"
	"jobwatch/internal/store/internal/seam"
)

func init() {
	seam.Of = func(store any) seam.Inside {
		s := store.(*Store)
		waiting := func() int {
			s.commits.mu.Lock()
			defer s.commits.mu.Unlock()
			return len(s.commits.waiting)
		}
		reopen := func(mint any) (any, error) {
			next, format := newOn(s.db, mint.(*event.Minter)), 0
			err := s.db.View(func(tx *bbolt.Tx) (err error) {
				format, err = readFormat(tx)
				return err
			})
			return next, errors.Join(err, next.ready(format))
		}
		return seam.Inside{DB: s.db, Waiting: waiting, Reopen: reopen}
	}
}
