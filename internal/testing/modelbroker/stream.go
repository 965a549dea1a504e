// Package modelbroker is a broker for tests: a JetStream stream in memory, which answers as NATS does and fails as a
// test wants it to. It runs in a synctest bubble, where a connection to NATS would hang. Package brokertest holds it
// against the real server.
package modelbroker

import (
	"slices"
	"sync"
	"time"

	"jobwatch/internal/stream"
)

// Config says what server the stream is on. The zero value is a single one.
type Config struct {
	Replicated bool          // three replicas: a known id is checked before the expected sequence is
	Unchecked  bool          // the expected sequence is ignored, as a server below 2.11 ignores that of a filter
	Patience   time.Duration // with a request whose context has no deadline; default 5 s, as stream.Broker's
	Window     time.Duration // in which an id is remembered; default 2 min, as jobwatch makes its stream
}

// Stream is the stream, and the server under it. Its methods may be called from many goroutines.
type Stream struct {
	cfg Config

	mu       sync.Mutex
	created  time.Time       // zero: there is no stream; guarded by mu, as the rest is
	births   int             // of the stream: two in the same moment of a bubble are two
	held     []message       // in the order of their sequences
	last     uint64          // highest sequence ever given
	ids      map[string]seen // remembered for Window
	durables map[string]*durable
	others   map[string]*beside // streams beside this one
	changed  chan struct{}      // closed when anything of this changes, and replaced
}

type message struct {
	stream.Message
	header map[string][]string
	stored time.Time
}

// seen is where the message with an id was stored.
type seen struct {
	sequence uint64
	at       time.Time
}

const name = "JOBS"

// New returns a server without a stream: the first Ready makes it.
func New(cfg Config) *Stream {
	if cfg.Patience <= 0 {
		cfg.Patience = 5 * time.Second
	}
	if cfg.Window <= 0 {
		cfg.Window = 2 * time.Minute
	}
	return &Stream{cfg: cfg, durables: map[string]*durable{}, others: map[string]*beside{}, changed: make(chan struct{})}
}

// Messages gives what the stream holds. A test reads it without asking the broker.
func (s *Stream) Messages() []stream.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages(1)
}

// Forget takes the last n messages away, as if a server had been restored, or had lost power before it synced: their
// sequences and ids begin again. Real connections are lost with it; a test that wants that cuts them.
func (s *Stream) Forget(n int) {
	s.change(func() {
		first := max(0, len(s.held)-n)
		if first < len(s.held) {
			s.last = s.held[first].Sequence - 1
		}
		s.held = s.held[:first]
		s.restart()
	})
}

// Restart is the server's. Real connections are lost with it, as with Keep's restore; a test that wants that cuts them.
func (s *Stream) Restart() { s.change(s.restart) }

func (s *Stream) restart() {
	s.rememberHeld()
	s.restartDurables()
}

// Keep copies what the server has stored, and returns what starts it again on that copy. The copy ends where the stream
// did, also if its last messages had been removed.
func (s *Stream) Keep() (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	created, held, last := s.created, slices.Clone(s.held), s.last
	durables, others := copyOf(s.durables), map[string]*beside{}
	for name, b := range s.others {
		others[name] = b.copied()
	}
	return func() {
		s.change(func() {
			s.created, s.held, s.last = created, slices.Clone(held), last
			s.durables, s.others = copyOf(durables), map[string]*beside{}
			for name, b := range others {
				s.others[name] = b.copied()
			}
			s.restart()
		})
	}
}

// rememberHeld has the ids known that a server knows when it starts: those of what it finds stored, not those of what
// was removed before. (Seen with nats-server 2.15.2, alone and as three replicas.)
func (s *Stream) rememberHeld() {
	s.ids = map[string]seen{}
	for _, m := range s.held {
		if m.ID != "" {
			s.ids[m.ID] = seen{m.Sequence, m.stored}
		}
	}
}

// Age takes the first n messages away, as max_age and a purge do. Their ids are still remembered.
func (s *Stream) Age(n int) {
	s.change(func() { s.held = slices.Clone(s.held[min(n, len(s.held)):]) })
}

// Purge takes away what matches a filter, wherever it lies. The ids are still remembered.
func (s *Stream) Purge(filter string) {
	s.change(func() {
		s.held = slices.DeleteFunc(slices.Clone(s.held), func(m message) bool { return matches(filter, m.Subject) })
	})
}

// Remove takes one message away. Its id is still remembered.
func (s *Stream) Remove(sequence uint64) {
	s.change(func() {
		s.held = slices.DeleteFunc(slices.Clone(s.held), func(m message) bool { return m.Sequence == sequence })
	})
}

// Delete deletes the stream. The next Ready makes another one of the same name.
func (s *Stream) Delete() {
	s.change(func() {
		s.created, s.held, s.last, s.ids = time.Time{}, nil, 0, nil
		for name := range s.durables {
			s.removeDurable(name)
		}
	})
}

// Store stores a message as if it had just arrived: one that was long under way.
func (s *Stream) Store(m stream.Outgoing) (sequence uint64, duplicate bool, err error) {
	s.change(func() { sequence, duplicate, err = s.store(m) })
	return sequence, duplicate, err
}

// Add stores a message of somebody else's, who expects nothing and gives no id.
func (s *Stream) Add(subject string, data []byte) (sequence uint64) {
	s.change(func() { sequence = s.append(stream.Message{Subject: subject, Data: data}) })
	return sequence
}

func (s *Stream) change(edit func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit()
	close(s.changed)
	s.changed = make(chan struct{})
}

// make makes the stream if there is none.
func (s *Stream) make() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.created.IsZero() {
		s.births++
		s.created = time.Now().Add(time.Duration(s.births))
		s.ids = map[string]seen{}
	}
}

// store is called with mu held.
func (s *Stream) store(m stream.Outgoing) (sequence uint64, duplicate bool, err error) {
	if s.created.IsZero() {
		return 0, false, stream.ErrNoStream
	}
	before, known := s.ids[m.ID]
	known = known && m.ID != "" && time.Since(before.at) < s.cfg.Window
	if known && s.cfg.Replicated {
		return before.sequence, true, nil
	}
	if last := s.lastOf(m.Filter); last != m.ExpectLast && !s.cfg.Unchecked {
		return 0, false, &stream.SequenceError{Last: last}
	}
	if known {
		return before.sequence, true, nil
	}
	sequence = s.append(stream.Message{Subject: m.Subject, ID: m.ID, Data: slices.Clone(m.Data)})
	s.held[len(s.held)-1].header = map[string][]string{"Nats-Msg-Id": {m.ID}, "Content-Type": {"application/cloudevents+json"}}
	if m.ID != "" {
		s.ids[m.ID] = seen{sequence, time.Now()}
	}
	return sequence, false, nil
}

// append is called with mu held.
func (s *Stream) append(m stream.Message) uint64 {
	s.last++
	m.Sequence = s.last
	s.held = append(slices.Clip(s.held), message{Message: m, stored: time.Now()})
	return s.last
}
