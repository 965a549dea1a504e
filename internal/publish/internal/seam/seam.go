// Package seam is where publishtest looks into a publisher. No other package can import it.
package seam

// Positions gives the ids of the events that a *publish.Publisher knows to stand in the stream, by sequence. Package
// publish sets it.
var Positions func(publisher any) map[uint64]string
