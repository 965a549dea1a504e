// Package system is what operating systems do each in their own way: locks of files, rights, errors of the network.
// Whatever else the program does is the same on all of them.
package system

import (
	"errors"
	"io/fs"
)

// ErrLocked says that another process holds a lock.
var ErrLocked = errors.New("locked by another process")

// A lock belongs to the open file, and ends when that is closed, also by a kill. It is the one that bbolt takes: a file
// that bbolt has open for writing is locked for Lock, and the other way round.

// AddressInUse says whether a listener was refused because another has its address.
func AddressInUse(err error) bool { return errors.Is(err, errAddressInUse) }

// NobodyListens says whether a connection was refused because nobody serves its address, a Unix socket's too.
func NobodyListens(err error) bool {
	return errors.Is(err, errRefused) || errors.Is(err, fs.ErrNotExist)
}
