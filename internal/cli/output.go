package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/console"
	"jobwatch/internal/printable"
)

// Forms of output.
const (
	asTable = "table"
	asJSON  = "json"
)

// output is the value of -o.
type output string

// form is the flag of it.
type form struct {
	*output
	all []string
}

func (f form) String() string { return string(*f.output) }
func (f form) Type() string   { return strings.Join(f.all, "|") }

func (f form) Set(text string) error {
	if !slices.Contains(f.all, text) {
		last := len(f.all) - 1
		return fmt.Errorf("write %s or %s", strings.Join(f.all[:last], ", "), f.all[last])
	}
	*f.output = output(text)
	return nil
}

// outputFlag gives a command that lists its -o.
func outputFlag(c *cobra.Command) *output { return formFlag(c, []string{asTable, asJSON}) }

func formFlag(c *cobra.Command, all []string) *output {
	chosen := output(all[0])
	c.Flags().VarP(form{&chosen, all}, "output", "o", "how to print")
	completeFlag(c, "output", fixed(all...))
	return &chosen
}

// utcFlag gives a command that says times to people its --utc.
func utcFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("utc", false, "say times in UTC, not in the local zone")
}

// screenOf is what a command prints jobs and events on, and how it says times there.
func screenOf(c *cobra.Command, utc bool) (console.Screen, console.Clock) {
	s := console.ScreenOf(c.OutOrStdout())
	return s, console.NewClock(utc, s.Terminal())
}

// table prints rows of columns.
type table struct{ out *tabwriter.Writer }

func newTable(out io.Writer, header ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if len(header) > 0 {
		t.row(header...)
	}
	return t
}

// row puts "-" where there is nothing, so that columns can be counted.
func (t table) row(cells ...string) {
	for i, cell := range cells {
		if cells[i] = printable.Line(cell); cells[i] == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(t.out, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}

func (t table) end() error { return t.out.Flush() }

// shorten keeps a column narrow.
func shorten(text string, limit int) string {
	runes := []rune(text)
	if len(runes) <= limit {
		return text
	}
	return string(runes[:limit-1]) + "…"
}

func localTime(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.Local().Format(time.DateTime)
}
