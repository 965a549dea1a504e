package event

import (
	"time"

	"jobwatch/internal/job"
)

// Fold is what a job's events, read from the stream in order, have told of it. The zero Fold has
// read nothing.
type Fold struct {
	Told     job.Told
	Snapshot job.Snapshot // the job of the last event
	Last     Event
	Stream   uint64    // sequence in the stream of the last message, one of ours or not
	Asked    time.Time // the last event's notBefore; zero where it has none
}

// Empty says whether no event was read.
func (f *Fold) Empty() bool { return f.Last.ID == "" }

// Add folds one message. One that is none of ours is skipped; its stream sequence counts.
func (f *Fold) Add(streamSequence uint64, data []byte) {
	f.Stream = streamSequence
	e, err := Parse(data)
	if err != nil {
		return
	}
	if e.IsCommCell() {
		f.addCommCell(e)
		return
	}
	f.addJob(e)
}

func (f *Fold) addJob(e Event) {
	data, err := e.Job()
	if err != nil {
		return
	}
	data.Change.Cut() // what is told on of another writer's event makes none of ours too long
	data.Job.Cut()
	if f.Empty() && e.Number() > 1 {
		f.Told = job.ToldBy(&data.Job) // the events before it are gone: aged or purged
	}
	seen := data.Job
	f.Told = f.Told.Tell(data.Change.Change, &seen, data.Change.ObservedAt)
	f.Snapshot, f.Last = seen, e
	f.Last.Data = nil // a fold of every job in the stream has to fit into memory
	f.Asked = time.Time{}
	if data.Change.NotBefore != nil {
		f.Asked = *data.Change.NotBefore
	}
}

func (f *Fold) addCommCell(e Event) {
	data, err := e.CommCell()
	if err != nil {
		return
	}
	f.Told = f.Told.Tell(job.Change{Kind: job.KindCommCell, Detail: data.Detail}, &job.Snapshot{}, data.ObservedAt)
	f.Last = e
}
