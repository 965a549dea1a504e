// Package progress is how long work says how far it is, to whoever looks on. Neither knows of the other: the context
// carries it.
package progress

import "context"

// Step is how far a part of the work is.
type Step struct {
	What  string `json:"what"`            // is done: "reading the stream"
	Unit  string `json:"unit,omitempty"`  // what is counted: "events", Bytes; "": nothing is
	Done  int64  `json:"done,omitempty"`  // so far
	Total int64  `json:"total,omitempty"` // 0: nobody knows
}

// Bytes is the Unit of what is counted in bytes.
const Bytes = "B"

type key struct{}

// With has show told how far the work is that is done with the context. It is told often, and has to be quick.
func With(ctx context.Context, show func(Step)) context.Context {
	return context.WithValue(ctx, key{}, show)
}

// Of begins a part of the work, and returns what to say with how much of it is done.
func Of(ctx context.Context, what, unit string, total int64) (is func(done int64)) {
	show := Shown(ctx)
	if show == nil {
		return func(int64) {}
	}
	is = func(done int64) { show(Step{what, unit, done, total}) }
	is(0)
	return is
}

// Shown is what With was given; nil: nobody looks on.
func Shown(ctx context.Context) func(Step) {
	show, _ := ctx.Value(key{}).(func(Step))
	return show
}
