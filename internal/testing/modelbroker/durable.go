package modelbroker

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"jobwatch/internal/stream"
)

// durable is a durable consumer as the server keeps it. All of this is guarded by the stream's mu.
type durable struct {
	stream.Durable
	pausedUntil time.Time

	next      uint64 // stream sequence of the first message that was never delivered
	delivered uint64 // deliveries so far
	furthest  uint64 // stream sequence of the furthest message delivered, or purged
	unsettled map[uint64]*unsettled
	returned  []uint64 // to be delivered once more, in this order
	readers   []*reader
	turn      int // of the readers
}

// unsettled is a message that was delivered.
type unsettled struct {
	times uint64
	due   time.Time // then it is delivered once more
}

// claim makes the durable consumer, or has it become what is wanted.
func (s *Stream) claim(d stream.Durable) (c *durable, made bool, err error) {
	if s.created.IsZero() {
		return nil, false, stream.ErrNoStream
	}
	if d.Anew {
		s.removeDurable(d.Name)
	}
	c = s.durables[d.Name]
	if made = c == nil; made {
		c = &durable{next: s.begin(d), unsettled: map[uint64]*unsettled{}}
		c.furthest = c.next - 1
		s.durables[d.Name] = c
	}
	c.Durable = d
	return c, made, nil
}

// begin is where a consumer begins that is made.
func (s *Stream) begin(d stream.Durable) uint64 {
	switch {
	case d.FromEnd:
		return s.last + 1
	case d.Start.Since.IsZero():
		return max(d.Start.Sequence, 1)
	}
	for _, m := range s.held {
		if !m.stored.Before(d.Start.Since) {
			return m.Sequence
		}
	}
	return s.last + 1
}

// DeleteConsumer is what nats consumer rm does.
func (s *Stream) DeleteConsumer(name string) {
	s.change(func() { s.removeDurable(name) })
}

// PauseConsumer is what nats consumer pause does; a time that has passed resumes it.
func (s *Stream) PauseConsumer(name string, until time.Time) {
	s.change(func() {
		if c := s.durables[name]; c != nil {
			c.pausedUntil = until
		}
	})
}

func (s *Stream) removeDurable(name string) {
	if c := s.durables[name]; c != nil {
		for _, r := range c.readers {
			r.gone = true
		}
		delete(s.durables, name)
	}
}

// restartDurables is what a restart does: nobody reads, and what was returned waits until it is due.
func (s *Stream) restartDurables() {
	for _, c := range s.durables {
		c.readers, c.returned = nil, nil
		c.next = min(c.next, s.last+1)
		maps.DeleteFunc(c.unsettled, func(sequence uint64, _ *unsettled) bool { return sequence > s.last })
	}
}

func copyOf(all map[string]*durable) map[string]*durable {
	copied := map[string]*durable{}
	for name, c := range all {
		other := *c
		other.readers, other.returned, other.unsettled = nil, nil, map[uint64]*unsettled{}
		for sequence, u := range c.unsettled {
			other.unsettled[sequence] = &unsettled{u.times, u.due}
		}
		copied[name] = &other
	}
	return copied
}

// deliver gives the readers, in turn, what they have room for: first what is to be delivered once more, then what is new.
func (s *Stream) deliver(c *durable) {
	s.forgetRemoved(c)
	if time.Now().Before(c.pausedUntil) {
		return
	}
	c.expire()
	for {
		r := c.whoseTurn()
		if r == nil {
			return
		}
		m, found := s.nextFor(c)
		if !found {
			return
		}
		u := c.unsettled[m.Sequence]
		if u == nil {
			u = &unsettled{}
			c.unsettled[m.Sequence] = u
		}
		u.times++
		u.due = time.Now().Add(c.AckWait)
		c.delivered++
		c.furthest = max(c.furthest, m.Sequence)
		r.arrived = append(r.arrived, stream.Delivery{
			Message: m.Message, Header: m.header, Stored: m.stored, Behind: s.pending(c), Number: c.delivered, Times: u.times,
		})
	}
}

// forgetRemoved settles what the stream no longer holds.
func (s *Stream) forgetRemoved(c *durable) {
	maps.DeleteFunc(c.unsettled, func(sequence uint64, _ *unsettled) bool {
		_, held := s.find(sequence)
		return !held
	})
	first := s.last + 1
	if len(s.held) > 0 {
		first = s.held[0].Sequence
	}
	c.next = max(c.next, first)
	c.furthest = max(c.furthest, first-1)
}

// expire returns what is due, in the order of its time.
func (c *durable) expire() {
	var due []uint64
	for sequence, u := range c.unsettled {
		if !time.Now().Before(u.due) && !slices.Contains(c.returned, sequence) {
			due = append(due, sequence)
		}
	}
	slices.SortFunc(due, func(a, b uint64) int {
		return cmp.Or(c.unsettled[a].due.Compare(c.unsettled[b].due), cmp.Compare(a, b))
	})
	c.returned = append(c.returned, due...)
}

// nextFor is the next message to deliver. A full window holds back what is new, not what is delivered once more.
func (s *Stream) nextFor(c *durable) (message, bool) {
	for len(c.returned) > 0 {
		sequence := c.returned[0]
		c.returned = c.returned[1:]
		if c.unsettled[sequence] != nil { // else it was settled meanwhile
			i, _ := s.find(sequence)
			return s.held[i], true
		}
	}
	if len(c.unsettled) >= c.Window {
		return message{}, false
	}
	i, _ := s.find(c.next)
	for _, m := range s.held[i:] {
		c.next = m.Sequence + 1
		if c.takes(m.Subject) {
			return m, true
		}
	}
	return message{}, false
}

func (c *durable) takes(subject string) bool {
	return len(c.Subjects) == 0 || slices.ContainsFunc(c.Subjects, func(filter string) bool { return matches(filter, subject) })
}

// whoseTurn is the next reader with room: each has as much coming as the window allows, at most 500.
func (c *durable) whoseTurn() *reader {
	for range c.readers {
		c.turn++
		if r := c.readers[c.turn%len(c.readers)]; len(r.arrived) < min(500, c.Window) {
			return r
		}
	}
	return nil
}

// wakes is when something comes by itself; zero: never.
func (c *durable) wakes() time.Time {
	if time.Now().Before(c.pausedUntil) {
		return c.pausedUntil
	}
	var first time.Time
	for _, u := range c.unsettled {
		if first.IsZero() || u.due.Before(first) {
			first = u.due
		}
	}
	return first
}

// pending counts what was never delivered.
func (s *Stream) pending(c *durable) (count uint64) {
	i, _ := s.find(c.next)
	for _, m := range s.held[i:] {
		if c.takes(m.Subject) {
			count++
		}
	}
	return count
}

func (s *Stream) infoOf(c *durable) stream.DurableInfo {
	s.forgetRemoved(c)
	info := stream.DurableInfo{
		Filters:   c.Subjects,
		Delivered: c.delivered, Stream: c.furthest, Floor: c.furthest, Unsettled: len(c.unsettled), Window: c.Window,
	}
	for sequence := range c.unsettled {
		info.Floor = min(info.Floor, sequence-1)
	}
	info.Pending = s.pending(c)
	if time.Now().Before(c.pausedUntil) {
		info.PausedUntil = c.pausedUntil
	}
	return info
}
