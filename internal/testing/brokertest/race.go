package brokertest

import (
	"errors"
	"sync"

	"jobwatch/internal/stream"
)

// race has both connections publish with the same expectation, again and again: one is stored, and the other learns
// that it was late.
func race(rounds int) step { return compete(rounds, "b") }

// echo has both connections publish the same message at the same time, again and again.
func echo(rounds int) step { return compete(rounds, "a") }

// compete has one publish "a0", "a1" and so on, and the other what other begins with.
func compete(rounds int, other string) step {
	return func(s *stage) {
		s.Helper()
		var winners []string
		latest := nothing
		for n := range rounds {
			latest = s.compete(publish("a"+itoa(n)).after(latest), publish(other+itoa(n)).after(latest))
			winners = append(winners, latest)
		}
		each(job1).yields(winners...)(s)
	}
}

// compete has the two published at the same time, and returns the one that was stored.
func (s *stage) compete(a, b publication) (winner string) {
	s.Helper()
	both := []publication{a, b.byOther()}
	sequences, errs := make([]uint64, 2), make([]error, 2)
	ctx := s.soon()
	var done sync.WaitGroup
	for i, p := range both {
		done.Go(func() { sequences[i], errs[i] = p.through(s).Publish(ctx, p.message(s)) })
	}
	done.Wait()
	for i, p := range both {
		if errs[i] == nil && (s.isLate(errs[1-i], sequences[i]) || a.id == b.id && errs[1-i] == nil && sequences[0] == sequences[1]) {
			s.sequences[p.id] = sequences[i]
			return p.id
		}
	}
	s.Fatalf("%v and %v at the same time: got %d, %v and %d, %v; want one stored, and the other late",
		both[0], both[1], sequences[0], errs[0], sequences[1], errs[1])
	return ""
}

// isLate says whether the error is that of the second. Several servers may answer ErrBusy while the first is being
// stored.
func (s *stage) isLate(err error, first uint64) bool {
	var refused *stream.SequenceError
	return s.passing(err) || errors.As(err, &refused) && refused.Last == first
}
