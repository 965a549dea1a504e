package modelbroker

import (
	"slices"
	"strings"

	"jobwatch/internal/stream"
)

// All of these are called with mu held.

func (s *Stream) info() (stream.Info, error) {
	if s.created.IsZero() {
		return stream.Info{}, stream.ErrNoStream
	}
	first := s.last + 1
	if len(s.held) > 0 {
		first = s.held[0].Sequence
	}
	return stream.Info{
		Name: name, Created: s.created, First: first, Last: s.last, Messages: uint64(len(s.held)),
	}, nil
}

// lastOf is the sequence of the last message that a filter matches; 0: there is none.
func (s *Stream) lastOf(filter string) uint64 {
	for _, m := range slices.Backward(s.held) {
		if matches(filter, m.Subject) {
			return m.Sequence
		}
	}
	return 0
}

func (s *Stream) at(sequence uint64) (stream.Message, error) {
	if s.created.IsZero() {
		return stream.Message{}, stream.ErrNoStream
	}
	i, found := s.find(sequence)
	if !found {
		return stream.Message{}, stream.ErrNone
	}
	return s.held[i].Message, nil
}

func (s *Stream) next(filter string, from uint64) (stream.Message, error) {
	if s.created.IsZero() {
		return stream.Message{}, stream.ErrNoStream
	}
	i, _ := s.find(from)
	for _, m := range s.held[i:] {
		if matches(filter, m.Subject) {
			return m.Message, nil
		}
	}
	return stream.Message{}, stream.ErrNone
}

// messages gives those from a sequence on.
func (s *Stream) messages(from uint64) []stream.Message {
	i, _ := s.find(from)
	all := make([]stream.Message, 0, len(s.held)-i)
	for _, m := range s.held[i:] {
		all = append(all, m.Message)
	}
	return all
}

func (s *Stream) find(sequence uint64) (int, bool) {
	return slices.BinarySearchFunc(s.held, sequence, func(m message, sequence uint64) int {
		return int(int64(m.Sequence) - int64(sequence))
	})
}

// matches says whether a subject is one of a filter's: * is a token, > is the rest.
func matches(filter, subject string) bool {
	for {
		want, moreWanted, wantsMore := strings.Cut(filter, ".")
		token, rest, hasMore := strings.Cut(subject, ".")
		switch {
		case want == ">":
			return true
		case want != "*" && want != token, wantsMore != hasMore:
			return false
		case !wantsMore:
			return true
		}
		filter, subject = moreWanted, rest
	}
}

// carriable says whether NATS can carry a subject.
func carriable(subject string) bool {
	if len(subject) > 3900 || strings.ContainsAny(subject, " \t\r\n\f") {
		return false
	}
	return !slices.ContainsFunc(strings.Split(subject, "."), func(token string) bool {
		return token == "" || token == "*" || token == ">"
	})
}
