package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"jobwatch/internal/audit"
	"jobwatch/internal/config"
	"jobwatch/internal/daemon"
	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
)

func newAudit() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Verify an audit log, prove what it holds, and export it",
		Long: "audit reads the folder of a relay's audit log, also while it is written. It needs no configuration: the public\n" +
			"key is in the folder, or given with --key where the folder is not to be believed.",
		Example: "  watcher audit verify data/audit/trail\n  watcher audit export data/audit/trail -o csv > trail.csv",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newAuditVerify(), newAuditProve(), newAuditExport())
	return c
}

func keyFlag(c *cobra.Command) *string {
	return c.Flags().String("key", "", "the public `key` to check with; default: that of DIR.key, else of DIR/public-key")
}

func newAuditVerify() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify DIR",
		Short: "Read every byte of an audit log, and say what was changed; exit status 1 if anything was",
		Long: "verify computes the tree anew from the lines, and holds it against the hashes and the signed checkpoints. With -c\n" +
			"it also asks the stream for the events that the log should have, and lacks.",
		Example: "  watcher audit verify data/audit/trail\n" +
			"  watcher audit verify data/audit/trail --since yesterday.checkpoint\n" +
			"  watcher audit verify data/audit/trail -c watcher.yaml",
		Args: cobra.ExactArgs(1),
	}
	form := outputFlag(c)
	key := keyFlag(c)
	since := c.Flags().String("since", "", "a checkpoint from elsewhere, in this `file`: does the log of today hold that of then?")
	c.RunE = func(c *cobra.Command, args []string) error {
		v := audit.Verification{Dir: args[0], Key: *key}
		var err error
		if *since != "" {
			if v.Since, err = readCheckpointFile(c.InOrStdin(), *since); err != nil {
				return err
			}
		}
		var cfg *config.Config
		if c.Flags().Changed("config") {
			if cfg, err = loadConfig(c); err != nil {
				return err
			}
		}
		return verifyAudit(c, v, cfg, *form)
	}
	return c
}

func readCheckpointFile(in io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(in)
	}
	return os.ReadFile(file)
}

func verifyAudit(c *cobra.Command, v audit.Verification, cfg *config.Config, form output) error {
	held := map[string]bool{}
	if cfg != nil {
		v.Visit = func(_ uint64, id string) { held[id] = true }
	}
	r, err := audit.Verify(v)
	if err != nil {
		return fail(err)
	}
	found := auditFound{Report: r, Missing: []string{}}
	if cfg != nil && len(r.Problems) == 0 {
		if found.Missing, err = missingEvents(c.Context(), cfg, r, held); err != nil {
			return err
		}
	}
	if form == asJSON {
		err = printJSON(c.OutOrStdout(), found)
	} else {
		err = found.print(c.OutOrStdout(), cfg != nil)
	}
	switch {
	case err != nil:
		return fail(err)
	case len(r.Problems) > 0:
		return fail(fmt.Errorf("%s: not as it was written: %s", r.Dir, r.Problems[0]))
	case len(found.Missing) > 0:
		return fail(fmt.Errorf("%s lacks %d events that the stream has, the first is %s", r.Dir, len(found.Missing), found.Missing[0]))
	}
	return nil
}

// auditFound is what a verification prints.
type auditFound struct {
	audit.Report
	Missing []string `json:"missing"` // ids of events of the stream that the log lacks
}

func (f auditFound) print(out io.Writer, asked bool) error {
	t := newTable(out)
	t.row("lines", strconv.FormatInt(f.Size, 10))
	t.row("first", strconv.FormatInt(f.First, 10))
	t.row("files", strconv.Itoa(f.Files))
	t.row("stream", fmt.Sprintf("%d to %d", f.FirstSeq, f.LastSeq))
	t.row("root", f.Root)
	t.row("public key", f.Key)
	if f.Since > 0 {
		t.row("since", fmt.Sprintf("the checkpoint of %d lines", f.Since))
	}
	for _, problem := range f.Problems {
		t.row("CHANGED", problem)
	}
	for n, id := range f.Missing {
		if n == 20 {
			t.row("missing", fmt.Sprintf("and %d more", len(f.Missing)-n))
			break
		}
		t.row("missing", id)
	}
	switch {
	case len(f.Problems) > 0, len(f.Missing) > 0:
	case asked:
		t.row("verdict", "every byte is as it was written, and nothing of the stream is missing")
	default:
		t.row("verdict", "every byte is as it was written")
	}
	return t.end()
}

// missingEvents asks the stream for what the log should have, from its own first event on.
func missingEvents(ctx context.Context, cfg *config.Config, r audit.Report, held map[string]bool) ([]string, error) {
	missing := []string{}
	c, found := auditRelay(cfg, r.Dir)
	if !found {
		return nil, fmt.Errorf("no relay of the configuration has %s as its audit.dir", r.Dir)
	}
	err := daemon.AtStream(ctx, cfg, "audit verify", func(ctx context.Context, b *stream.Broker) error {
		return relay.EachTaken(ctx, b, daemon.RelayConfig(c, cfg.NATS), r.FirstSeq, func(e *relay.Event) error {
			if !held[e.ID] {
				missing = append(missing, e.ID)
			}
			return nil
		})
	})
	return missing, fail(err)
}

func auditRelay(cfg *config.Config, dir string) (config.Relay, bool) {
	whole, err := filepath.Abs(dir)
	for _, r := range cfg.Relays {
		if err == nil && r.Audit != nil && filepath.Clean(r.Audit.Dir) == whole {
			return r, true
		}
	}
	return config.Relay{}, false
}

func newAuditProve() *cobra.Command {
	c := &cobra.Command{
		Use:   "prove DIR N",
		Short: "Print a proof that line N is in the log",
		Long: "prove prints an inclusion proof in the form of c2sp.org/tlog-proof. Whoever has it, the line and the public key needs\n" +
			"nothing else of the log; --check FILE does that with the line on standard input.",
		Example: "  watcher audit prove data/audit/trail 1248 > 1248.proof\n" +
			"  watcher audit export data/audit/trail | sed -n 1248p | watcher audit prove data/audit/trail 1248 --check 1248.proof",
		Args: cobra.ExactArgs(2),
	}
	key := keyFlag(c)
	check := c.Flags().String("check", "", "check the proof in this `file` for the line on standard input, and print nothing else")
	c.RunE = func(c *cobra.Command, args []string) error {
		n, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return fmt.Errorf("%q: no number of a line; write one as 1248", args[1])
		}
		if *check != "" {
			return checkProof(c, args[0], *key, *check)
		}
		proof, err := audit.Prove(args[0], *key, n)
		if err != nil {
			return fail(err)
		}
		_, err = fmt.Fprint(c.OutOrStdout(), proof)
		return fail(err)
	}
	return c
}

func checkProof(c *cobra.Command, dir, key, file string) error {
	proof, err := os.ReadFile(file)
	if err != nil {
		return fail(err)
	}
	line, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 1<<20))
	if err != nil {
		return fail(err)
	}
	if err := audit.CheckProof(dir, key, string(proof), line); err != nil {
		return fail(fmt.Errorf("%s: %w", file, err))
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), "the line is in the log")
	return fail(err)
}

func newAuditExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export DIR",
		Short: "Print the lines of an audit log, as they are or as CSV",
		Long: "export prints what the checkpoint covers. The columns of CSV are n, seq, at, id, time, type, job, client, kind, detail,\n" +
			"from, to, severity, state, vm; a text that a spreadsheet would take for a formula gets a ' in front.",
		Example: "  watcher audit export data/audit/trail -o csv > trail.csv",
		Args:    cobra.ExactArgs(1),
	}
	form := c.Flags().StringP("output", "o", "jsonl", "jsonl or csv")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"jsonl", "csv"}, cobra.ShellCompDirectiveNoFileComp))
	c.RunE = func(c *cobra.Command, args []string) error {
		if *form != "jsonl" && *form != "csv" {
			return fmt.Errorf("-o %s: write jsonl or csv", *form)
		}
		return fail(audit.Export(args[0], c.OutOrStdout(), *form == "csv"))
	}
	return c
}
