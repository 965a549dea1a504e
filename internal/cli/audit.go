package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/audit"
)

func newAudit() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify an audit log, prove what it holds, and export it",
		Long: "audit reads the folder of a relay's audit log, also while it is written. It needs no configuration: the verifier\n" +
			"key lies beside the folder and in it, or is given with --key where neither is to be believed.",
		Example: "  watcher audit verify data/audit/trail\n  watcher audit export data/audit/trail -o csv > trail.csv",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newAuditVerify(), newAuditProve(), newAuditExport(), newAuditKey())
	return c
}

func keyFlag(c *cobra.Command) *string {
	key := c.Flags().String("key", "", "the verifier `key` of the log, or a file that holds it")
	completeFlag(c, "key", completeFile)
	return key
}

// keyText is what --key says: keys, or a file of them.
func keyText(key string) (string, error) {
	if key == "" {
		return "", nil
	}
	text, err := os.ReadFile(key)
	if errors.Is(err, fs.ErrNotExist) && strings.Count(key, "+") < 2 {
		return "", fmt.Errorf("--key: %w, and it is no verifier key (name+hash+key), either", err)
	}
	if errors.Is(err, fs.ErrNotExist) || err != nil && len(key) > 200 {
		return key, nil
	}
	return string(text), err
}

// readInput reads a file that is small; -: standard input.
func readInput(in io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(in, 1<<20))
	}
	return os.ReadFile(file)
}

func newAuditExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export DIR",
		Short: "Print the lines of an audit log, as they are or as CSV",
		Long: "export prints what the checkpoint covers. CSV is as of RFC 4180; a text that a spreadsheet would take for a formula\n" +
			"gets a ' in front. It proves nothing: audit verify does.",
		Example: "  watcher audit export data/audit/trail -o csv > trail.csv\n" +
			"  watcher audit export data/audit/trail -o csv --from 2026-11-01 --to 2026-12-01",
		Args: cobra.ExactArgs(1),

		ValidArgsFunction: completeDir,
	}
	form := c.Flags().StringP("output", "o", "jsonl", "jsonl or csv")
	from := c.Flags().String("from", "", "events from this `time` on: 2026-11-30, or 2026-11-30T06:00:00Z")
	to := c.Flags().String("to", "", "events before this `time`")
	completeFlag(c, "output", fixed("jsonl", "csv"))
	c.RunE = func(c *cobra.Command, args []string) error {
		if *form != "jsonl" && *form != "csv" {
			return fmt.Errorf("-o %s: write jsonl or csv", *form)
		}
		var period audit.Period
		var err error
		if period.From, err = parseTime("--from", *from); err != nil {
			return err
		}
		if period.To, err = parseTime("--to", *to); err != nil {
			return err
		}
		return fail(withProgressBeside(c, func(ctx context.Context) error {
			return audit.Export(ctx, args[0], *form == "csv", period, c.OutOrStdout())
		}))
	}
	return c
}

// parseTime reads a day, which is one of UTC, or a moment.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q: write a day as 2026-11-30 (of UTC), or a time as 2026-11-30T06:00:00Z", flag, text)
}

func newAuditKey() *cobra.Command {
	return &cobra.Command{
		Use:   "rekey KEYFILE",
		Short: "Put a new signing key in front of that in a key file, and print its verifier key",
		Long: "rekey adds a key. Once the relay goes on, after a restart, both keys sign; the first checkpoint that both have signed\n" +
			"hands the log over to the new one. Then the old line of the file may be taken out, and the relay restarted.",
		Example: "  watcher audit rekey data/audit/trail.key",
		Args:    cobra.ExactArgs(1),

		ValidArgsFunction: completeFiles(1),
		RunE: func(c *cobra.Command, args []string) error {
			public, err := audit.AddKey(args[0])
			if err != nil {
				return fail(err)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), public)
			return fail(err)
		},
	}
}
