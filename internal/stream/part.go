package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ReadPart gives yield what start names of the stream, in order, until what was there when it began has been read.
// An error of yield ends it and is returned; else the errors are those of Last. A lost connection ends it.
func (b *Broker) ReadPart(ctx context.Context, start Start, yield func(Message) error) error {
	info, err := b.Info(ctx)
	if err != nil {
		return err
	}
	return b.ReadUpTo(ctx, start, info.Last, yield)
}

// partPatience is how many waits in a row for a message that is there are endured: a server under load takes its time.
const partPatience = 15 * scanPatience

// ReadUpTo is ReadPart, up to a sequence of the stream, which is included.
func (b *Broker) ReadUpTo(ctx context.Context, start Start, to uint64, yield func(Message) error) error {
	r, err := b.openReader(ctx, start)
	if err != nil {
		return err
	}
	defer r.close()
	yield = telling(ctx, to, yield)
	fromTime := !start.Since.IsZero()
	for idle := 0; ; {
		if !fromTime && r.delivered >= r.due { // its consumer may sit on a replica that lags
			if left, err := b.anyLeft(ctx, r.read+1, to, start.Subjects...); err != nil || !left {
				return err
			}
		}
		m, err := r.next(jetstream.NextMaxWait(scanIdle))
		if errors.Is(err, nats.ErrTimeout) {
			if fromTime {
				if left, err := r.left(); err != nil || !left {
					return err
				}
			} else if idle++; idle > partPatience {
				return r.explain(errSilent)
			}
			r.due = r.delivered // what was due may have been deleted
			continue
		}
		if err != nil {
			return err
		}
		idle = 0
		if m.Sequence > to {
			return nil
		}
		if err := yield(m); err != nil {
			return err
		}
		if m.Sequence == to {
			return nil
		}
	}
}

// left asks whether a message is still to come of what the stream holds now.
func (r *reader) left() (bool, error) {
	ctx, done := r.session.track(r.ctx, r.session.api("CONSUMER.>"))
	defer done()
	consumer, err := r.session.js.Consumer(ctx, r.stream, r.consumer)
	if err != nil {
		return false, fmt.Errorf("read stream %s: %w", r.stream, cause(ctx, err))
	}
	is := consumer.CachedInfo()
	return is.NumPending > 0 || is.Delivered.Consumer > r.delivered, nil
}

// Send publishes a message to whoever listens, and waits until the server has it. That nobody listens is no error; nor is
// a stream that stores it.
func (b *Broker) Send(ctx context.Context, subject string, header map[string][]string, data []byte) error {
	s, err := b.usable()
	if err != nil {
		return err
	}
	ctx, done := s.track(ctx, subject)
	defer done()
	if err := s.nc.PublishMsg(&nats.Msg{Subject: subject, Header: header, Data: data}); err != nil {
		return fmt.Errorf("publish to %s: %w", subject, cause(ctx, err))
	}
	if err := s.nc.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("publish to %s: %w", subject, cause(ctx, err))
	}
	return s.refusedPublish(subject)
}

// refusedPublish says whether the last right that the server has refused was to publish to the subject.
func (s *session) refusedPublish(subject string) error {
	err := s.nc.LastError()
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	if action, refused := refusedRight(err.Error()); action == "Publish" && refused == subject {
		return permissionError("publish to", subject)
	}
	return nil
}

// CanSendTo says whether the text is one subject, without wildcards.
func CanSendTo(subject string) bool { return carriable(subject) }

// IsFilter says whether the text is a subject, wildcards included.
func IsFilter(text string) bool {
	return len(text) <= 3900 && server.IsValidSubject(text) && !strings.ContainsAny(text, " \t\r\n\f")
}

// Widest leaves out the filters that lie within another: NATS refuses those of one consumer.
func Widest(filters []string) []string {
	var widest []string
	for i, filter := range filters {
		within := false
		for j, other := range filters {
			within = within || i != j && server.SubjectMatchesFilter(filter, other) && (filter != other || j < i)
		}
		if !within {
			widest = append(widest, filter)
		}
	}
	return widest
}
