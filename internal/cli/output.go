package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"jobwatch/internal/printable"
)

// Forms of output.
const (
	asTable = "table"
	asJSON  = "json"
)

// output is the value of -o.
type output string

func (o *output) String() string { return string(*o) }
func (o *output) Type() string   { return asTable + "|" + asJSON }

func (o *output) Set(text string) error {
	if text != asTable && text != asJSON {
		return fmt.Errorf("write %s or %s", asTable, asJSON)
	}
	*o = output(text)
	return nil
}

// outputFlag gives a command that lists its -o.
func outputFlag(c *cobra.Command) *output {
	form := output(asTable)
	c.Flags().VarP(&form, "output", "o", "how to print")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{asTable, asJSON}, cobra.ShellCompDirectiveNoFileComp))
	return &form
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
