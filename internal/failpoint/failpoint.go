// Package failpoint names the moments at which a crash or a failure matters, so that a test can kill the program there,
// or have a transaction fail. Nothing that is shipped sets Hook: passing a point then costs one load.
package failpoint

import "sync/atomic"

// Point is such a moment.
type Point string

const (
	BeforeTransaction    Point = "before transaction"    // of the store: other writes may still join it
	BeforeCommit         Point = "before commit"         // of a transaction of the store: none of it has happened
	AfterCommit          Point = "after commit"          // all of it has, and nobody has heard
	AfterPublish         Point = "after publish"         // the broker holds the event, and the store does not know
	AfterAcknowledgement Point = "after acknowledgement" // the store knows
	Discovery            Point = "discovery"             // the jobs that the list names are tracked, and it is not noted as read
	Adoption             Point = "adoption"              // what a foreign writer told is taken for told, and the job is not polled since
	Renewal              Point = "token renewal"         // the new pair is durable, and not yet all in its files
)

// CrashPoints are those at which tests kill the program.
var CrashPoints = []Point{BeforeCommit, AfterCommit, AfterPublish, AfterAcknowledgement, Discovery, Adoption, Renewal}

// Hook is called at each point, by the goroutine that passes it. of is the *store.Store whose transaction it is, else nil.
var Hook atomic.Pointer[func(p Point, of any) error]

// At is called at a point of a transaction, which fails with the error returned.
func At(p Point, of any) error {
	if hook := Hook.Load(); hook != nil {
		return (*hook)(p, of)
	}
	return nil
}

// Pass is called at a point where nothing but the program itself can fail.
func Pass(p Point) { _ = At(p, nil) }
