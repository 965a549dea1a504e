package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/stream"
)

// tailed is the part of the stream that tail prints.
type tailed struct {
	since, until string
	last         int // so many of the latest lines first

	start, end time.Time // zero: now; never
	subjects   []string
	wants      func(stream.Message) bool
	show       func(stream.Message) error
	lines      func() func(stream.Message) bool // begins to say which messages show prints a line of
}

func (t *tailed) print(m stream.Message) error {
	if !t.takes(m) {
		return nil
	}
	return t.show(m)
}

func (t *tailed) takes(m stream.Message) bool { return t.wants(m) && !t.isBehind(m) }

func (t *tailed) check(now time.Time) (err error) {
	if t.start, err = timeOf("--since", t.since, now); err != nil {
		return err
	}
	if t.end, err = timeOf("--until", t.until, now); err != nil {
		return err
	}
	switch {
	case t.last < 0:
		return fmt.Errorf("-n %d: wants 0 or more", t.last)
	case t.last > 0 && t.since != "":
		return errors.New("-n and --since: there can be one beginning")
	case t.isPast(now) && t.last == 0 && t.start.IsZero():
		return fmt.Errorf("--until %s: wants --since or -n with it: where to begin", t.until)
	}
	return nil
}

// isPast says that nothing that comes from now on is wanted.
func (t *tailed) isPast(now time.Time) bool { return !t.end.IsZero() && !t.end.After(now) }

func (t *tailed) isBehind(m stream.Message) bool {
	if t.end.IsZero() {
		return false
	}
	e, err := event.Parse(m.Data)
	return err != nil || e.Time.After(t.end)
}

func (t *tailed) printPast(ctx context.Context, b *stream.Broker) error {
	if t.last > 0 {
		_, err := t.printLatest(ctx, b)
		return err
	}
	return b.ReadPart(ctx, stream.Start{Since: t.start, Subjects: t.subjects}, t.print)
}

// printLatest prints the latest events that are wanted, and returns where the stream goes on. How far back they reach is not
// known before: more of the stream is read until they are enough.
func (t *tailed) printLatest(ctx context.Context, b *stream.Broker) (next uint64, err error) {
	is, err := b.Info(ctx)
	if err != nil {
		return 0, err
	}
	for reach := uint64(50 * t.last); ; reach *= 10 {
		from := is.First
		if is.Last > reach {
			from = max(from, is.Last-reach+1)
		}
		latest, err := t.latest(ctx, b, from, is.Last)
		if err != nil {
			return 0, err
		}
		if len(latest) < t.last && from > is.First {
			continue
		}
		for _, m := range latest {
			if err := t.show(m); err != nil {
				return 0, err
			}
		}
		return is.Last + 1, nil
	}
}

// latest are the last of the events that are wanted in a part of the stream.
func (t *tailed) latest(ctx context.Context, b *stream.Broker, from, to uint64) (all []stream.Message, err error) {
	hasLine := t.lines()
	err = b.ReadPart(ctx, stream.Start{Sequence: from, Subjects: t.subjects}, func(m stream.Message) error {
		if m.Sequence > to || !t.takes(m) || !hasLine(m) {
			return nil
		}
		if all = append(all, m); len(all) >= 2*t.last {
			all = append(all[:0], all[len(all)-t.last:]...)
		}
		return nil
	})
	return all[max(len(all)-t.last, 0):], err
}
