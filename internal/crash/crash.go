// Package crash names the moments at which a crash matters, so that a test can crash the program there. Nothing that
// is shipped calls Arm: At then does nothing.
package crash

import "sync/atomic"

// Point is such a moment.
type Point string

const (
	BeforeCommit         Point = "before commit"         // of a transaction of the store: none of it has happened
	AfterCommit          Point = "after commit"          // all of it has, and nobody has heard
	AfterPublish         Point = "after publish"         // the broker holds the event, and the store does not know
	AfterAcknowledgement Point = "after acknowledgement" // the store knows
	Discovery            Point = "discovery"             // the jobs that the list names are tracked, and it is not noted as read
	TakeOver             Point = "takeover"              // another watcher's telling is ours, and no look has answered since
	Renewal              Point = "token renewal"         // the new pair is durable, and not yet all in its files
)

// Points are all of them.
var Points = []Point{BeforeCommit, AfterCommit, AfterPublish, AfterAcknowledgement, Discovery, TakeOver, Renewal}

var armed atomic.Pointer[func(Point)]

// Arm has f called whenever a point is passed, by any goroutine. It is for tests; nil disarms.
func Arm(f func(Point)) {
	if f == nil {
		armed.Store(nil)
		return
	}
	armed.Store(&f)
}

// At is called at a point.
func At(p Point) {
	if f := armed.Load(); f != nil {
		(*f)(p)
	}
}
