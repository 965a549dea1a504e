package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"jobwatch/internal/stream"
)

// The lease. No clock of one machine is compared with another's: who waits counts its own readings.
const (
	beat      = 2 * time.Second
	patience  = 4               // readings, a beat apart, that show the same beat of a holder: it is gone
	leaseLife = 6 * time.Second // since the last acknowledged beat was sent; then nothing more is delivered
)

var (
	errLeaseLost = errors.New("another watcher holds the lease of this relay")
	errOff       = errors.New("the relay is off")
	errBroken    = errors.New("the relay stands still")
	errGap       = errors.New("a delivery is missing: it went to somebody else, or was lost on the way")
)

// record is what a relay's key in the bucket holds: who relays, how it goes, and how far it got.
type record struct {
	Instance string    `json:"instance"` // random for each start; empty: given back
	Host     string    `json:"host"`
	Beat     uint64    `json:"beat"`
	State    State     `json:"state"`
	Since    time.Time `json:"since"`
	Reason   string    `json:"reason,omitempty"`
	Alarm    bool      `json:"alarm,omitempty"`

	Born      time.Time  `json:"born"`  // of the stream; zero: it has never run
	Floor     uint64     `json:"floor"` // all up to this sequence of the stream is done with, parked jobs apart
	Positions []position `json:"positions"`

	Pending uint64     `json:"pending"`
	Oldest  *time.Time `json:"oldest"`
	Parked  int        `json:"parked,omitempty"` // jobs
	Missed  uint64     `json:"missed,omitempty"`
}

// lease is held from its first acknowledged beat.
type lease struct {
	relay *Relay

	writing  sync.Mutex
	revision uint64 // guarded by writing

	mu   sync.Mutex
	sent time.Time // when the last acknowledged beat was sent; guarded by mu
}

func (l *lease) valid() bool { return l.left() > 0 }

// left is how long it lasts yet.
func (l *lease) left() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return leaseLife - time.Since(l.sent)
}

// watch ends ctx when the lease has, whatever the beats are waiting for.
func (l *lease) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	for left := l.left(); left > 0; left = l.left() {
		if !pause(ctx, left) {
			return
		}
	}
	cancel(errLeaseLost)
}

// acquire waits until nobody else holds the lease, and takes it.
func (r *Relay) acquire(ctx context.Context) (*lease, error) {
	var seen uint64
	same := 0
	for {
		e, err := r.bucket.Get(ctx, r.Name)
		if err != nil {
			return nil, err
		}
		was, err := readRecord(e)
		if err != nil {
			return nil, r.unreadable(r.Name, err)
		}
		if e.Revision != seen {
			seen, same = e.Revision, 0
		}
		same++
		if was.Instance == "" || was.Instance == r.instance || same > patience {
			l := &lease{relay: r, revision: e.Revision}
			r.mu.Lock()
			r.record = was
			r.mu.Unlock()
			if was.Instance != r.instance && e.Revision != r.written { // another one has relayed meanwhile
				clear(r.refused)
			}
			err := l.write(ctx)
			if err == nil {
				return l, nil
			}
			if !errors.Is(err, errLeaseLost) {
				return nil, err
			}
		}
		r.standby(was, e.Stored)
		if !pause(ctx, beat) {
			return nil, ctx.Err()
		}
	}
}

func readRecord(e stream.Entry) (was record, err error) {
	if e.Value == nil {
		return was, nil
	}
	return was, json.Unmarshal(e.Value, &was)
}

// unreadable is of a key that somebody else has written, at any length.
func (r *Relay) unreadable(key string, err error) error {
	return fmt.Errorf("key %s of bucket %s holds what no relay has written: %.200s; restore or delete it", key, BucketName(r.Stream), err.Error())
}

// write writes the record as it is now, as its holder.
func (l *lease) write(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	r := l.relay
	r.mu.Lock()
	r.record.Instance, r.record.Host = r.instance, r.Host
	r.record.Beat++
	value, err := json.Marshal(r.record)
	r.mu.Unlock()
	if err != nil {
		return err
	}
	return l.put(ctx, value)
}

// put is called with writing held.
func (l *lease) put(ctx context.Context, value []byte) error {
	r := l.relay
	sent := time.Now()
	revision, err := r.bucket.Put(ctx, stream.Entry{Key: r.Name, Value: value, Revision: l.revision})
	if errors.Is(err, stream.ErrChanged) {
		// By ourselves, perhaps: the answer to an earlier beat was lost.
		e, err := r.bucket.Get(ctx, r.Name)
		if err != nil {
			return err
		}
		was, err := readRecord(e)
		if err != nil || was.Instance != r.instance {
			return errLeaseLost
		}
		l.revision = e.Revision
		return l.put(ctx, value)
	}
	if err != nil {
		return err
	}
	l.revision = revision
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = sent
	r.written = revision
	return nil
}

// giveBack lets another take the lease at once.
func (l *lease) giveBack() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.writing.Lock()
	defer l.writing.Unlock()
	r := l.relay
	r.mu.Lock()
	back := r.record
	r.mu.Unlock()
	back.Instance = ""
	if value, err := json.Marshal(back); err == nil {
		_ = l.put(ctx, value) // else it is taken a few beats later
	}
}

// hold relays as long as the lease is held.
func (r *Relay) hold(ctx context.Context, l *lease) error {
	defer l.giveBack()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	orders := make(chan orders, 1)
	first, err := r.readOrders(ctx)
	if err != nil {
		return err
	}
	var beating sync.WaitGroup
	beating.Go(func() { r.beat(ctx, cancel, l) })
	beating.Go(func() { r.heed(ctx, orders) })
	beating.Go(func() { l.watch(ctx, cancel) })
	defer beating.Wait()
	defer cancel(nil)
	for now := first; ; {
		if err := r.untilOn(ctx, &now, orders); err != nil {
			return err
		}
		err := r.session(ctx, l, &now, orders)
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		switch {
		case errors.Is(err, errBroken):
		case !errors.Is(err, errOff):
			return err
		default:
			if now, err = r.readOrders(ctx); err != nil {
				return err
			}
		}
	}
}

// untilOn waits while the relay is off, or stands still.
func (r *Relay) untilOn(ctx context.Context, now *orders, changes <-chan orders) error {
	for now.off != nil || r.broken != "" {
		if now.off != nil {
			r.broken = "" // turned on again, it is tried
			r.setState(Off, now.off.Reason)
		} else {
			r.setState(Off, r.broken)
		}
		r.mu.Lock()
		r.status.Alarm = r.broken != ""
		r.record.Alarm = r.status.Alarm
		r.mu.Unlock()
		r.noteWaiting(ctx)
		select {
		case *now = <-changes:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// beat renews the lease until it is lost. A beat whose answer does not come does not hold up the next one.
func (r *Relay) beat(ctx context.Context, cancel context.CancelCauseFunc, l *lease) {
	beats := time.NewTicker(beat)
	defer beats.Stop()
	for {
		select {
		case <-beats.C:
		case <-ctx.Done():
			return
		}
		short, stop := context.WithTimeout(ctx, beat)
		err := l.write(short)
		stop()
		if errors.Is(err, errLeaseLost) {
			cancel(errLeaseLost)
			return
		}
	}
}

// heed reads what was ordered, and tells what has become of the relay. Either may take its time; the beats do not wait.
func (r *Relay) heed(ctx context.Context, changes chan orders) {
	for pause(ctx, beat) {
		r.tellStates(ctx)
		now, err := r.readOrders(ctx)
		if err != nil {
			continue
		}
		select {
		case <-changes: // the loop has not read the last ones yet
		default:
		}
		changes <- now
	}
}
