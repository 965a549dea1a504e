package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"jobwatch/internal/console"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/store"
)

var watchEvery = 2 * time.Second // tests have less time

// watchJobs goes on until ctx ends. A watcher that has gone away meanwhile is waited for: once a line says so.
func watchJobs(ctx context.Context, a selector, q jobQuery, screen console.Screen, clock console.Clock) error {
	show, said := newChanges(screen.Out, clock).show, ""
	if screen.Terminal() {
		show = redraw(screen, clock)
	}
	again := time.NewTicker(watchEvery)
	defer again.Stop()
	for {
		q.EndedSince, _ = sinceWhen(q.since, time.Now()) // checked before
		err := show(func(yield func(store.Listed) error) error { return eachSelected(ctx, a, q, yield) })
		if ctx.Err() != nil {
			return nil
		}
		if silent, ok := errors.AsType[*silence](err); !ok {
			said = ""
		} else if err = nil; said != silent.Error() {
			said = silent.Error()
			now := time.Now()
			_, err = fmt.Fprintf(screen.Out, "%s  %-7s  %s\n", clock.Cell(&now), "silent", printable.Line(said))
		}
		if err != nil {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// jobsNow yields the jobs as they are.
type jobsNow func(yield func(store.Listed) error) error

// redraw draws the list in place: as many jobs as there are lines.
func redraw(screen console.Screen, clock console.Clock) func(jobsNow) error {
	const home, restOfLine, below, clear = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"
	_, _ = io.WriteString(screen.Out, clear)
	return func(each jobsNow) error {
		now := console.ScreenOf(screen.Out) // it may have another size by now
		var first []*store.Listed
		err := each(func(l store.Listed) error {
			if first = append(first, &l); len(first) >= now.Height-2 { // below the head, and above the cursor
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		lines := console.Table(now, console.JobColumns(now, clock, false), first)
		_, err = lipgloss.Fprint(now.Out, home+strings.Join(lines, restOfLine+"\n")+restOfLine+"\n"+below)
		return err
	}
}

// changes prints what differs from the look before.
type changes struct {
	out    io.Writer
	clock  console.Clock
	before map[job.ID]string
	first  bool
}

func newChanges(out io.Writer, clock console.Clock) *changes {
	return &changes{out: out, clock: clock, first: true}
}

func (w *changes) show(each jobsNow) error {
	seen := make(map[job.ID]string, len(w.before))
	err := each(func(l store.Listed) error {
		id := l.ID()
		line := w.line(&l)
		before, known := w.before[id]
		switch seen[id] = line; {
		case !known && w.first:
			return w.print("there", id, line)
		case !known:
			return w.print("new", id, line)
		case before != line:
			return w.print("changed", id, line)
		default:
			return nil
		}
	})
	if err != nil {
		return err
	}
	for id, line := range w.before {
		if _, still := seen[id]; !still {
			if err := w.print("gone", id, line); err != nil {
				return err
			}
		}
	}
	w.before, w.first = seen, false
	return nil
}

// line is what a change is a change of. How long a job takes is none.
func (w *changes) line(l *store.Listed) string {
	s := &l.Snapshot
	done := ""
	if p := console.DoneOf(l); p != nil {
		done = fmt.Sprintf("%.0f%%", *p)
	}
	return fmt.Sprintf("%-24s %-26s %-16s %4s  %-12s %s", dash(string(s.Client)), dash(console.StateOf(l)), dash(string(s.Phase)), dash(done),
		dash(console.FailedOf(s)), dash(console.WhyOf(s)))
}

func (w *changes) print(change string, id job.ID, line string) error {
	now := time.Now()
	_, err := fmt.Fprintf(w.out, "%s  %-7s  %-14s %s\n", w.clock.Cell(&now), change, id, line)
	return err
}

func dash(text string) string {
	if text = printable.Line(text); text == "" {
		return "-"
	}
	return text
}
