// Package failpoint names the moments at which a crash or a failure matters, so that a test can kill the program there,
// or have a transaction fail. Nothing that is shipped sets Hook: passing a point then costs one load.
package failpoint

import "sync/atomic"

// Point is such a moment.
type Point string

const (
	BeforeTransaction    Point = "before transaction"    // of the store: other writes may still join it
	BeforeCommit         Point = "before commit"         // of a transaction of the store: none of it has happened
	AfterCommit          Point = "after commit"          // all of it has, and no caller knows
	AfterPublish         Point = "after publish"         // the broker holds the event, and the store does not know
	AfterAcknowledgement Point = "after acknowledgement" // the store knows
	Discovery            Point = "discovery"             // the jobs that the list names are tracked, and it is not noted as read
	Adoption             Point = "adoption"              // what a foreign writer told is taken for told, and the job is not polled since
	Renewal              Point = "token renewal"         // the new pair is durable, and not yet all in its files
	Wrote                Point = "wrote"                 // a file of the pair, under another name
	Renamed              Point = "renamed"               // it has its name, and the folder is not synced
	Removed              Point = "removed"               // a file of the pair, and the folder is not synced
)

// CrashPoints are those at which tests kill the program.
var CrashPoints = []Point{BeforeCommit, AfterCommit, AfterPublish, AfterAcknowledgement, Discovery, Adoption, Renewal}

// Hook is called at each point, by the goroutine that passes it. of is the *store.Store whose transaction it is, the path
// of the file, or nil.
var Hook atomic.Pointer[func(p Point, of any) error]

// At is called at a point of a transaction or of the writing of a file, which fails with the error returned.
func At(p Point, of any) error {
	if hook := Hook.Load(); hook != nil {
		return (*hook)(p, of)
	}
	return nil
}

// Pass is called at a point where nothing but the program itself can fail.
func Pass(p Point) { _ = At(p, nil) }
