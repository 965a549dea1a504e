package documents

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"jobwatch/internal/cli"
)

// TestEachCommandIsKnown: a command of a document is run, or is one of those that are not, for a reason; and what is
// typed of the watcher, also within a line of text, is a command that it has.
func TestEachCommandIsKnown(t *testing.T) {
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	begins := map[string]bool{}
	for _, document := range documentsThere(t) {
		for _, c := range commands(t, document) {
			words := plain(c.text)
			for _, k := range notRun {
				begins[k.begin] = begins[k.begin] || strings.HasPrefix(words, k.begin)
			}
			if why(words) == "" && !runs.MatchString(words) {
				t.Errorf("%s\nis neither run nor among those that are not, in known_test.go", c)
			}
			if m := regexp.MustCompile(`^make ([\w-]+)`).FindStringSubmatch(words); m != nil &&
				!regexp.MustCompile(`(?m)^`+m[1]+`:`).Match(makefile) {
				t.Errorf("%s\nthere is no such target", c)
			}
			for _, line := range watchers(words) {
				if err := exists(line, true); err != nil {
					t.Errorf("%s\n%v", c, err)
				}
			}
		}
		for n, line := range strings.Split(text(t, document), "\n") {
			for _, m := range regexp.MustCompile("`(watcher [^`]+)`").FindAllStringSubmatch(line, -1) {
				for _, span := range watchers(strings.ReplaceAll(m[1], `\|`, "|")) {
					if err := exists(span, false); err != nil {
						t.Errorf("%s:%d: `%s`: %v", document, n+1, m[1], err)
					}
				}
			}
		}
	}
	for _, k := range notRun {
		if !begins[k.begin] {
			t.Errorf("no document has a command that begins with %q any more; take it out of known_test.go", k.begin)
		}
	}
}

// watchers are the command lines of the watcher in a line of a shell.
func watchers(words string) (found []string) {
	for _, part := range regexp.MustCompile(`\||&&|;|\bxargs -n 1 `).Split(words, -1) {
		part = strings.TrimSpace(regexp.MustCompile(`[<>].*`).ReplaceAllString(part, ""))
		if strings.HasPrefix(part, "watcher ") {
			found = append(found, part)
		}
	}
	return found
}

var word = regexp.MustCompile(`'[^']*'|"[^"]*"|(?:\$\([^)]*\)|\S)+`)

// exists says what is wrong with a command line. One within a text may name a command without its arguments.
func exists(line string, whole bool) error {
	var args []string
	for _, w := range word.FindAllString(line, -1)[1:] {
		args = append(args, strings.Trim(w, `'"`))
	}
	c, rest, err := cli.Root().Find(args)
	if err != nil {
		return err
	}
	c.InitDefaultHelpFlag()
	if c.HasSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		return fmt.Errorf("%s has no %s", c.CommandPath(), rest[0])
	}
	if whole {
		if err := c.ParseFlags(rest); err != nil {
			return err
		}
		return c.ValidateArgs(c.Flags().Args())
	}
	return flagsExist(c, rest)
}

func flagsExist(c *cobra.Command, words []string) error {
	for _, w := range words {
		name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
		switch {
		case strings.HasPrefix(w, "--") && c.Flag(name) == nil,
			strings.HasPrefix(w, "-") && len(w) == 2 && c.Flags().ShorthandLookup(name) == nil && c.InheritedFlags().ShorthandLookup(name) == nil:
			return fmt.Errorf("%s has no flag %s", c.CommandPath(), w)
		}
	}
	return nil
}
