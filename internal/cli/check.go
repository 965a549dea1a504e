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
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		file, _ := c.Flags().GetString("config")
		all := []doctor.Finding{}
		var unsaid error
		doctor.Check(c.Context(), cfg, file, version(), func(f doctor.Finding) {
			all = append(all, f)
			if *form == asTable && unsaid == nil {
				unsaid = printFinding(c.OutOrStdout(), f)
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

func printFinding(out io.Writer, f doctor.Finding) error {
	grade := gradeStyles[f.Grade].Render(fmt.Sprintf("%-7s", f.Grade))
	_, err := lipgloss.Fprintln(out, fmt.Sprintf("%s  %s: %s", grade, printable.Line(f.What), printable.Line(f.Text)))
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
