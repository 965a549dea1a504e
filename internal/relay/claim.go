package relay

import (
	"context"
	"errors"
	"slices"
	"time"

	"jobwatch/internal/stream"
)

// position is a sequence of the stream and the id of the message that stood there: another one there shows a stream that
// has lost its end, and grown again.
type position struct {
	Sequence uint64 `json:"sequence"`
	ID       string `json:"id"`
}

// claim gets the consumer to where the relay got, and says what the stream has forgotten before.
func (r *Relay) claim(ctx context.Context) (stream.Consumer, stream.DurableInfo, error) {
	is, err := r.Broker.Info(ctx)
	if err != nil {
		return nil, stream.DurableInfo{}, err
	}
	if err := r.loadParked(ctx); err != nil {
		return nil, stream.DurableInfo{}, err
	}
	r.mu.Lock()
	was := r.record
	r.mu.Unlock()
	d := stream.Durable{
		Name: consumerName(r.Name), Subjects: r.Subjects, AckWait: ackWait, Window: r.windowWanted(),
		Metadata: map[string]string{Mark: r.Name},
	}
	floor := was.Floor
	switch {
	case was.Born.IsZero():
		r.beginning(&d)
	default:
		last, whole, err := r.lastStanding(ctx, was, is)
		if err != nil {
			return nil, stream.DurableInfo{}, err
		}
		if !whole {
			floor, d.Anew = last, true
			if err := r.turnBack(ctx, floor); err != nil {
				return nil, stream.DurableInfo{}, err
			}
			r.log.Warn("the stream is another, or has lost its end: the relay goes on behind what is still the same", "seq", floor)
		}
		d.Start.Sequence = floor + 1
	}
	consumer, info, err := r.Broker.Claim(ctx, d)
	if err != nil {
		return nil, info, err
	}
	if info.Made && !was.Born.IsZero() && !d.Anew {
		r.log.Warn("the consumer of the relay was deleted; it is made again, and goes on where it was", "seq", floor)
	}
	if was.Born.IsZero() {
		floor = info.Floor
		if !info.Made && info.Delivered > 0 {
			r.log.Warn("what the relay remembered is gone; it goes on where its consumer is. What waited of jobs that were set aside "+
				"is sent by: watcher replay --since TIME --to "+r.Name, "seq", floor, "bucket", BucketName(r.Stream))
		}
	}
	r.reach(is, floor, was)
	return consumer, info, nil
}

func (r *Relay) windowWanted() int {
	if r.Group != nil {
		return grouped
	}
	return max(minWindow, 4*r.Concurrency)
}

// beginning is where a relay begins that has never run.
func (r *Relay) beginning(d *stream.Durable) {
	switch {
	case r.Start.Ago > 0:
		d.Start.Since = time.Now().Add(-r.Start.Ago)
	case r.Start.All:
		d.Start.Sequence = 1
	default:
		d.FromEnd = true
	}
}

// reach notes where the relay is in the stream, and counts what was forgotten before it got there.
func (r *Relay) reach(is stream.Info, floor uint64, was record) {
	first := max(is.First, 1)
	if !was.Born.IsZero() && first > floor+1 {
		if from := max(floor, r.forgotten); first > from+1 { // else it was said before the consumer was claimed anew
			r.missed(first - 1 - from)
		}
		floor = first - 1
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record.Born, r.record.Floor = is.Created, floor
	r.status.Missed = r.record.Missed
}

// lastStanding says whether the stream still is the one in which the relay got so far; where not, up to which position it
// is, else where it begins. All positions count: events that were sent again may have come to stand where one of them stood.
func (r *Relay) lastStanding(ctx context.Context, was record, is stream.Info) (floor uint64, whole bool, err error) {
	floor, whole = max(is.First, 1)-1, was.Born.Equal(is.Created) && was.Floor <= is.Last
	known := was.Positions
	if r.furthest.Sequence > 0 {
		known = append(slices.Clone(known), r.furthest)
	}
	for _, p := range known {
		if p.Sequence > is.Last {
			return floor, false, nil
		}
		m, err := r.Broker.At(ctx, p.Sequence)
		switch {
		case errors.Is(err, stream.ErrNone): // forgotten, which says nothing
		case err != nil:
			return 0, false, err
		case m.ID != p.ID:
			return floor, false, nil
		case p.Sequence <= was.Floor: // nothing before it waits
			floor = max(floor, p.Sequence)
		}
	}
	return floor, whole, nil
}

// turnBack forgets what was known of messages behind a sequence. Jobs that are set aside come first: without them the
// record would be believed.
func (r *Relay) turnBack(ctx context.Context, floor uint64) error {
	for key, p := range r.parked {
		if p.next > floor+1 {
			if err := r.turnBackParked(ctx, key, p, floor+1); err != nil {
				return err
			}
		}
	}
	clear(r.settled)
	clear(r.doneTo)
	r.forgotten, r.furthest = 0, position{}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record.Positions = slices.DeleteFunc(r.record.Positions, func(p position) bool { return p.Sequence > floor })
	return nil
}

// noteFloor notes how far the relay got, with what waits.
func (s *session) noteFloor() error {
	is, err := s.Broker.Info(s.ctx)
	if err != nil {
		return err
	}
	info, err := s.consumer.Info(s.ctx)
	if err != nil {
		return err
	}
	s.notePause(info)
	if info.Pending == 0 && info.Delivered+1 == s.next { // what was to come has been purged
		s.behind = 0
	}
	s.countForgotten(is)
	s.mu.Lock()
	floor := s.record.Floor
	positions := s.record.Positions
	s.mu.Unlock()
	switch {
	case len(s.held) > 0:
		floor = max(floor, s.oldestHeld()-1)
	case info.Pending == 0 && info.Unsettled == 0:
		floor = max(floor, s.seen, is.Last)
	default:
		floor = max(floor, s.seen)
	}
	if is.First > floor+1 && len(s.held) == 0 { // said by countForgotten
		floor = is.First - 1
	}
	if floor > 0 && (len(positions) == 0 || positions[len(positions)-1].Sequence < floor) {
		m, err := s.Broker.At(s.ctx, floor)
		if err == nil {
			positions = thin(append(slices.Clone(positions), position{floor, m.ID}))
		} else if !errors.Is(err, stream.ErrNone) {
			return err
		}
	}
	for sequence := range s.settled {
		if sequence <= info.Floor {
			delete(s.settled, sequence)
		}
	}
	for key, to := range s.doneTo {
		if to <= info.Floor {
			delete(s.doneTo, key)
		}
	}
	s.note(floor, positions, info)
	return s.countLetters()
}

// noteReached notes how far the session got, without asking anybody: where the consumer is gone too, the next one begins
// there.
func (s *session) noteReached() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record.Floor = max(s.record.Floor, s.oldestHeld()-1)
	positions := s.record.Positions
	if s.furthest.Sequence > 0 && (len(positions) == 0 || positions[len(positions)-1].Sequence < s.furthest.Sequence) {
		s.record.Positions = thin(append(slices.Clone(positions), s.furthest))
	}
}

// countForgotten says what the stream has forgotten, since it was last looked at, of what had not been delivered here.
func (s *session) countForgotten(is stream.Info) {
	s.mu.Lock()
	reached := max(s.record.Floor, s.seen, s.forgotten)
	s.mu.Unlock()
	if is.First <= reached+1 {
		return
	}
	s.forgotten = is.First - 1
	s.missed(s.forgotten - reached)
}

// missed says what the stream has forgotten before the relay got there.
func (r *Relay) missed(messages uint64) {
	r.log.Warn("the stream has forgotten messages before the relay got there (max_age, or a purge)", "count", messages)
	r.Meter.Missed(messages)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.record.Missed += messages
	r.status.Missed = r.record.Missed
}

// countLetters counts the dead letters now and then.
func (s *session) countLetters() error {
	if s.reports++; s.reports%5 != 1 {
		return nil
	}
	dead, err := countDead(s.ctx, s.records, s.Prefix, s.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Dead = dead
	return err
}

func (s *session) notePause(info stream.DurableInfo) {
	was := s.paused
	s.paused = ""
	if time.Until(info.PausedUntil) > 0 {
		s.paused = "paused by hand until " + info.PausedUntil.UTC().Format(time.RFC3339)
	}
	switch s.paused {
	case was:
	case "":
		s.log.Info("relay is paused by hand no more")
	default:
		s.log.Warn("relay is " + s.paused)
	}
}

func (s *session) oldestHeld() uint64 {
	oldest := s.seen + 1
	for sequence := range s.held {
		oldest = min(oldest, sequence)
	}
	return oldest
}

// Mark is what a relay's consumer has in its metadata; its value is the relay's name.
const Mark = "jobwatch-relay"

func consumerName(relay string) string { return "relay-" + relay }

// thin keeps the newest position, the oldest, and of those between as many as are needed for each to be at most twice as
// far from the newest as the one before it.
func thin(positions []position) []position {
	newest := positions[len(positions)-1].Sequence
	var kept []position
	distance := uint64(0) // of the one kept last
	for n, p := range slices.Backward(positions) {
		if n > 0 && n < len(positions)-1 && newest-positions[n-1].Sequence <= max(2*distance, 1) {
			continue // the next one is near enough
		}
		kept, distance = append(kept, p), newest-p.Sequence
	}
	slices.Reverse(kept)
	return kept
}
