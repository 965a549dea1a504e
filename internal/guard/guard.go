// Package guard refuses connections to addresses that a configuration does not allow, at the moment they are dialled.
package guard
