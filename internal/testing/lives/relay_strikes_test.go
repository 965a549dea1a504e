package lives

import (
	"context"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/relay"
	"jobwatch/internal/testing/modelbroker"
)

// strike lets something happen.
func (w *relayWorld) strike(two []*relayProcess) {
	i := w.below(2)
	p := two[i]
	switch w.below(18) {
	case 0, 12:
		w.say("%s is killed", p.name)
		p.kill()
		two[i] = w.start(p.name)
	case 1:
		w.say("%s stops", p.name)
		p.end()
		two[i] = w.start(p.name)
	case 2:
		w.say("%s is cut off", p.name)
		p.conn.Cut()
		time.Sleep(time.Duration(w.below(20)) * time.Second)
		p.conn.Restore()
	case 3:
		w.say("the server restarts")
		w.stream.Restart()
		for _, p := range two {
			p.conn.Cut()
			p.conn.Restore()
		}
	case 4:
		w.say("the consumer is deleted")
		w.stream.DeleteConsumer("relay-ops")
	case 5:
		w.say("the destination goes, or comes back")
		w.mu.Lock()
		w.away = !w.away
		w.mu.Unlock()
	case 6:
		w.say("the consumer is paused")
		w.stream.PauseConsumer("relay-ops", time.Now().Add(time.Duration(w.below(30))*time.Second))
	case 7:
		stuck := w.below(w.jobs + 1)
		w.say("job %d is refused from now on", stuck)
		w.mu.Lock()
		w.stuck = stuck
		w.mu.Unlock()
		time.Sleep(time.Duration(w.below(60)) * time.Second)
	case 8:
		w.turn(false)
	case 9, 13:
		w.turn(true)
	default:
		for range w.below(40) {
			w.tell(1 + w.below(w.jobs))
		}
	}
}

// turn turns the relay off or on, as a person does who tries until it has worked.
func (w *relayWorld) turn(on bool) {
	w.say("somebody turns the relay on (else off): %v", on)
	conn := w.stream.Connect()
	for {
		_, err := conn.Ready(context.Background())
		if err == nil && on {
			err = relay.TurnOn(context.Background(), conn, "JOBS", "ops")
		} else if err == nil {
			err = relay.TurnOff(context.Background(), conn, "JOBS", "ops", "by hand")
		}
		if err == nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// gate loses a request in fifty, before or after it happens.
func (p *relayProcess) gate(ctx context.Context, c modelbroker.Call) error {
	p.world.mu.Lock()
	often := 50
	if strings.Contains(c.Subject, ".parked.") && c.End {
		often = 3
	}
	lost := !p.world.healed && p.world.random.IntN(often) == 0
	p.world.mu.Unlock()
	if !lost {
		return nil
	}
	p.world.say("%s: %s of %s is lost (end: %v)", p.name, c.Operation, c.Subject, c.End)
	return errLost
}

// Deliver takes time, and now and then is refused, or is done and not answered. A group is taken or refused as one.
func (p *relayProcess) Deliver(ctx context.Context, b relay.Batch) (done int, err error) {
	if b.Group != "" {
		p.world.groupArrives(b)
		if err := p.deliver(ctx, b.Events); err != nil {
			return 0, err
		}
		return len(b.Events), nil
	}
	for i := range b.Events {
		if err := p.deliver(ctx, b.Events[i:i+1]); err != nil {
			return done, err
		}
		done++
	}
	return done, nil
}

func (p *relayProcess) deliver(ctx context.Context, events []*relay.Event) error {
	w := p.world
	w.mu.Lock()
	fate, takes := w.random.IntN(400), time.Duration(w.random.IntN(800))*time.Millisecond
	killed, away, healed := p.killed, w.away, w.healed
	stuck := slices.ContainsFunc(events, func(e *relay.Event) bool { return w.stuck > 0 && w.stuck == int(e.Job.Number) })
	w.mu.Unlock()
	switch {
	case killed:
		<-ctx.Done()
		return ctx.Err()
	case away:
		return &relay.Refusal{Kind: relay.Away, Reason: "no connection"}
	case stuck || fate < 20 && !healed:
		return &relay.Refusal{Kind: relay.Uncertain, Reason: "HTTP 500", Status: 500}
	case fate == 20 && !healed:
		w.say("%s is told that nothing more is wanted", p.name)
		return &relay.Refusal{Kind: relay.Gone, Reason: "HTTP 410", Status: 410}
	}
	for _, e := range events {
		w.arrives(p, e)
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if fate >= 380 && !healed {
		return &relay.Refusal{Kind: relay.Uncertain, Reason: "cut off"}
	}
	return nil
}
