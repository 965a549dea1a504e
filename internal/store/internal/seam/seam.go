// Package seam is where storetest looks into a store. No other package can import it.
package seam

import "go.etcd.io/bbolt"

// Inside is what a store has inside.
type Inside struct {
	DB      *bbolt.DB
	Waiting func() int // writes that wait for the next transaction

	// Reopen gives the *store.Store of a process that opens the file after this one's crash. mint is an *event.Minter.
	Reopen func(mint any) (store any, err error)
}

// Of looks into a *store.Store. Package store sets it.
var Of func(store any) Inside
