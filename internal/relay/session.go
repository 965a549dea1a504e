package relay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// session is the time from claiming the consumer to losing it. One goroutine has all of its state: loop.
type session struct {
	*Relay
	lease    *lease
	consumer stream.Consumer
	limit    *rate.Limiter
	ctx      context.Context // ends with the lease, or when it has to stop
	outside  context.Context // of what is done outside of the loop: it ends a little later
	window   int             // most deliveries that are not settled

	next    uint64           // number of the next delivery
	seen    uint64           // the highest sequence delivered
	behind  uint64           // what is still to come of what the stream had then
	held    map[uint64]*item // not settled, by sequence
	queues  map[string]*queue
	ready   []*queue          // with something to try, and no trouble, in the order in which they became so
	uneasy  map[*queue]bool   // in trouble
	groups  map[string]*group // open windows
	busy    int
	trying  int  // of busy, those in trouble
	fresh   bool // the last one tried was in no trouble
	reports int
	paused  string // by hand, until when
	opened  bool   // all that was delivered before is gathered

	leaving   bool  // the destination wants nothing more, and that is written
	failed    error // why another claim has to find out how it stands
	replaying bool  // events of the stream are being read once more
	redriving bool  // dead letters are

	arrivals chan arrival
	results  chan func()
	awaited  int // results that are still to come
}

// stopPatience is what deliveries under way are given when the relay stops, if the lease lasts as long.
const stopPatience = 5 * time.Second

var errStopped = errors.New("stopped")

type arrival struct {
	all []stream.Delivery
	err error
}

// session relays through one claim of the consumer.
func (r *Relay) session(ctx context.Context, l *lease, now *orders, changes <-chan orders) error {
	consumer, info, err := r.claim(ctx)
	if err != nil {
		return err
	}
	// Before anything is delivered: whoever goes on after a kill, without the consumer, begins here, not at the end.
	if err := l.write(ctx); err != nil {
		consumer.Close()
		return err
	}
	work, cut := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cut(nil)
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errLeaseLost) {
			cut(errLeaseLost)
			return
		}
		time.AfterFunc(min(stopPatience, l.left()), func() { cut(errStopped) })
	})()
	s := &session{
		Relay: r, lease: l, consumer: consumer, ctx: ctx, outside: work, next: info.Delivered + 1, window: info.Window,
		held: map[uint64]*item{}, queues: map[string]*queue{}, uneasy: map[*queue]bool{}, groups: map[string]*group{},
		arrivals: make(chan arrival), results: make(chan func(), r.Concurrency+8),
	}
	if r.Rate > 0 {
		s.limit = rate.NewLimiter(rate.Limit(r.Rate), max(1, int(r.Rate)))
	}
	maps.DeleteFunc(r.redriven, func(_ string, d *redrive) bool { return !d.ended })
	reading, stop := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Go(func() { s.read(reading) })
	err = s.gather(info)
	if err == nil {
		s.open()
		err = s.loop(now, changes)
	}
	stop()
	s.end()
	s.health.rest(time.Now())
	reader.Wait()
	s.consumer.Close()
	return err
}

// read has deliveries arrive until ctx ends.
func (s *session) read(ctx context.Context) {
	for {
		all, err := s.consumer.Next(ctx, 256)
		select {
		case s.arrivals <- arrival{all, err}:
		case <-ctx.Done():
			for _, d := range all {
				s.consumer.Return(d)
			}
			return
		}
		if err != nil {
			return
		}
	}
}

// end waits for what is under way, and returns what is not, the oldest first.
func (s *session) end() {
	for s.awaited > 0 {
		(<-s.results)()
	}
	for _, sequence := range slices.Sorted(maps.Keys(s.held)) {
		s.consumer.Return(s.held[sequence].delivery)
	}
	if len(s.held) > 0 { // what of it the stream has forgotten does not come again, and has to be said
		s.forgotten = min(s.forgotten, s.oldestHeld()-1)
	}
}

// gather waits until all that was delivered and never settled is here: what it was delivered to may be gone, and the
// broker would give new events of a job before the old ones. Nothing is delivered meanwhile.
func (s *session) gather(info stream.DurableInfo) error {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for len(s.held) < info.Unsettled {
		select {
		case a := <-s.arrivals:
			if a.err != nil {
				return a.err
			}
			if err := s.take(a.all); err != nil {
				return err
			}
			if len(s.held) < info.Unsettled {
				continue
			}
		case <-tick.C:
			s.extendAll()
		case <-s.ctx.Done():
			return context.Cause(s.ctx)
		}
		var err error
		if info, err = s.consumer.Info(s.ctx); err != nil { // a purge makes them fewer, new deliveries more
			return err
		}
		s.notePause(info)
		s.mu.Lock()
		s.status.Reason = s.paused
		s.mu.Unlock()
	}
	return nil
}

// open begins with what was gathered, in the order of the stream.
func (s *session) open() {
	s.opened = true
	s.health.begin(time.Now())
	for _, sequence := range slices.Sorted(maps.Keys(s.held)) {
		s.enqueue(s.held[sequence])
	}
	for key := range s.parked {
		s.offer(s.queue(key))
	}
}

// take notes deliveries. Those that were done with before are settled once more.
func (s *session) take(all []stream.Delivery) error {
	for _, d := range all {
		if d.Number != s.next {
			return fmt.Errorf("%w: %d instead of %d", errGap, d.Number, s.next)
		}
		s.next++
		s.behind = d.Behind
		if d.Sequence > s.furthest.Sequence {
			s.furthest = position{d.Sequence, d.ID}
		}
		if was, again := s.held[d.Sequence]; again {
			was.delivery = d
			continue
		}
		if s.settled[d.Sequence] {
			s.consumer.Settle(d)
			continue
		}
		if d.Times > 1 && s.opened && d.Sequence < s.seen {
			return fmt.Errorf("%w: message %d comes late", errGap, d.Sequence)
		}
		s.seen = max(s.seen, d.Sequence)
		e := s.eventOf(d.Message)
		e.Replayed = len(d.Header[ReplayedHeader]) > 0
		if e.ID == "" || !s.takes(e) {
			s.settle(&item{event: e, delivery: d})
			continue
		}
		i := &item{event: e, delivery: d, arrived: time.Now()}
		s.held[d.Sequence] = i
		if s.opened {
			s.enqueue(i)
		}
	}
	return nil
}

// ReplayedHeader marks an event that was sent again on request.
const ReplayedHeader = "Jobwatch-Replayed"

// eventOf reads what is no event of ours as one without an id.
func (r *Relay) eventOf(m stream.Message) *Event {
	e := &Event{Sequence: m.Sequence, Subject: m.Subject, ID: m.ID, Job: jobOf(r.Prefix, m.Subject), Data: m.Data}
	if e.ID == "" || !event.IsOurs(r.Prefix, m.Subject) {
		parsed, err := e.Parsed()
		if err != nil {
			e.ID = ""
			return e
		}
		e.ID = parsed.ID
	}
	return e
}

func (s *session) key(e *Event) string {
	if s.Whole {
		return ""
	}
	return e.Job.String()
}

// idOf reads the key of a job's queue back.
func idOf(key string) job.ID {
	id, err := job.ParseID(key)
	if err != nil { // that of a CommCell itself
		return job.ID{CommCell: key}
	}
	return id
}

func (s *session) queue(key string) *queue {
	q := s.queues[key]
	if q == nil {
		q = &queue{key: key, id: idOf(key), trouble: s.refused[key], parked: s.parked[key]}
		s.queues[key] = q
	}
	return q
}

// enqueue puts an item behind what waits of its job, or of its group.
func (s *session) enqueue(i *item) {
	key := s.key(i.event)
	if i.delivery.Token != "" && i.event.Sequence <= s.doneTo[key] {
		s.settle(i)
		return
	}
	q := s.queue(key)
	if q.parked != nil && !q.parked.leaving {
		q.parked.arrived = max(q.parked.arrived, i.event.Sequence)
		s.settle(i)
		return
	}
	if s.Group != nil && s.intoWindow(q, i) {
		return
	}
	s.append(q, i)
}

func (s *session) append(q *queue, i *item) {
	q.items = append(q.items, i)
	if len(q.items) == 1 {
		s.offer(q)
	}
}

// offer has a queue tried when its turn comes.
func (s *session) offer(q *queue) {
	switch {
	case q.busy || q.blocked > 0 || q.empty():
	case q.trouble != nil:
		s.uneasy[q] = true
	case !q.offered:
		q.offered = true
		s.ready = append(s.ready, q)
	}
}

// settle is done with a delivery, at the broker too.
func (s *session) settle(i *item) {
	delete(s.held, i.event.Sequence)
	s.settled[i.event.Sequence] = true
	s.consumer.Settle(i.delivery)
}

func (s *session) extendAll() {
	for _, i := range s.held {
		s.consumer.Extend(i.delivery)
	}
}

// loop has events delivered until the consumer or the lease is lost, or the relay is turned off.
func (s *session) loop(now *orders, changes <-chan orders) error {
	extending := time.NewTicker(extend)
	defer extending.Stop()
	reporting := time.NewTicker(beat)
	defer reporting.Stop()
	s.redriveThose(now.redrive)
	s.setState(Delivering, "")
	for {
		wake := s.dispatch(time.Now())
		timer := time.NewTimer(wake)
		var err error
		select {
		case a := <-s.arrivals:
			if err = a.err; err == nil {
				err = s.take(a.all)
			}
		case apply := <-s.results:
			apply()
		case <-timer.C:
		case <-extending.C:
			s.extendAll()
		case <-reporting.C:
			err = s.report()
		case *now = <-changes:
			if now.off != nil {
				err = errOff
			}
			s.redriveThose(now.redrive)
		case <-s.ctx.Done():
			err = context.Cause(s.ctx)
		}
		timer.Stop()
		if err == nil {
			err = s.failed
		}
		if err == nil && s.broken != "" {
			err = errBroken
		}
		if err != nil {
			return err
		}
	}
}

// dispatch starts what may be tried now, and says when to come back at the latest.
func (s *session) dispatch(now time.Time) (wake time.Duration) {
	wake = s.closeWindows(now)
	s.relieve()
	if d := s.health.notUntil.Sub(now); d > 0 {
		return min(wake, d)
	}
	if s.busy < s.health.slots && !s.saidAll() {
		return min(wake, writePause)
	}
	for s.busy < s.health.slots {
		q := s.choose(now)
		if q == nil {
			return min(wake, s.earliest(now))
		}
		if s.limit != nil && !s.limit.AllowN(now, 1) {
			s.offer(q)
			return min(wake, time.Duration(float64(time.Second)/s.Rate))
		}
		s.start(q)
	}
	return wake
}

const writePause = 200 * time.Microsecond

// saidAll says whether what was settled has left this process: a kill would repeat it, beside what is under way.
func (s *session) saidAll() bool {
	if s.consumer.Written() {
		return true
	}
	runtime.Gosched() // who writes is to be next
	return s.consumer.Written()
}

// choose takes jobs in no trouble and those in trouble in turn. The latter have a quarter of the slots.
func (s *session) choose(now time.Time) *queue {
	var troubled *queue
	if s.trying < max(1, s.health.most/4) {
		troubled = s.due(now)
	}
	if troubled == nil || !s.fresh {
		if q := s.nextReady(); q != nil {
			s.fresh = true
			return q
		}
	}
	if troubled != nil {
		delete(s.uneasy, troubled)
		s.fresh = false
	}
	return troubled
}

func (s *session) nextReady() *queue {
	for len(s.ready) > 0 {
		q := s.ready[0]
		s.ready = s.ready[1:]
		q.offered = false
		if !q.busy && q.blocked == 0 && !q.empty() && q.trouble == nil {
			return q
		}
	}
	return nil
}

// due is the job in trouble that has waited longest to be tried again.
func (s *session) due(now time.Time) (first *queue) {
	for q := range s.uneasy {
		if !q.busy && q.blocked == 0 && !q.trouble.next.After(now) && (first == nil || q.trouble.next.Before(first.trouble.next)) {
			first = q
		}
	}
	return first
}

func (s *session) earliest(now time.Time) time.Duration {
	wake := time.Second
	for q := range s.uneasy {
		if !q.busy {
			wake = min(wake, max(q.trouble.next.Sub(now), time.Millisecond))
		}
	}
	return wake
}

// aside does something outside of the loop; what it returns is applied within.
func (s *session) aside(do func(ctx context.Context) (apply func())) {
	s.awaited++
	go func() {
		apply := do(s.outside)
		s.results <- func() {
			s.awaited--
			apply()
		}
	}()
}

// work is aside for a queue, of which nothing else is under way meanwhile.
func (s *session) work(q *queue, do func(ctx context.Context) (apply func())) {
	q.busy = true
	s.aside(func(ctx context.Context) func() {
		apply := do(ctx)
		return func() {
			q.busy = false
			apply()
		}
	})
}

// report brings the record and the status up to date.
func (s *session) report() error {
	if err := s.noteFloor(); err != nil {
		return err
	}
	now := time.Now()
	switch {
	case s.health.away(now):
		s.setState(Absent, s.health.reason)
	case s.health.failing.IsZero():
		s.setState(Delivering, s.paused)
	}
	return nil
}
