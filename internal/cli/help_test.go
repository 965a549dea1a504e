package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"jobwatch/internal/testing/terminal"
)

func eachCommand(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, below := range c.Commands() {
		eachCommand(below, do)
	}
}

// TestHelp holds that every command says what it does, in one voice, and has an example, which names it.
func TestHelp(t *testing.T) {
	eachCommand(newRoot(), func(c *cobra.Command) {
		if c.HasParent() && !strings.Contains(c.Example, strings.TrimSpace(c.CommandPath())) {
			t.Errorf("%s has no example: %q", c.CommandPath(), c.Example)
		}
		for line := range strings.Lines(c.Example) {
			if !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "   ") {
				t.Errorf("%s: an example is indented by two: %q", c.CommandPath(), line)
			}
		}
		if first := c.Short[:1]; first != strings.ToUpper(first) || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: a line without a full stop says what it does: %q", c.CommandPath(), c.Short)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") || f.Usage[:1] != strings.ToLower(f.Usage[:1]) {
				t.Errorf("%s --%s: a few words without a capital and a full stop: %q", c.CommandPath(), f.Name, f.Usage)
			}
		})
	})
}

// TestCompletion holds that a shell is told what may stand wherever something has a name.
func TestCompletion(t *testing.T) {
	numbers := []string{"int", "int64", "float64", "duration"}
	free := []string{"config", "from", "http", "limit", "listen", "reason", "since", "to", "until", "domain", "nats", "socket-group", "stream", "url", "user"} // a time, an address, a sentence
	named := map[string]string{"watcher replay": "to", "watcher wait": "until"}                                                                                // where such a one is a name
	eachCommand(newRoot(), func(c *cobra.Command) {
		_, words, _ := strings.Cut(c.Use, " ")
		if words = strings.TrimPrefix(words, "--since TIME"); words != "" && c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 {
			t.Errorf("%s %s: nothing is offered", c.CommandPath(), words)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			_, offers := c.GetFlagCompletionFunc(f.Name)
			isFree := (slices.Contains(free, f.Name) || c.Name() == "init" && f.Name == "commcell") && // which is a new name there
				named[c.CommandPath()] != f.Name
			if f.NoOptDefVal == "" && !slices.Contains(numbers, f.Value.Type()) && !isFree && !offers {
				t.Errorf("%s --%s: nothing is offered", c.CommandPath(), f.Name)
			}
		})
	})
}

// TestCompletionOffers types and presses Tab. The last line is cobra's directive: 0 offers files, 4 nothing else, 16 folders.
func TestCompletionOffers(t *testing.T) {
	s := newShelf(t)
	s.fill(t)
	s.close(t)
	for _, row := range []struct{ words, want, directive string }{
		{"jobs show ", "prod/1\tsql-01 Running", ":36"},
		{"jobs list --client ", "SQL-02", ":4"},
		{"jobs list --commcell l", "lab", ":4"},
		{"tail --severity ", "warning", ":4"},
		{"tail --since ", "", ":4"},
		{"wait prod/1 --until comp", "completed_with_errors", ":4"},
		{"replay --subject ", "jobs.lab.>", ":4"},
		{"sim --fault ", "login-page", ":4"},
		{"audit verify ", "", ":16"},
		{"record ", "", ":16"},
		{"sim --replay ", "", ":16"},
		{"audit verify x --since ", "", ":0"},
		{"audit export x --from ", "", ":4"},
		{"audit prove x ", "", ":4"},
		{"inspect a.json ", "", ":0"},
		{"store backup ", "", ":0"},
		{"relay try ops ", "", ":0"},
	} {
		words := strings.Split("__complete -c "+s.config+" "+row.words, " ")
		out := terminal.Command(Execute).Typed(t, words...).Out
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if !strings.Contains("\n"+out, "\n"+row.want) || lines[len(lines)-1] != row.directive {
			t.Errorf("%q<Tab> offers\n%s\nwant %q and %s", row.words, out, row.want, row.directive)
		}
	}
}
