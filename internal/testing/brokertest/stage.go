package brokertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"jobwatch/internal/stream"
)

const (
	job1 = "jobs.prod.1"
	job2 = "jobs.prod.2"
)

const (
	patience = 20 * time.Second
	pause    = 10 * time.Millisecond // before what may pass is asked for again
)

// stage is where one rule is played: the world, two connections to it, and the sequences that the messages got.
type stage struct {
	*testing.T
	world      World
	one, other Broker
	sequences  map[string]uint64  // by message id; nothing has 0
	born       stream.Info        // the stream as it was made
	readers    map[Broker]*reader // what each has claimed
}

func newStage(t *testing.T, w World) *stage {
	s := &stage{T: t, world: w, one: w.Connect(t), other: w.Connect(t), sequences: map[string]uint64{}, readers: map[Broker]*reader{}}
	s.ready()
	s.born = s.info()
	return s
}

func (s *stage) ready() {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context()) // without a deadline, so that each request has its own
	defer cancel()
	defer time.AfterFunc(patience, cancel).Stop()
	for _, b := range []Broker{s.one, s.other} {
		if _, err := b.Ready(ctx); err != nil {
			s.Fatalf("Ready: %v", err)
		}
	}
}

func (s *stage) info() stream.Info {
	s.Helper()
	info, err := s.one.Info(s.soon())
	if err != nil {
		s.Fatalf("Info: %v", err)
	}
	return info
}

func (s *stage) soon() context.Context {
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	s.Cleanup(cancel)
	return ctx
}

// filter matches the messages of a job; all is a filter itself.
func filter(job string) string {
	if job == all {
		return all
	}
	return job + ".>"
}

// alone is what one server does.
func alone(then step) step {
	return func(s *stage) {
		if s.world.Replicas() == 1 {
			then(s)
		}
	}
}

// replicated is what several servers do that hold the stream together.
func replicated(then step) step {
	return func(s *stage) {
		if s.world.Replicas() > 1 {
			then(s)
		}
	}
}

// What befalls the broker.

func remove(id string) step {
	return func(s *stage) { s.world.Delete(s.T, s.sequences[id]) }
}

func purge(job string) step {
	return func(s *stage) { s.world.Purge(s.T, filter(job)) }
}

func drop() step       { return func(s *stage) { s.world.Drop(s.T) } }
func keep() step       { return reconnected(World.Keep) }
func restore() step    { return reconnected(World.Restore) }
func passWindow() step { return func(s *stage) { s.world.PassWindow(s.T) } }
func ready() step      { return func(s *stage) { s.ready() } }

func reconnected(what func(World, *testing.T)) step {
	return func(s *stage) {
		what(s.world, s.T)
		s.ready()
	}
}

// passing says whether the error is one of a cluster that has not found together yet; what was asked is asked again.
func (s *stage) passing(err error) bool {
	return err != nil && s.world.Replicas() > 1 && errors.Is(err, stream.ErrBusy)
}
