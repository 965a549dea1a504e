package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"

	"jobwatch/internal/console"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

func newJobsHistory() *cobra.Command {
	c := &cobra.Command{
		Use:   "history JOB",
		Short: "Print what the stream has told of a job",
		Long: "history reads the events of a job from the stream, from the first that it still holds. Of the embedded\n" +
			"server it reads them with or without a running watcher; any other must answer. What waits to be sent is\n" +
			"not among them: jobs show counts it.\n\n" +
			"On a terminal the job's course is drawn behind them: what was true when, each change between the two polls that\n" +
			"it lies between, and nothing where the CommServe gave no answer.",
		Example: "  watcher jobs history prod/1248\n  watcher jobs history prod/1248 -o json",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeJob,
	}
	form := outputFlag(c)
	utc := utcFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := job.ParseID(args[0])
		if err != nil {
			return err
		}
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		screen, clock := screenOf(c, *utc)
		if *form == asJSON {
			list := &historyArray{array{out: c.OutOrStdout()}}
			return fail(daemon.AtStream(c.Context(), cfg, "jobs history", func(ctx context.Context, b *stream.Broker) error {
				return history(ctx, b, event.Filter(cfg.NATS.SubjectPrefix, id), id, list)
			}))
		}
		list := &historyTable{Grid: console.NewGrid(screen, historyColumns(clock)), course: console.NewCourse()}
		err = daemon.AtStream(c.Context(), cfg, "jobs history", func(ctx context.Context, b *stream.Broker) error {
			err := history(ctx, b, event.Filter(cfg.NATS.SubjectPrefix, id), id, list)
			if err != nil || !screen.Terminal() {
				return err
			}
			return list.addSilence(ctx, b, cfg.NATS.SubjectPrefix, id.CommCell)
		})
		if err != nil || !screen.Terminal() {
			return fail(err)
		}
		list.course.Until(lastAnswer(c, id), time.Now())
		_, err = lipgloss.Fprintln(screen.Out, "\n"+strings.Join(list.course.Draw(screen, clock), "\n"))
		return fail(err)
	}
	return c
}

// lastAnswer is when the CommServe last answered about a job, as far as a watcher or the store knows.
func lastAnswer(c *cobra.Command, id job.ID) (at time.Time) {
	_ = withAdmin(c, false, func(a admin) error {
		l, err := a.Job(c.Context(), id)
		at = console.LastAnswer(&l)
		return err
	})
	return at
}

// historyList is a way to print events.
type historyList interface {
	add(m stream.Message) error
	end() error
}

func history(ctx context.Context, b *stream.Broker, filter string, id job.ID, list historyList) error {
	some := false
	err := b.Each(ctx, filter, 0, func(m stream.Message) error {
		if _, err := event.Parse(m.Data); err != nil {
			return nil // another's message on our subjects
		}
		some = true
		return list.add(m)
	})
	if err == nil && !some {
		return fmt.Errorf("%s: the stream holds no event of this job; list the jobs that are known with: watcher jobs list", id)
	}
	return errors.Join(err, list.end())
}

// historyTable prints events, and keeps the course that they tell of.
type historyTable struct {
	*console.Grid[toldEvent]
	course *console.Course
}

type toldEvent struct {
	event.Event
	event.JobData
}

func historyColumns(clock console.Clock) []console.Column[toldEvent] {
	return []console.Column[toldEvent]{
		{Name: "SEQUENCE", Text: func(e toldEvent) string { return fmt.Sprint(e.Number()) }},
		{Name: clock.Head("TIME"), Text: func(e toldEvent) string { return clock.Cell(&e.Time) }},
		{Name: "EVENT", Text: func(e toldEvent) string { return e.Change.Kind + "." + e.Change.Detail }},
		{Name: "SEVERITY", Text: func(e toldEvent) string { return string(e.Severity) }},
		{Name: "CHANGE", Text: func(e toldEvent) string { return console.Words(e.Change.Change) }},
	}
}

func (t *historyTable) add(m stream.Message) error {
	e, err := event.Parse(m.Data)
	if err != nil {
		return err
	}
	data, err := e.Job()
	if err != nil {
		return err
	}
	t.course.Tell(data)
	return t.Add(toldEvent{e, data})
}

func (t *historyTable) end() error { return t.End() }

// addSilence reads when the CommServe did not answer.
func (t *historyTable) addSilence(ctx context.Context, b *stream.Broker, prefix, commCell string) error {
	subjects := []string{event.Filter(prefix, job.ID{CommCell: commCell})}
	return b.ReadPart(ctx, stream.Start{Subjects: subjects}, func(m stream.Message) error {
		e, err := event.Parse(m.Data)
		if err != nil {
			return nil // another's message on our subjects
		}
		if data, err := e.CommCell(); err == nil {
			t.course.Silent(data.ObservedAt, data.Detail == job.DetailUnreachable)
		}
		return nil
	})
}

// historyArray prints the events as they are published.
type historyArray struct{ array }

func (a *historyArray) add(m stream.Message) error { return a.put(m.Data) }
