package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

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
			"not among them: jobs show counts it.",
		Example: "  watcher jobs history prod/1248\n  watcher jobs history prod/1248 -o json",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeJob,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := job.ParseID(args[0])
		if err != nil {
			return err
		}
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		list := newHistoryTable(c.OutOrStdout())
		if *form == asJSON {
			list = &historyArray{array{out: c.OutOrStdout()}}
		}
		return fail(daemon.AtStream(c.Context(), cfg, "jobs history", func(ctx context.Context, b *stream.Broker) error {
			return history(ctx, b, event.Filter(cfg.NATS.SubjectPrefix, id), id, list)
		}))
	}
	return c
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

type historyTable struct{ table }

func newHistoryTable(out io.Writer) historyList {
	return &historyTable{newTable(out, "SEQUENCE", "TIME", "EVENT", "SEVERITY", "CHANGE")}
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
	what := data.Change.Kind + "." + data.Change.Detail
	t.row(fmt.Sprint(e.Number()), localTime(&e.Time), what, string(data.Severity), console.Words(data.Change.Change))
	return nil
}

// historyArray prints the events as they are published.
type historyArray struct{ array }

func (a *historyArray) add(m stream.Message) error { return a.put(m.Data) }
