package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/stream"
)

const untilTerminal = "terminal"

func newWait() *cobra.Command {
	var until string
	var timeout time.Duration
	var track bool
	c := &cobra.Command{
		Use:   "wait JOB",
		Short: "Wait until a job ends, and say how by the exit status",
		Long: "wait reads the stream until it tells that the job has ended, or is in a state, and prints the job's last\n" +
			"state. A job that the stream does not know yet is waited for. What the stream has told last counts, also\n" +
			"where that was long ago. It needs NATS, where the embedded server serves it a running watcher.\n\n" +
			"Exit status: 0 succeeded, or in the state of --until; 3 partial, 4 failed, 5 killed, 6 lost: the CommServe\n" +
			"does not know the job any more; 7 none of that within --timeout; 1 anything else, an end in a state that\n" +
			"jobwatch does not know included; 2 a wrong command line or configuration.",
		Example: "  watcher wait prod/1248\n" +
			"  watcher wait prod/1248 --track --timeout 2h && restore.sh\n" +
			"  watcher wait prod/1248 --until running --timeout 10m",
		Args: cobra.ExactArgs(1),

		ValidArgsFunction: completeJob,
	}
	form := outputFlag(c)
	c.Flags().StringVar(&until, "until", untilTerminal, "what to wait for: terminal, the end, or a `state` as subjects name it")
	c.Flags().DurationVar(&timeout, "timeout", 0, "wait no longer than this; 0 is for ever")
	c.Flags().BoolVar(&track, "track", false, "have the watcher on this machine look at the job now, until its end")
	_ = c.RegisterFlagCompletionFunc("until", cobra.FixedCompletions(append([]string{untilTerminal}, job.Slugs()...), cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := job.ParseID(args[0])
		if err != nil {
			return err
		}
		if slug := job.Slug(job.Text(until)); slug != until {
			return fmt.Errorf("--until %s: no state as subjects name it; try %s", until, slug)
		}
		if timeout < 0 {
			return fmt.Errorf("--timeout %s: must not be negative", timeout)
		}
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		if track {
			if err := withAdmin(c, true, func(a admin) error { return a.Track(c.Context(), id) }); err != nil {
				return err
			}
		}
		w := &waiting{job: id, filter: event.Filter(cfg.NATS.SubjectPrefix, id), until: until}
		if err := w.run(c.Context(), cfg, timeout, c.ErrOrStderr()); err != nil {
			return err
		}
		return w.end(c.OutOrStdout(), *form)
	}
	return c
}

// waiting is for one job.
type waiting struct {
	job    job.ID
	filter string // of its subjects
	until  string

	last *stream.Message // that was read of it
	data event.JobData   // of that
}

var errReached = errors.New("there is no more to wait for")

// run reads until there is no more to wait for. An *ending says that the time is over.
func (w *waiting) run(ctx context.Context, cfg *config.Config, timeout time.Duration, errs io.Writer) error {
	log, _ := newLog(errs, config.Log{Level: "warn", Format: cfg.Log.Format})
	settings, err := daemon.StreamConfig(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return fail(err)
	}
	settings.ReadOnly, settings.Name = true, "jobwatch wait"
	limited := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	f := follower{settings: settings, log: log, begins: w.begin, print: w.read}
	err = f.Run(limited)
	switch {
	case errors.Is(err, errReached):
		return nil
	case ctx.Err() != nil:
		return fail(errors.New("interrupted"))
	case limited.Err() != nil:
		return &ending{timedOut, fmt.Sprintf("%s: not within %s; %s", w.job, timeout, w.seen())}
	case errors.Is(err, daemon.ErrAway) && cfg.NATS.UsesEmbedded():
		return fail(noWatcher(cfg))
	}
	return fail(err)
}

// begin looks at what the stream has told last of the job, and finds the place behind it.
func (w *waiting) begin(ctx context.Context, broker *stream.Broker) (stream.Start, error) {
	info, err := broker.Info(ctx)
	if err != nil {
		return stream.Start{}, err
	}
	from := stream.Start{Sequence: info.Last + 1, Subjects: []string{w.filter}}
	last, err := broker.Last(ctx, w.filter)
	if errors.Is(err, stream.ErrNone) {
		return from, nil
	}
	if err == nil {
		from.Sequence = max(from.Sequence, last.Sequence+1)
		err = w.read(last)
	}
	return from, err
}

// read takes note of an event. Its error says that there is no more to wait for.
func (w *waiting) read(m stream.Message) error {
	e, err := event.Parse(m.Data)
	if err != nil {
		return nil // another's message on our subjects
	}
	data, err := e.Job()
	if err != nil {
		return nil
	}
	w.last, w.data = &m, data
	if w.isReached() || w.isLost() || data.Job.Terminal {
		return errReached
	}
	return nil
}

func (w *waiting) isReached() bool {
	return w.data.Job.State != "" && job.Slug(w.data.Job.State) == w.until
}

func (w *waiting) isLost() bool {
	return w.data.Change.Kind == job.KindWatch && w.data.Change.Detail == job.DetailLost
}

// end prints the last of the job, and says by the status how it ended.
func (w *waiting) end(out io.Writer, form output) error {
	text := fmt.Sprintf("%s: %s\n", w.job, w.seen())
	if form == asJSON {
		text = string(w.last.Data) + "\n"
	}
	if _, err := io.WriteString(printable.JSON{Out: out}, text); err != nil {
		return fail(err)
	}
	switch status := w.status(); status {
	case done:
		return nil
	case failed:
		return &ending{status, fmt.Sprintf("%s: ended in a state that jobwatch does not know", w.job)}
	default:
		return &ending{status: status}
	}
}

// seen says in one line what was last told of the job.
func (w *waiting) seen() string {
	switch {
	case w.last == nil:
		return "the stream has told nothing of it"
	case w.isLost():
		return "lost, last seen as " + printable.Line(string(w.data.Job.State))
	case w.data.Job.State == "":
		return "no state"
	}
	return printable.Line(string(w.data.Job.State))
}

func (w *waiting) status() int {
	switch {
	case w.isLost() && !w.isReached():
		return wasLost
	case w.isReached():
		return done
	}
	switch job.Class(w.data.Job.StateClass) {
	case job.Succeeded:
		return done
	case job.Partial:
		return wasPartial
	case job.Failed:
		return wasFailed
	case job.Killed:
		return wasKilled
	default:
		return failed
	}
}
