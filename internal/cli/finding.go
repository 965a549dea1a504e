package cli

import (
	"fmt"
	"io"

	"charm.land/lipgloss/v2"

	"jobwatch/internal/printable"
	"jobwatch/internal/stream"
)

// finding is one thing that check has looked at.
type finding struct {
	Grade stream.Grade `json:"grade"`
	What  string       `json:"what"` // "commcell prod: login"
	Text  string       `json:"text"` // what was found, and the mend where one is needed
}

func fine(what, format string, values ...any) finding {
	return finding{stream.OK, what, fmt.Sprintf(format, values...)}
}

func doubtful(what, format string, values ...any) finding {
	return finding{stream.Warning, what, fmt.Sprintf(format, values...)}
}

func broken(what string, err error) finding { return finding{stream.Failed, what, err.Error()} }

var gradeStyles = map[stream.Grade]lipgloss.Style{
	stream.OK:      lipgloss.NewStyle().Foreground(lipgloss.Green),
	stream.Warning: lipgloss.NewStyle().Foreground(lipgloss.Yellow),
	stream.Failed:  lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
}

func printFinding(out io.Writer, f finding) error {
	grade := gradeStyles[f.Grade].Render(fmt.Sprintf("%-7s", f.Grade))
	_, err := lipgloss.Fprintln(out, fmt.Sprintf("%s  %s: %s", grade, printable.Line(f.What), printable.Line(f.Text)))
	return err
}

func count(findings []finding, grade stream.Grade) int {
	n := 0
	for _, f := range findings {
		if f.Grade == grade {
			n++
		}
	}
	return n
}
