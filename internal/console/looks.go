package console

import (
	"charm.land/lipgloss/v2"

	"jobwatch/internal/job"
)

// look is how a class or a severity shows: a mark beside the colour, for who sees none.
type look struct {
	mark, ascii string
	style       lipgloss.Style
}

var (
	faint = lipgloss.NewStyle().Faint(true)
	bold  = lipgloss.NewStyle().Bold(true)

	plain  = lipgloss.NewStyle()
	blue   = plain.Foreground(lipgloss.Blue)
	green  = plain.Foreground(lipgloss.Green)
	yellow = plain.Foreground(lipgloss.Yellow)
	red    = plain.Foreground(lipgloss.Red).Bold(true)

	looks = map[job.Class]look{
		job.Active:    {"●", "*", blue},
		job.Queued:    {"○", "o", faint},
		job.Held:      {"◐", "=", yellow},
		job.Succeeded: {"✓", "+", green},
		job.Partial:   {"△", "~", yellow},
		job.Failed:    {"✗", "x", red},
		job.Killed:    {"■", "k", red},
		job.Unknown:   {"?", "?", plain},
	}
)

func lookOf(class job.Text) look {
	if l, known := looks[job.Class(class)]; known {
		return l
	}
	return looks[job.Unknown]
}

func (l look) sign(unicode bool) string {
	if unicode {
		return l.mark
	}
	return l.ascii
}
