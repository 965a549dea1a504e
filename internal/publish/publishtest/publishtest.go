// Package publishtest looks into publishers, for simulations.
package publishtest

import (
	"jobwatch/internal/publish"
	"jobwatch/internal/publish/internal/seam"
)

// Positions gives the ids of the events that are known to stand in the stream, by sequence.
func Positions(p *publish.Publisher) map[uint64]string { return seam.Positions(p) }
