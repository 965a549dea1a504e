package cli

import (
	"fmt"
	"io"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"

	"jobwatch/internal/doctor"
	"jobwatch/internal/printable"
	"jobwatch/internal/stream"
)

func newCheck() *cobra.Command {
	c := &cobra.Command{
		Use:   "check",
		Short: "Check the configuration, and all that it names",
		Long: "check reads the configuration, then looks at each CommCell (name, connection, login, job list, one job's\n" +
			"details), at NATS (version, stream, rights), at the destination of each relay (without a message\n" +
			"to people), at the store and at the HTTP address. It makes and changes nothing, beside a running watcher or before the first start. The status is 1 if something failed.",
		Example: "  watcher check -c /etc/jobwatch/watcher.yaml\n  watcher check -o json",
		Args:    cobra.NoArgs,
	}
	form := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := loadToWatch(c)
		if err != nil {
			return err
		}
		file, _ := c.Flags().GetString("config")
		all := []doctor.Finding{}
		var unsaid error
		doctor.Check(c.Context(), cfg, file, version(), func(f doctor.Finding) {
			first := len(all) == 0 || all[len(all)-1].Group != f.Group
			all = append(all, f)
			if *form == asTable && unsaid == nil {
				unsaid = printFinding(c.OutOrStdout(), f, first)
			}
		})
		if *form == asJSON {
			unsaid = printJSON(c.OutOrStdout(), all)
		}
		if unsaid != nil {
			return fail(unsaid)
		}
		if n := count(all, stream.Failed); n > 0 {
			return fail(fmt.Errorf("%s: %d of %d checks failed", file, n, len(all)))
		}
		return nil
	}
	return c
}

var gradeStyles = map[stream.Grade]lipgloss.Style{
	stream.OK:      lipgloss.NewStyle().Foreground(lipgloss.Green),
	stream.Warning: lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	stream.Failed:  lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
}

// printFinding begins a group with its name.
func printFinding(out io.Writer, f doctor.Finding, first bool) error {
	text := printable.Line(f.Text)
	if f.Check != "" {
		text = printable.Line(f.Check) + ": " + text
	}
	text = "  " + gradeStyles[f.Grade].Render(fmt.Sprintf("%-7s", f.Grade)) + "  " + text
	if first {
		text = printable.Line(f.Group) + "\n" + text
	}
	_, err := lipgloss.Fprintln(out, text)
	return err
}

func count(findings []doctor.Finding, grade stream.Grade) int {
	n := 0
	for _, f := range findings {
		if f.Grade == grade {
			n++
		}
	}
	return n
}
