package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/stream"
)

// Exit statuses of wait, beside done, failed and wrong.
const (
	partial  = 3
	endedBad = 4
	killed   = 5
	lost     = 6
	tooLate  = 7
)

const untilTerminal = "terminal"

// verdict is the end of a wait: a status of its own, and the line that says why, if that is not 0.
type verdict struct {
	status int
	text   string
}

func (v *verdict) Error() string { return v.text }

func newWait() *cobra.Command {
	var until string
	var timeout time.Duration
	var track bool
	c := &cobra.Command{
		Use:   "wait JOB",
		Short: "Wait for a job to end, or to get into a state; the exit status says how it went",
		Long: "wait reads the stream, as tail does, and prints what the job does until it has ended, or is in the state\n" +
			"asked for. One that nothing was told of yet is waited for. Exit status: 0 succeeded, or in that state;\n" +
			"3 partial, 4 failed, 5 killed, 6 lost, 7 time-out; 1 anything else, 2 wrong usage or configuration.",
		Example: "  watcher wait prod/1248 --timeout 2h && ./restore-test.sh\n" +
			"  watcher wait prod/1248 --track --until running",
		Args: cobra.ExactArgs(1),

		ValidArgsFunction: completeJob,
	}
	c.Flags().StringVar(&until, "until", untilTerminal, "terminal, or the `state` as the subject has it: running, completed_with_errors")
	c.Flags().DurationVar(&timeout, "timeout", 0, "give up after this `time`; 0: never")
	c.Flags().BoolVar(&track, "track", false, "have the watcher look at the job from now on, too")
	completeFlag(c, "until", fixed(append([]string{untilTerminal}, job.Slugs()...)...))
	c.RunE = func(c *cobra.Command, args []string) error {
		w, err := newWaiting(args[0], until, timeout)
		if err != nil {
			return err
		}
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		if track {
			if err := withAdmin(c, true, func(a admin) error { return a.Track(c.Context(), w.id) }); err != nil {
				return err
			}
		}
		ctx, cancel := w.deadline(c.Context(), timeout)
		defer cancel()
		return w.run(ctx, c, cfg)
	}
	return c
}

// waiting is for one job.
type waiting struct {
	id    job.ID
	until string
	print func(stream.Message) error
	now   string // the state that the job was last in, for people
}

var slugForm = regexp.MustCompile(`^[^.*>\s]+$`)

func newWaiting(name, until string, timeout time.Duration) (*waiting, error) {
	id, err := job.ParseID(name)
	switch {
	case err != nil:
		return nil, err
	case timeout < 0:
		return nil, fmt.Errorf("--timeout %v: wants 0 or more; write it like 2h", timeout)
	case !slugForm.MatchString(until) || until != job.Slug(job.Text(until)):
		return nil, fmt.Errorf("--until %q: wants terminal, or a state as in the subjects: %s", until, job.Slug(job.Text(until)))
	}
	return &waiting{id: id, until: until, now: "nothing was told of it yet"}, nil
}

func (w *waiting) deadline(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

func (w *waiting) run(ctx context.Context, c *cobra.Command, cfg *config.Config) error {
	settings, err := daemon.StreamConfig(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return fail(err)
	}
	settings.ReadOnly, settings.Name = true, "jobwatch wait"
	log, _ := newLog(c.ErrOrStderr(), config.Log{Level: "warn", Format: cfg.Log.Format})
	w.print = newEvents(c.OutOrStdout(), false).Print
	prefix := cfg.NATS.SubjectPrefix
	f := follower{settings: settings, log: log, start: stream.Start{Subjects: []string{event.Filter(prefix, w.id)}}, print: w.see}
	f.place = func(ctx context.Context, b *stream.Broker) (uint64, error) { return w.catchUp(ctx, b, prefix) }
	err = f.Run(ctx)
	switch {
	case err == nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &verdict{tooLate, fmt.Sprintf("%s: time is up; %s", w.id, w.now)}
	case err == nil:
		return fail(fmt.Errorf("%s: not waited to the end; %s", w.id, w.now))
	case errors.Is(err, daemon.ErrAway) && cfg.NATS.UsesEmbedded():
		return fail(noWatcherServes(cfg))
	}
	return w.ended(c.OutOrStdout(), err)
}

// ended says how a wait ended. Status 0 is no error.
func (w *waiting) ended(out io.Writer, err error) error {
	var v *verdict
	switch {
	case !errors.As(err, &v):
		return fail(err)
	case v.status == done:
		_, err := fmt.Fprintln(out, printable.Line(v.text))
		return fail(err)
	}
	return v
}

// catchUp judges what was last told of the job, and returns where the stream goes on behind that. What is told after a
// loss is told of a job that is there again.
func (w *waiting) catchUp(ctx context.Context, b *stream.Broker, prefix string) (next uint64, err error) {
	filter := event.Filter(prefix, w.id)
	last, err := b.Last(ctx, filter)
	if errors.Is(err, stream.ErrNone) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	next = last.Sequence + 1
	if strings.HasSuffix(last.Subject, "."+job.KindWatch+"."+job.DetailLost) {
		return next, w.see(last)
	}
	state, err := b.Last(ctx, strings.TrimSuffix(filter, ">")+"*."+job.KindState+".>")
	switch {
	case errors.Is(err, stream.ErrNone):
		return next, nil
	case err != nil:
		return 0, err
	}
	return max(next, state.Sequence+1), w.see(state)
}

// see prints an event of the job, and ends the wait with a verdict where it is what was waited for.
func (w *waiting) see(m stream.Message) error {
	e, err := event.Parse(m.Data)
	if err != nil {
		return nil // another's message on our subjects
	}
	data, err := e.Job()
	if err != nil {
		return nil
	}
	if err := w.print(m); err != nil {
		return err
	}
	return w.judge(data)
}

func (w *waiting) judge(data event.JobData) error {
	switch data.Change.Kind {
	case job.KindWatch:
		if data.Change.Detail == job.DetailLost {
			return &verdict{lost, fmt.Sprintf("%s: lost: the CommServe does not know the job any more", w.id)}
		}
		return nil
	case job.KindState:
	default:
		return nil
	}
	state := &data.Job
	w.now = fmt.Sprintf("it is %q", state.State)
	reached := fmt.Sprintf("%s: %s", w.id, state.State)
	switch {
	case w.until == data.Change.Detail:
		return &verdict{done, reached}
	case !state.Terminal:
		return nil
	}
	if w.until != untilTerminal {
		reached += ", without having been seen in state " + w.until
	}
	return &verdict{statusOf(job.Class(state.StateClass)), reached}
}

func statusOf(class job.Class) int {
	switch class {
	case job.Succeeded:
		return done
	case job.Partial:
		return partial
	case job.Failed:
		return endedBad
	case job.Killed:
		return killed
	default:
		return failed
	}
}
