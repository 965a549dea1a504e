package web

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

const (
	ringSize    = 500 // events kept, at least, for who comes or comes back
	clientQueue = 256 // events that a follower may lag behind before it is dropped
	retryAfter  = time.Second
)

// streamed is an event as a follower gets it.
type streamed struct {
	sequence uint64 // in the stream
	commCell string
	kind     string
	data     []byte
}

// live follows the stream once, for all who follow it through us.
type live struct {
	broker *stream.Broker
	size   int // of the ring
	once   sync.Once
	ready  chan struct{} // closed when the end of the stream was first reached

	mu      sync.Mutex
	ring    []streamed // guarded by mu, as the rest is
	from    uint64     // every event of the stream from this sequence to next is in the ring
	next    uint64     // the next sequence to come; 0: the stream was not reached yet
	clients map[*follower]bool
}

// follower is one who follows. Its channel is closed when it is dropped.
type follower struct{ events chan streamed }

func newLive(b *stream.Broker) *live {
	return &live{broker: b, size: ringSize, ready: make(chan struct{}), clients: map[*follower]bool{}}
}

// run follows the stream until ctx ends, across whatever happens to NATS. That the stream is made is
// the publisher's business, which catches up with it first.
func (l *live) run(ctx context.Context, caughtUp <-chan struct{}) error {
	select {
	case <-caughtUp:
	case <-ctx.Done():
	}
	for fails := 0; ctx.Err() == nil; fails++ {
		began := time.Now()
		if _, err := l.broker.Ready(ctx); err == nil {
			_ = l.follow(ctx) // whoever publishes names what is wrong with NATS
		}
		if time.Since(began) > time.Minute {
			fails = 0
		}
		select {
		case <-time.After(retryAfter << min(fails, 4)):
		case <-ctx.Done():
		}
	}
	return nil
}

func (l *live) follow(ctx context.Context) error {
	info, err := l.broker.Info(ctx)
	if err != nil {
		return err
	}
	last, err := l.broker.Scan(ctx, l.begin(info), l.take)
	if err != nil {
		return err
	}
	return l.broker.Follow(ctx, l.reached(last), l.take)
}

// reached notes that all up to a sequence was read, where the last messages may have been deleted.
func (l *live) reached(last uint64) (next uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = max(l.next, last+1)
	l.once.Do(func() { close(l.ready) })
	return l.next
}

// begin gives the sequence to follow from: on from where it ended, or with the last events of a
// stream that is new to us.
func (l *live) begin(info stream.Info) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := max(info.First, 1)
	if l.next < first || l.next > info.Last+1 {
		l.ring = nil
		l.next = first
		if info.Last > uint64(l.size) {
			l.next = max(first, info.Last-uint64(l.size)+1)
		}
		l.from = l.next
	}
	return l.next
}

// take keeps a message and hands it to all followers. One that is full is dropped.
func (l *live) take(m stream.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next = m.Sequence + 1
	t, ours := read(m)
	if !ours {
		return nil
	}
	l.ring = append(l.ring, t)
	if len(l.ring) >= 2*l.size { // cut now and then, not at each event
		l.ring = slices.Clone(l.ring[l.size:])
		l.from = l.ring[0].sequence
	}
	for c := range l.clients {
		select {
		case c.events <- t:
		default:
			l.drop(c)
		}
	}
	return nil
}

// oneLine is what the wire wants of JSON; only another program's event has several lines.
func oneLine(data []byte) []byte {
	if !bytes.ContainsAny(data, "\r\n") {
		return data
	}
	var line bytes.Buffer
	if json.Compact(&line, data) != nil {
		return nil
	}
	return line.Bytes()
}

// last is the sequence of the last message that came; 0: the stream was not reached yet.
func (l *live) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.next, 1) - 1
}

func (l *live) drop(c *follower) {
	delete(l.clients, c)
	close(c.events)
}

func read(m stream.Message) (streamed, bool) {
	e, err := event.Parse(m.Data)
	if err != nil {
		return streamed{}, false
	}
	id, err := e.JobID()
	if err != nil {
		return streamed{}, false
	}
	t := streamed{sequence: m.Sequence, commCell: id.CommCell, kind: job.KindCommCell, data: oneLine(m.Data)}
	if !e.IsCommCell() {
		data, err := e.Job()
		if err != nil {
			return streamed{}, false
		}
		t.kind = data.Change.Kind
	}
	return t, true
}

// join adds a follower who wants all from a sequence on; 0: what comes from now on, and before it
// so many of the last events. It returns false where the ring begins later than that. Who is ahead
// of the ring gets what it knows once more.
func (l *live) join(from uint64, recent int) (c *follower, backlog []streamed, joined bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if from != 0 && from < l.from {
		return nil, nil, false
	}
	backlog = l.ring[max(0, len(l.ring)-recent):]
	if from != 0 {
		i, _ := slices.BinarySearchFunc(l.ring, from, func(t streamed, from uint64) int { return cmp.Compare(t.sequence, from) })
		backlog = l.ring[i:]
	}
	c = &follower{make(chan streamed, clientQueue)}
	l.clients[c] = true
	return c, slices.Clone(backlog), true
}

func (l *live) leave(c *follower) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clients[c] {
		l.drop(c)
	}
}
