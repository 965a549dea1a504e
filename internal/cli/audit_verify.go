package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/audit"
	"jobwatch/internal/config"
	"jobwatch/internal/printable"
)

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

		ValidArgsFunction: completeDir,
	}
	form := outputFlag(c)
	key := keyFlag(c)
	since := c.Flags().String("since", "", "a checkpoint of before, in this `file` (-: standard input): does the log of today hold that of then?")
	completeFlag(c, "since", completeFile)
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

func verifyAudit(c *cobra.Command, dir string, trusted audit.Trusted, cfg *config.Config, form output) error {
	var v auditVerification
	var err error
	err = withProgress(c, func(ctx context.Context) error {
		if v.Verified, err = audit.Verify(ctx, dir, trusted); err != nil || cfg == nil || len(v.Findings) > 0 {
			return err
		}
		v.Stream, err = compareAudit(ctx, cfg, dir)
		return err
	})
	if err != nil {
		return err
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
