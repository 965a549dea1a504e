package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

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
		return atDesk(c, false, func(d desk) error {
			v := verification{}
			if v.Verified, err = d.Verify(c.Context()); err != nil {
				return err
			}
			err := atStream(c.Context(), cfg.NATS, "verify", func(ctx context.Context, b *stream.Broker) error {
				return v.compare(ctx, b, d)
			})
			if c.Context().Err() != nil {
				return errors.New("ended before all was read")
			}
			if err != nil {
				v.Stream = "not compared: " + err.Error()
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

// compare reads the store before the stream and after it: beside a watcher, what was acknowledged before must be in the
// stream, and what is in the stream must be known after.
func (v *verification) compare(ctx context.Context, b *stream.Broker, d desk) error {
	before, err := sequences(ctx, d, func(l store.Listed) uint64 { return l.Sent })
	if err != nil {
		return err
	}
	read, err := readTails(ctx, b)
	if err != nil {
		return err
	}
	after, err := sequences(ctx, d, func(l store.Listed) uint64 { return l.Sequence })
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
func sequences(ctx context.Context, d desk, of func(store.Listed) uint64) (map[job.ID]uint64, error) {
	all := map[job.ID]uint64{}
	err := eachJob(ctx, d, func(l store.Listed) error {
		all[l.ID()] = of(l)
		return nil
	})
	return all, err
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
