package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/audit"
	"jobwatch/internal/config"
	"jobwatch/internal/printable"
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
	return c.Flags().String("key", "", "the verifier `key` of the log, or a file that holds it")
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

func newAuditVerify() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Read every byte of an audit log, and say what was changed; exit status 1 if anything was",
		Long: "verify computes the tree anew from the lines, and holds it against the hashes and all signed checkpoints; it names the\n" +
			"first line that is changed, missing or moved. While the log is written it verifies up to the checkpoint that it finds.\n" +
			"With -c it also asks the stream for the events that the log should have and lacks: then, too, its exit status is 1.",
		Example: "  watcher audit verify data/audit/trail\n" +
			"  watcher audit verify data/audit/trail --since yesterday.checkpoint\n" +
			"  watcher audit verify data/audit/trail -c watcher.yaml",
		Args: cobra.ExactArgs(1),
	}
	form := outputFlag(c)
	key := keyFlag(c)
	since := c.Flags().String("since", "", "a checkpoint of before, in this `file` (-: standard input): does the log of today hold that of then?")
	c.RunE = func(c *cobra.Command, args []string) error {
		var trusted audit.Trusted
		var err error
		if trusted.Keys, err = keyText(*key); err != nil {
			return err
		}
		if *since != "" {
			if trusted.Since, err = readInput(c.InOrStdin(), *since); err != nil {
				return err
			}
		}
		var cfg *config.Config
		if c.Flags().Changed("config") {
			if cfg, err = loadConfig(c); err != nil {
				return err
			}
			if _, err := auditRelay(cfg, args[0]); err != nil {
				return err
			}
		}
		return fail(verifyAudit(c, args[0], trusted, cfg, *form))
	}
	return c
}

// readInput reads a file that is small; -: standard input.
func readInput(in io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(in, 1<<20))
	}
	return os.ReadFile(file)
}

func verifyAudit(c *cobra.Command, dir string, trusted audit.Trusted, cfg *config.Config, form output) error {
	var v auditVerification
	var err error
	if v.Verified, err = audit.Verify(dir, trusted); err != nil {
		return err
	}
	if cfg != nil && len(v.Findings) == 0 {
		if v.Stream, err = compareAudit(c.Context(), cfg, dir); err != nil {
			return err
		}
	}
	if form == asJSON {
		err = printJSON(c.OutOrStdout(), v)
	} else {
		err = v.print(c.OutOrStdout())
	}
	switch {
	case err != nil:
		return err
	case len(v.Findings) > 0:
		return fmt.Errorf("%s: not as it was written: %s", dir, v.Findings[0])
	case v.Stream != nil && v.Stream.Missing > 0:
		return fmt.Errorf("%s: lacks %d events that the stream has", dir, v.Stream.Missing)
	}
	return nil
}

// auditVerification is what verify prints.
type auditVerification struct {
	audit.Verified
	Stream *audit.Comparison `json:"stream,omitempty"`
}

func (v auditVerification) print(out io.Writer) error {
	for _, finding := range v.Findings {
		fmt.Fprintln(out, printable.Line(finding))
	}
	if v.More > 0 {
		fmt.Fprintf(out, "and %d more\n", v.More)
	}
	t := newTable(out)
	if len(v.Findings) == 0 {
		t.row("ok", "every byte is as it was written")
	}
	t.row("log", v.Origin)
	t.row("size", fmt.Sprintf("%d lines", v.Size))
	t.row("root", v.Root)
	t.row("there", fmt.Sprintf("lines %d to %d", v.First, v.Last))
	if v.Removed > 0 {
		t.row("removed", fmt.Sprintf("lines 1 to %d, on purpose (keep), which is signed", v.Removed))
	}
	t.row("last line", utc(v.Time))
	t.row("signed by", v.Key)
	t.row("verifier key", v.Public)
	t.row("trusted", "because "+v.Trust)
	t.row("kept", fmt.Sprintf("%d signed checkpoints", v.Kept))
	if v.Since != nil {
		t.row("since", fmt.Sprintf("the log holds that of the checkpoint of %d lines", *v.Since))
		if len(v.Findings) > 0 {
			t.row("", "unless what is said above says otherwise")
		}
	}
	v.rowsOfStream(t)
	return t.end()
}

func (v auditVerification) rowsOfStream(t table) {
	s := v.Stream
	if s == nil {
		return
	}
	t.row("stream", fmt.Sprintf("%d of its events should be here, and %d are missing; %d are from before the first line", s.Compared, s.Missing, s.Before))
	if s.Behind > 0 {
		t.row("", fmt.Sprintf("%d of the missing come after the last line: the relay may not have got there", s.Behind))
	}
	for _, e := range s.First {
		t.row("missing", fmt.Sprintf("%s, at %d on %s", e.ID, e.Seq, e.Subject))
	}
	if more := s.Missing - len(s.First); more > 0 {
		t.row("missing", fmt.Sprintf("and %d more", more))
	}
}

func utc(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func newAuditProve() *cobra.Command {
	c := &cobra.Command{
		Use:   "prove DIR N",
		Short: "Print a proof that line N is in the log, or check one",
		Long: "prove prints an inclusion proof in the form of https://c2sp.org/tlog-proof, whose index is N-1, and whose extra data is\n" +
			"the line. Who has it and the verifier key needs nothing else of the log: prove --check prints the line that it proves.",
		Example: "  watcher audit prove data/audit/trail 1248 > 1248.tlog-proof\n" +
			"  watcher audit prove --check 1248.tlog-proof --key data/audit/trail.key.pub",
	}
	key := keyFlag(c)
	check := c.Flags().String("check", "", "check the proof in this `file` (-: standard input), by --key, and print its line")
	line := c.Flags().String("line", "", "the line that is proved, in a `file`, where the proof does not hold it")
	c.Args = func(c *cobra.Command, args []string) error {
		if *check != "" {
			return cobra.NoArgs(c, args)
		}
		return cobra.ExactArgs(2)(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if *check != "" {
			return checkProof(c, *check, *key, *line)
		}
		n, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return fmt.Errorf("%q: no number of a line; write one as 1248", args[1])
		}
		proof, err := audit.Prove(args[0], n)
		if err != nil {
			return fail(err)
		}
		_, err = c.OutOrStdout().Write(proof)
		return fail(err)
	}
	return c
}

func checkProof(c *cobra.Command, file, key, lineFile string) error {
	keys, err := keyText(key)
	if err != nil {
		return err
	}
	if keys == "" {
		return errors.New("--check: wants --key, the verifier key of the log: without it a proof proves nothing")
	}
	proof, err := readInput(c.InOrStdin(), file)
	if err != nil {
		return err
	}
	var line []byte
	if lineFile != "" {
		if line, err = os.ReadFile(lineFile); err != nil {
			return err
		}
		line = trimNewline(line)
	}
	p, err := audit.CheckProof(proof, keys, line)
	if err != nil {
		return fail(fmt.Errorf("%s: %w", file, err))
	}
	_, err = fmt.Fprintf(printable.JSON{Out: c.OutOrStdout()}, "%s\n", p.Line)
	if err == nil {
		_, err = fmt.Fprintf(c.ErrOrStderr(), "proved: line %d of %s, of whose %d lines %v has signed the root\n", p.N, printable.Line(p.Origin), p.Size, p.By)
	}
	return fail(err)
}

func trimNewline(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		return line[:n-1]
	}
	return line
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
	}
	form := c.Flags().StringP("output", "o", "jsonl", "jsonl or csv")
	from := c.Flags().String("from", "", "events from this `time` on: 2026-11-30, or 2026-11-30T06:00:00Z")
	to := c.Flags().String("to", "", "events before this `time`")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"jsonl", "csv"}, cobra.ShellCompDirectiveNoFileComp))
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
		return fail(audit.Export(args[0], *form == "csv", period, c.OutOrStdout()))
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
