package brokertest

import (
	"errors"
	"strconv"

	"jobwatch/internal/stream"
)

// state asks for the state of the stream.
type state struct{}

func info() state { return state{} }

// spans: the first message that is there, the last that was ever stored, and how many are there.
func (state) spans(first, last string, messages uint64) step {
	return func(s *stage) {
		s.Helper()
		i := s.info()
		if i.First != s.sequences[first] || i.Last != s.sequences[last] || i.Messages != messages {
			s.Fatalf("stream: got %d from %d to %d, want %d from %d to %d",
				i.Messages, i.First, i.Last, messages, s.sequences[first], s.sequences[last])
		}
	}
}

// isEmptyAfter: no message is there; the next one gets the sequence after the one named.
func (state) isEmptyAfter(last string) step {
	return func(s *stage) {
		s.Helper()
		n := s.sequences[last]
		if i := s.info(); i.Messages != 0 || i.Last != n || i.Last > 0 && i.First != n+1 || i.First > n+1 {
			s.Fatalf("stream: got %d from %d to %d, want none after %d", i.Messages, i.First, i.Last, n)
		}
	}
}

func (state) isTheSame() step {
	return func(s *stage) {
		s.Helper()
		if i := s.info(); i.Name != s.born.Name || !i.Created.Equal(s.born.Created) {
			s.Fatalf("stream: got %s of %v, want %s of %v", i.Name, i.Created, s.born.Name, s.born.Created)
		}
	}
}

func (state) isAnother() step {
	return func(s *stage) {
		s.Helper()
		if i := s.info(); i.Name != s.born.Name || !i.Created.After(s.born.Created) {
			s.Fatalf("stream: got %s of %v, want %s, younger than %v", i.Name, i.Created, s.born.Name, s.born.Created)
		}
	}
}

func (state) findsNoStream() step {
	return func(s *stage) {
		s.Helper()
		if i, err := s.one.Info(s.soon()); !errors.Is(err, stream.ErrNoStream) {
			s.Fatalf("stream: got %+v, %v; want %v", i, err, stream.ErrNoStream)
		}
	}
}

func itoa[N int | uint64](n N) string { return strconv.FormatUint(uint64(n), 10) }
