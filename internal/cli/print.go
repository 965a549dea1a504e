package cli

import (
	"fmt"
	"io"

	"charm.land/lipgloss/v2"
)

// printer prints what demo says, in colour where the output is a terminal.
type printer struct {
	out io.Writer
}

func newPrinter(out io.Writer) printer { return printer{out} }

var (
	faint  = lipgloss.NewStyle().Faint(true)
	strong = lipgloss.NewStyle().Bold(true)
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

func (p printer) line(format string, values ...any) error {
	_, err := lipgloss.Fprintln(p.out, fmt.Sprintf(format, values...))
	return err
}
