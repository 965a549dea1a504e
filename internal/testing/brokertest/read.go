package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"jobwatch/internal/stream"
)

// lookup asks for one message.
type lookup struct {
	what string
	ask  func(*stage) (stream.Message, error)
}

func last(job string) lookup {
	return lookup{"the last message of " + job, func(s *stage) (stream.Message, error) {
		return s.one.Last(s.soon(), filter(job))
	}}
}

// at asks for the sequence that a message got, or for one by its number.
func at(id string) lookup {
	return lookup{"the message at " + id, func(s *stage) (stream.Message, error) {
		return s.one.At(s.soon(), s.sequences[id])
	}}
}

func atSequence(n uint64) lookup {
	return lookup{"the message at " + itoa(n), func(s *stage) (stream.Message, error) { return s.one.At(s.soon(), n) }}
}

func (l lookup) is(id string) step {
	return func(s *stage) {
		s.Helper()
		if m, err := l.ask(s); err != nil || m.ID != id || m.Sequence != s.sequences[id] {
			s.Fatalf("%s: got %q at %d, %v; want %q at %d", l.what, m.ID, m.Sequence, err, id, s.sequences[id])
		}
	}
}

func (l lookup) isNone() step        { return l.fails(stream.ErrNone) }
func (l lookup) findsNoStream() step { return l.fails(stream.ErrNoStream) }

func (l lookup) fails(want error) step {
	return func(s *stage) {
		s.Helper()
		if m, err := l.ask(s); !errors.Is(err, want) {
			s.Fatalf("%s: got %q, %v; want %v", l.what, m.ID, err, want)
		}
	}
}

// reading asks for many messages.
type reading struct {
	what   string
	first  string // id of the message to begin with
	number uint64 // or its sequence
	enough string // id of the message that yield takes no more behind
	read   func(s *stage, ctx context.Context, from uint64, yield func(stream.Message) error) (last uint64, err error)
}

func each(job string) reading {
	return reading{what: "each of " + job, read: func(s *stage, ctx context.Context, from uint64, yield func(stream.Message) error) (uint64, error) {
		return 0, s.one.Each(ctx, filter(job), from, yield)
	}}
}

// heads follows the stream, and ends only where it is enough.
func heads() reading {
	return reading{what: "heads", read: func(s *stage, ctx context.Context, from uint64, yield func(stream.Message) error) (uint64, error) {
		return 0, s.one.FollowHeaders(ctx, from, func(m stream.Message) error {
			if len(m.Data) > 0 || m.Subject == "" || m.Sequence != s.sequences[m.ID] {
				return fmt.Errorf("%+v is not the head of %q (%d)", m, m.ID, s.sequences[m.ID])
			}
			return yield(m)
		})
	}}
}

func (r reading) from(id string) reading        { r.first = id; return r }
func (r reading) untilEnough(id string) reading { r.enough = id; return r }
func (r reading) yields(ids ...string) step {
	return func(s *stage) { s.Helper(); r.run(s, ids) }
}

func (r reading) run(s *stage, want []string) (last uint64) {
	s.Helper()
	var got []string
	var err error
	ends := r.enough == ""
	for range readings {
		if got, last, err = r.once(s); err == nil || errors.Is(err, errEnough) {
			break
		}
	}
	if ends && err != nil || !ends && !errors.Is(err, errEnough) || !slices.Equal(got, want) {
		s.Fatalf("%s: got %q, %v; want %q", r.what, got, err, want)
	}
	return last
}

// readings are tried before one fails: a consumer on a replica that lags too long gives up.
const readings = 3

var errEnough = errors.New("enough")

func (r reading) once(s *stage) (got []string, last uint64, err error) {
	last, err = r.read(s, s.soon(), max(r.number, s.sequences[r.first]), func(m stream.Message) error {
		got = append(got, m.ID)
		if m.ID == r.enough {
			return errEnough
		}
		return nil
	})
	return got, last, err
}

// scanning is a reading of all, which says how far it got.
type scanning struct {
	reading
	ids []string
}

func scan() scanning {
	return scanning{reading: reading{what: "scan", read: func(s *stage, ctx context.Context, from uint64, yield func(stream.Message) error) (uint64, error) {
		return s.one.Scan(ctx, from, yield)
	}}}
}

func (c scanning) from(id string) scanning        { c.first = id; return c }
func (c scanning) fromSequence(n uint64) scanning { c.number = n; return c }
func (c scanning) untilEnough(id string) scanning { c.enough = id; return c }
func (c scanning) yields(ids ...string) scanning  { c.ids = ids; return c }

func (c scanning) upTo(id string) step {
	return func(s *stage) {
		s.Helper()
		if last := c.run(s, c.ids); last != s.sequences[id] {
			s.Fatalf("scan: read up to %d, want %d (%s)", last, s.sequences[id], id)
		}
	}
}
