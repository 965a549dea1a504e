package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// tails is how far each job's events reach in the stream, and where one follows another that is not the one before it.
type tails struct {
	last   map[job.ID]uint64
	events int
	gaps   []string
}

func readTails(ctx context.Context, b *stream.Broker) (tails, error) {
	read := tails{last: map[job.ID]uint64{}}
	_, err := b.Scan(ctx, 1, func(m stream.Message) error {
		read.add(m)
		return nil
	})
	return read, err
}

const mostGaps = 100

// add passes over what is no event. The first that is left of a job may have any number: streams forget.
func (r *tails) add(m stream.Message) {
	e, err := event.Parse(m.Data)
	if err != nil {
		return
	}
	id, err := e.JobID()
	if err != nil {
		return
	}
	r.events++
	last, seen := r.last[id]
	if seen && e.Number() != last+1 && len(r.gaps) < mostGaps {
		r.gaps = append(r.gaps, fmt.Sprintf("%s: event %d is followed by %d in the stream (at %d); how the job stands says: watcher jobs show %s",
			id, last, e.Number(), m.Sequence, id))
	}
	r.last[id] = e.Number()
}

func (r *tails) jobs() int {
	n := 0
	for id := range r.last {
		if !id.IsCommCell() {
			n++
		}
	}
	return n
}

// forgotten are the jobs whose events end before the one that was acknowledged; gone counts those of which no event is
// left, which may have aged.
func (r *tails) forgotten(acknowledged map[job.ID]uint64) (findings []string, gone int) {
	for _, id := range slices.SortedFunc(maps.Keys(acknowledged), job.Compare) {
		last, held := r.last[id]
		switch {
		case acknowledged[id] == 0 || held && last >= acknowledged[id]:
		case !held:
			gone++
		case len(findings) < mostGaps:
			findings = append(findings, fmt.Sprintf("%s: the stream ends at event %d, and event %d was acknowledged; restart the watcher, which sends again what it has kept",
				id, last, acknowledged[id]))
		}
	}
	return findings, gone
}

// beyond counts the jobs of which the stream tells more than is known.
func (r *tails) beyond(known map[job.ID]uint64) (jobs int) {
	for id, last := range r.last {
		if !id.IsCommCell() && known[id] < last {
			jobs++
		}
	}
	return jobs
}
