package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/commvault"
	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/record"
)

const inspectLimit = 16 << 20 // bytes, as from a CommServe

func newInspect() *cobra.Command {
	bodies := false
	c := &cobra.Command{
		Use:   "inspect FILE [FILE2] | DIR [JOB]",
		Short: "Show what a saved JobDetails response says, or what lies between two, or what is in a record",
		Long: "inspect reads a saved JobDetails response, JSON or XML (- is standard input), and prints the\n" +
			"normalized snapshot that events carry, with its virtual machines in place of their counts.\n" +
			"With two it prints the transitions from the first to the second. A piece will do: what an SDK\n" +
			"gives of the response (cvpysdk's job.details), the inner elements of XML as the documentation\n" +
			"prints them, one in an array or in a string; in UTF-8 or UTF-16, with curl's head before it.\n\n" +
			"Of a folder that watcher record has made it lists what is in it, or shows what was answered about one job,\n" +
			"and below each answer the transitions that it shows.",
		Example: "  watcher inspect answer.json\n" +
			"  watcher inspect before.xml after.json\n" +
			"  curl … /JobDetails | watcher inspect -\n" +
			"  watcher inspect /tmp/record\n" +
			"  watcher inspect /tmp/record 1248 --bodies",
		Args: cobra.RangeArgs(1, 2),

		ValidArgsFunction: completeFiles(2),

		RunE: func(c *cobra.Command, files []string) error {
			if record.IsRecord(files[0]) {
				return inspectRecord(c.OutOrStdout(), files[0], files[1:], bodies)
			}
			var seen []job.Snapshot
			for _, file := range files {
				snapshot, err := inspect(file, c.InOrStdin())
				if err != nil {
					return err
				}
				seen = append(seen, snapshot)
			}
			out := c.OutOrStdout()
			if len(seen) == 1 {
				return fail(printSnapshot(out, seen[0]))
			}
			if seen[0].Number != seen[1].Number {
				return fail(fmt.Errorf("%s is of job %d, %s of job %d: nothing lies between two jobs; name two answers about one",
					files[0], seen[0].Number, files[1], seen[1].Number))
			}
			return fail(printChanges(out, seen[0], seen[1]))
		},
	}
	c.Flags().BoolVar(&bodies, "bodies", false, "of a record, print each answer about the job")
	return c
}

func inspect(file string, in io.Reader) (job.Snapshot, error) {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return job.Snapshot{}, fail(fmt.Errorf("%s: a folder, and none that watcher record has made; name a saved JobDetails response", file))
	}
	body, err := readResponse(file, in)
	if errors.Is(err, fs.ErrNotExist) {
		return job.Snapshot{}, fmt.Errorf("%s: no such file; name a saved JobDetails response, or - for standard input", file)
	}
	if err != nil {
		return job.Snapshot{}, fail(err)
	}
	snapshot, err := commvault.DecodeSaved("-", body)
	if err != nil {
		return job.Snapshot{}, fail(fmt.Errorf("%s: %w", file, err))
	}
	return snapshot, nil
}

func readResponse(file string, in io.Reader) ([]byte, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, inspectLimit+1))
	if err != nil {
		return nil, err
	}
	if len(body) > inspectLimit {
		return nil, fmt.Errorf("%s: over 16 MiB, which is no JobDetails response", file)
	}
	return body, nil
}

// printSnapshot prints the `job` of an event, with the machines themselves in place of their counts.
func printSnapshot(out io.Writer, s job.Snapshot) error {
	return printJSON(out, struct {
		job.Snapshot
		Counts    *job.VMCount `json:"vms,omitempty"` // hides the snapshot's
		Machines  []job.VM     `json:"machines"`
		Truncated []string     `json:"truncated,omitempty"`
	}{Snapshot: s, Machines: s.Machines, Truncated: s.Truncated})
}

// printChanges prints what a watcher that has told all of the first response would tell of the second.
func printChanges(out io.Writer, before, after job.Snapshot) error {
	told := job.Told{}.TellAll(diff.Since(job.Told{}, &before), &before, time.Time{})
	for _, c := range diff.Since(told, &after) {
		if err := json.NewEncoder(printable.JSON{Out: out}).Encode(c); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(printable.JSON{Out: out})
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
