package cli

import (
	"fmt"
	"io"
	"time"

	"charm.land/lipgloss/v2"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/stream"
)

// printer prints events for people, one line each, in colour where the output is a terminal.
type printer struct {
	out io.Writer
}

func newPrinter(out io.Writer) printer { return printer{out} }

var (
	faint  = lipgloss.NewStyle().Faint(true)
	strong = lipgloss.NewStyle().Bold(true)

	severityStyles = map[job.Severity]lipgloss.Style{
		job.Info:    lipgloss.NewStyle().Foreground(lipgloss.Green),
		job.Warning: lipgloss.NewStyle().Foreground(lipgloss.Yellow),
		job.Error:   lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true),
	}
)

func (p printer) welcome(commServe, nats, page string) {
	_ = p.line("%s a simulated CommServe at http://%s/webconsole/api, polled every second", strong.Render("jobwatch demo"), commServe)
	_ = p.line("The page is at %s", strong.Render(page))
	_ = p.line("Events are published to NATS at %s. From another terminal:", nats)
	_ = p.line("")
	_ = p.line("    %s", strong.Render(fmt.Sprintf("nats --server %s sub 'jobs.>'", nats)))
	_ = p.line("    %s", strong.Render(fmt.Sprintf("nats --server %s sub 'jobs.*.*.*.failure.>'", nats)))
	_ = p.line("")
	_ = p.line("%s", faint.Render("Ctrl-C ends it."))
}

func (p printer) farewell() { _ = p.line("%s", faint.Render("Ended; nothing is left behind.")) }

// event prints one message of the stream; what is no event of ours is passed over.
func (p printer) event(m stream.Message) error {
	e, err := event.Parse(m.Data)
	if err != nil {
		return nil
	}
	at := faint.Render(when(e.Time, time.Now()))
	if e.IsCommCell() {
		if data, err := e.CommCell(); err == nil {
			return p.line("%s  %-28s %s %s", at, printable.Line(data.CommCell), p.severity(data.Severity, printable.Line(data.Detail)), printable.Line(string(data.Reason)))
		}
		return nil
	}
	data, err := e.Job()
	if err != nil {
		return nil
	}
	client := shorten(printable.Line(string(data.Job.Client)), 18)
	if client == "" {
		client = "-"
	}
	what := fmt.Sprintf("%-16s", printable.Line(data.Change.Kind+short(data.Change.Detail, data.Change.Kind)))
	return p.line("%s  %-12s %-18s %s %s", at, printable.Line(e.PartitionKey), client, p.severity(data.Severity, what), words(data.Change.Change))
}

// when is a time of day, with the date where that is not today's.
func when(at, now time.Time) string {
	at, now = at.Local(), now.Local()
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format(time.TimeOnly)
	}
	return at.Format(time.DateTime)
}

// short leaves out the slug of a state or phase, which the words say better.
func short(detail, kind string) string {
	if kind == job.KindState || kind == job.KindPhase {
		return ""
	}
	return "." + detail
}

func words(c job.Change) string {
	text := string(c.To)
	if c.From != "" {
		text = string(c.From) + " → " + text
	}
	if c.VM != "" {
		text = c.VM + ": " + text
	}
	return printable.Line(text)
}

func (p printer) severity(s job.Severity, text string) string { return severityStyles[s].Render(text) }

func (p printer) line(format string, values ...any) error {
	_, err := lipgloss.Fprintln(p.out, fmt.Sprintf(format, values...))
	return err
}
