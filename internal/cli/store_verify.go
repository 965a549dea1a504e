package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

func newStoreVerify() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Look for damage in the store, and compare it with the stream",
		Long: "verify reads all that the store holds, from a copy that it makes beside the file for as long as it looks,\n" +
			"and where NATS answers the whole stream: are a job's events there and here without a gap? It changes\n" +
			"nothing, and says what to do about each thing that it finds. Then its exit status is 1.",
		Example: "  watcher store verify\n  watcher store verify -o json",
		Args:    cobra.NoArgs,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		return withAdmin(c, false, func(a admin) error {
			v := verification{}
			if err := withProgress(c, func(ctx context.Context) error { return v.run(ctx, cfg, a) }); err != nil {
				return err
			}
			return v.print(c.OutOrStdout(), *form)
		})
	}
	return c
}

// verification is what verify prints.
type verification struct {
	store.Verified
	Stream string `json:"stream"` // how the store and the stream go together
}

func (v *verification) run(ctx context.Context, cfg *config.Config, a admin) (err error) {
	if v.Verified, err = a.Verify(ctx); err != nil {
		return err
	}
	err = daemon.AtStream(ctx, cfg, "verify", func(ctx context.Context, b *stream.Broker) error {
		return v.compare(ctx, b, a)
	})
	if ctx.Err() != nil {
		return errors.New("ended before all was read")
	}
	if err != nil {
		v.Stream = "not compared: " + err.Error()
	}
	return nil
}

// compare reads the store before the stream and after it: beside a watcher, what was acknowledged before must be in the
// stream, and what is in the stream must be known after.
func (v *verification) compare(ctx context.Context, b *stream.Broker, a admin) error {
	before, err := sequences(ctx, a, func(l store.Listed) uint64 { return l.Sent })
	if err != nil {
		return err
	}
	read, err := readTails(ctx, b)
	if err != nil {
		return err
	}
	after, err := sequences(ctx, a, func(l store.Listed) uint64 { return l.Sequence })
	forgotten, gone := read.forgotten(before)
	v.Findings = append(v.Findings, read.gaps...)
	v.Findings = append(v.Findings, forgotten...)
	v.Stream = fmt.Sprintf("%d events of %d jobs", read.events, read.jobs())
	if behind := read.beyond(after); behind > 0 {
		v.Stream += fmt.Sprintf("; it tells more of %d jobs than the store knows, which a watcher reads at its start", behind)
	}
	if gone > 0 {
		v.Stream += fmt.Sprintf("; it holds nothing more of %d jobs that were told", gone)
	}
	return err
}

// sequences reads one of each job.
func sequences(ctx context.Context, a admin, of func(store.Listed) uint64) (map[job.ID]uint64, error) {
	all := map[job.ID]uint64{}
	err := eachJob(ctx, a, func(l store.Listed) error {
		all[l.ID()] = of(l)
		return nil
	})
	return all, err
}

// eachJob yields all jobs that are known, until yield has an error.
func eachJob(ctx context.Context, a admin, yield func(store.Listed) error) error {
	const atOnce = 1000
	for after := (job.ID{}); ; {
		page, err := a.Jobs(ctx, after, atOnce)
		if err != nil {
			return err
		}
		for _, l := range page {
			after = l.ID()
			if err := yield(l); err != nil {
				return err
			}
		}
		if len(page) < atOnce {
			return nil
		}
	}
}

func (v *verification) print(out io.Writer, form output) error {
	if form == asJSON {
		if err := printJSON(out, v); err != nil {
			return err
		}
	} else {
		v.printLines(out)
	}
	if n := len(v.Findings) + v.More; n > 0 {
		return fmt.Errorf("%s: not as it should be, see above", v.Path)
	}
	return nil
}

func (v *verification) printLines(out io.Writer) {
	for _, finding := range v.Findings {
		fmt.Fprintln(out, printable.Line(finding))
	}
	if v.More > 0 {
		fmt.Fprintf(out, "and %d more\n", v.More)
	}
	if len(v.Findings) == 0 {
		fmt.Fprintf(out, "ok: %s: %d jobs, %d unsent events\n", v.Path, v.Jobs, v.Unsent)
	}
	fmt.Fprintf(out, "stream: %s\n", printable.Line(v.Stream))
}

// tails is how far each job's events reach in the stream, and where one follows another that is not the one before it.
type tails struct {
	last   map[job.ID]uint64
	events int
	gaps   []string
}

func readTails(ctx context.Context, b *stream.Broker) (tails, error) {
	read := tails{last: map[job.ID]uint64{}}
	_, err := b.Scan(ctx, 1, func(m stream.Message) error {
		read.add(m)
		return nil
	})
	return read, err
}

const mostGaps = 100

// add passes over what is no event. The first that is left of a job may have any number: streams forget.
func (r *tails) add(m stream.Message) {
	e, err := event.Parse(m.Data)
	if err != nil {
		return
	}
	id, err := e.JobID()
	if err != nil {
		return
	}
	r.events++
	last, seen := r.last[id]
	if seen && e.Number() != last+1 && len(r.gaps) < mostGaps {
		r.gaps = append(r.gaps, fmt.Sprintf("%s: event %d is followed by %d in the stream (at %d); how the job stands says: watcher jobs show %s",
			id, last, e.Number(), m.Sequence, id))
	}
	r.last[id] = e.Number()
}

func (r *tails) jobs() int {
	n := 0
	for id := range r.last {
		if !id.IsCommCell() {
			n++
		}
	}
	return n
}

// forgotten are the jobs whose events end before the one that was acknowledged; gone counts those of which no event is
// left, which may have aged.
func (r *tails) forgotten(acknowledged map[job.ID]uint64) (findings []string, gone int) {
	for _, id := range slices.SortedFunc(maps.Keys(acknowledged), job.Compare) {
		last, held := r.last[id]
		switch {
		case acknowledged[id] == 0 || held && last >= acknowledged[id]:
		case !held:
			gone++
		case len(findings) < mostGaps:
			findings = append(findings, fmt.Sprintf("%s: the stream ends at event %d, and event %d was acknowledged; restart the watcher, which sends again what it has kept",
				id, last, acknowledged[id]))
		}
	}
	return findings, gone
}

// beyond counts the jobs of which the stream tells more than is known.
func (r *tails) beyond(known map[job.ID]uint64) (jobs int) {
	for id, last := range r.last {
		if !id.IsCommCell() && known[id] < last {
			jobs++
		}
	}
	return jobs
}
