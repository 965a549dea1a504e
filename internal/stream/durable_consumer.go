package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Claim makes the durable consumer, or has it become what is asked for, and begins to read through it. A pause that
// somebody has ordered stays. Where it begins cannot be changed: that counts where it has to be made.
//
// The error is a *MisfitError where a consumer of that name is of another kind, ErrNoStream, ErrDisconnected, a
// *RefusedError for want of a right, or what NATS said.
func (b *Broker) Claim(ctx context.Context, d Durable) (Consumer, DurableInfo, error) {
	s, err := b.usable()
	if err != nil {
		return nil, DurableInfo{}, err
	}
	tracked, done := s.track(ctx, s.api("CONSUMER.>"))
	defer done()
	consumer, made, err := s.durable(tracked, b.cfg.Stream, d)
	if err != nil {
		return nil, DurableInfo{}, explainDurable(b.cfg.Stream, d.Name, cause(tracked, err))
	}
	c := &durable{session: s, stream: b.cfg.Stream, name: d.Name, consumer: consumer, broken: make(chan struct{})}
	info := infoOf(consumer.CachedInfo())
	info.Made = made
	c.heed()
	if err := c.pull(min(mostAtOnce(consumer), max(info.Window, 1))); err != nil {
		c.heedNot()
		return nil, DurableInfo{}, explainDurable(b.cfg.Stream, d.Name, cause(tracked, err))
	}
	return c, info, nil
}

// Standing says how a durable consumer stands, to somebody who does not read through it. The errors are those of a
// Consumer's Info.
func (b *Broker) Standing(ctx context.Context, name string) (DurableInfo, error) {
	s, err := b.usable()
	if err != nil {
		return DurableInfo{}, err
	}
	ctx, done := s.track(ctx, s.api("CONSUMER.>"))
	defer done()
	is, err := s.js.Consumer(ctx, b.cfg.Stream, name)
	if err != nil {
		return DurableInfo{}, explainDurable(b.cfg.Stream, name, cause(ctx, err))
	}
	return infoOf(is.CachedInfo()), nil
}

func explainDurable(stream, name string, err error) error {
	err = cause(context.Background(), err)
	switch {
	case errors.Is(err, ErrDisconnected):
		return ErrDisconnected
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return ErrNoStream
	case errors.Is(err, jetstream.ErrConsumerDeleted), errors.Is(err, jetstream.ErrConsumerNotFound):
		return ErrConsumerGone
	case errors.Is(err, jetstream.ErrNotPullConsumer), isCode(err, server.JSConsumerExistingActiveErr):
		return misfit("consumer %s of stream %s is no pull consumer of jobwatch; remove it: nats consumer rm %s %s", name, stream, stream, name)
	case isCode(err, server.JSMaximumConsumersLimitErr):
		return misfit("consumer %s: stream %s allows no more consumers; raise it: %s", name, stream, edit(stream, "--max-consumers=0"))
	}
	return fmt.Errorf("consumer %s of stream %s: %w", name, stream, err)
}

// durable gives the consumer, made or changed where it has to be.
func (s *session) durable(ctx context.Context, stream string, d Durable) (c jetstream.Consumer, made bool, err error) {
	wanted := s.durableConfig(d)
	if d.Anew {
		removing, done := s.track(ctx, s.api("CONSUMER.DELETE."+stream+"."+d.Name))
		defer done()
		if err := s.js.DeleteConsumer(removing, stream, d.Name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, false, cause(removing, err)
		}
		c, err = s.js.CreateConsumer(ctx, stream, wanted) // a cluster may show the old one for a moment yet
		return c, true, err
	}
	c, err = s.js.Consumer(ctx, stream, d.Name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		c, err = s.js.CreateConsumer(ctx, stream, wanted)
		return c, true, err
	}
	if err != nil {
		return nil, false, err
	}
	is := c.CachedInfo().Config
	if is.AckPolicy != jetstream.AckExplicitPolicy {
		return nil, false, jetstream.ErrNotPullConsumer
	}
	if sameDurable(is, wanted) {
		return c, false, nil
	}
	changed := is // also the place where it began, and a pause
	changed.FilterSubject, changed.FilterSubjects = "", wanted.FilterSubjects
	changed.AckWait, changed.MaxAckPending, changed.MaxDeliver = wanted.AckWait, wanted.MaxAckPending, wanted.MaxDeliver
	changed.BackOff, changed.Metadata = nil, wanted.Metadata
	c, err = s.js.UpdateConsumer(ctx, stream, changed)
	return c, false, err
}

func (s *session) durableConfig(d Durable) jetstream.ConsumerConfig {
	c := jetstream.ConsumerConfig{
		Durable:        d.Name,
		FilterSubjects: d.Subjects,
		AckPolicy:      jetstream.AckExplicitPolicy,
		AckWait:        d.AckWait,
		MaxDeliver:     -1, // the server would pass over what it gives up, in silence
		MaxAckPending:  d.Window,
		Metadata:       d.Metadata,
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:    max(d.Start.Sequence, 1),
	}
	switch {
	case d.FromEnd:
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverNewPolicy, 0
	case !d.Start.Since.IsZero():
		c.DeliverPolicy, c.OptStartSeq, c.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &d.Start.Since
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if most := s.limits.MaxAckPending; most > 0 {
		c.MaxAckPending = min(c.MaxAckPending, most)
	}
	return c
}

func sameDurable(is, wanted jetstream.ConsumerConfig) bool {
	for key, value := range wanted.Metadata {
		if is.Metadata[key] != value {
			return false
		}
	}
	return slices.Equal(slices.Sorted(slices.Values(filtersOf(is))), slices.Sorted(slices.Values(wanted.FilterSubjects))) &&
		is.AckWait == wanted.AckWait && is.MaxAckPending == wanted.MaxAckPending && is.MaxDeliver == wanted.MaxDeliver && len(is.BackOff) == 0
}

func filtersOf(c jetstream.ConsumerConfig) []string {
	if c.FilterSubject != "" {
		return []string{c.FilterSubject}
	}
	return c.FilterSubjects
}

func infoOf(is *jetstream.ConsumerInfo) DurableInfo {
	info := DurableInfo{
		Filters:   filtersOf(is.Config),
		Delivered: is.Delivered.Consumer, Stream: is.Delivered.Stream, Floor: is.AckFloor.Stream,
		Unsettled: is.NumAckPending, Pending: is.NumPending, Window: is.Config.MaxAckPending,
	}
	if is.Paused && is.Config.PauseUntil != nil {
		info.PausedUntil = *is.Config.PauseUntil
	}
	return info
}

// durable reads through a claimed consumer.
type durable struct {
	session  *session
	stream   string
	name     string
	consumer jetstream.Consumer
	pulling  jetstream.ConsumeContext
	arrived  chan jetstream.Msg
	broken   chan struct{} // closed when err is set
	heedNot  func()

	mu  sync.Mutex
	err error // why nothing more comes
}

// heed ends the reading when a right is refused to pull or to settle, or when the connection is lost: neither has an
// answer that would say so.
func (c *durable) heed() {
	name := c.stream + "." + c.name
	pulling := c.session.onRefused(c.session.api("CONSUMER.MSG.NEXT."+name), c.fail)
	settling := c.session.onRefused("$JS.ACK."+name+".>", c.fail)
	c.heedNot = func() { pulling(); settling() }
}

// pull has messages come, so many ahead of Next.
func (c *durable) pull(ahead int) (err error) {
	c.arrived = make(chan jetstream.Msg, 2*ahead) // more are never on their way
	c.pulling, err = c.consumer.Consume(
		func(m jetstream.Msg) {
			select {
			case c.arrived <- m:
			case <-c.broken:
				c.returns(m)
			}
		},
		jetstream.PullMaxMessages(ahead),
		jetstream.PullExpiry(10*time.Second), jetstream.PullHeartbeat(3*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			if errors.Is(err, jetstream.ErrConsumerLeadershipChanged) || errors.Is(err, jetstream.ErrServerShutdown) {
				return // it pulls again
			}
			c.fail(err)
		}))
	return err
}

// fail ends the reading. A heartbeat that is missed ends it too: another claim finds out what there is.
func (c *durable) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = explainDurable(c.stream, c.name, err)
		close(c.broken)
	}
}

// whyBroken also finds out whether a consumer that fell silent is still there.
func (c *durable) whyBroken(ctx context.Context) error {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if errors.Is(err, jetstream.ErrNoHeartbeat) || errors.Is(err, nats.ErrNoResponders) {
		if _, gone := c.Info(ctx); errors.Is(gone, ErrConsumerGone) || errors.Is(gone, ErrNoStream) {
			return ErrConsumerGone
		}
	}
	return err
}

func (c *durable) Next(ctx context.Context, most int) ([]Delivery, error) {
	var all []Delivery
	take := func(m jetstream.Msg) error {
		d, err := deliveryOf(m)
		if err == nil {
			all = append(all, d)
		}
		return err
	}
	select {
	case m := <-c.arrived:
		if err := take(m); err != nil {
			return nil, err
		}
	case <-c.broken:
		return nil, c.whyBroken(ctx)
	case <-c.session.lost:
		return nil, ErrDisconnected
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for len(all) < most {
		select {
		case m := <-c.arrived:
			if err := take(m); err != nil {
				return all, err
			}
			continue
		default:
		}
		break
	}
	return all, nil
}

func deliveryOf(m jetstream.Msg) (Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return Delivery{}, err
	}
	return Delivery{
		Message: Message{
			Subject: m.Subject(), ID: m.Headers().Get(jetstream.MsgIDHeader), Sequence: meta.Sequence.Stream, Data: m.Data(),
		},
		Header: m.Headers(), Stored: meta.Timestamp, Behind: meta.NumPending, Number: meta.Sequence.Consumer, Times: meta.NumDelivered, Token: m.Reply(),
	}, nil
}

func (c *durable) Settle(d Delivery) { c.say(d, "+ACK") }
func (c *durable) Extend(d Delivery) { c.say(d, "+WPI") }
func (c *durable) Return(d Delivery) { c.say(d, "-NAK") }

func (c *durable) say(d Delivery, what string) {
	_ = c.session.nc.Publish(d.Token, []byte(what)) // one that is lost is a delivery more
}

func (c *durable) Written() bool {
	waiting, err := c.session.nc.Buffered()
	return err == nil && waiting == 0
}

func (c *durable) Info(ctx context.Context) (DurableInfo, error) {
	ctx, done := c.session.track(ctx, c.session.api("CONSUMER.>"))
	defer done()
	is, err := c.consumer.Info(ctx)
	if err != nil {
		return DurableInfo{}, explainDurable(c.stream, c.name, cause(ctx, err))
	}
	return infoOf(is), nil
}

func (c *durable) Close() {
	c.heedNot()
	c.fail(errClosed) // first: what comes now is returned, and nobody waits for Next to take it
	c.pulling.Drain()
	select {
	case <-c.pulling.Closed():
	case <-c.session.lost:
	}
	for {
		select {
		case m := <-c.arrived:
			c.returns(m)
			continue
		default:
		}
		break
	}
	_ = c.session.nc.Flush()
}

func (c *durable) returns(m jetstream.Msg) { _ = c.session.nc.Publish(m.Reply(), []byte("-NAK")) }

var errClosed = errors.New("closed")
