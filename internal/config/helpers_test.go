package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// minimal is a CommCell that is complete; a test appends keys of it, or begins other sections.
const minimal = `commcells:
  - name: prod
    url: https://cs.example.com/api
    auth: {token_file: t}
`

// env is what the tests find in the environment.
func env(name string) (string, bool) {
	value, ok := map[string]string{
		"N": "16", "WORD": "eight", "YES": "true", "EMPTY": "", "HOURS": "36h",
		"SECRET": "a: [b] # {c} ${N} \"d", "DIGITS": "0123", "BROKEN": "one\ntwo",
	}[name]
	return value, ok
}

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("watcher.yaml", []byte(text), env)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	if err := schemaSays(t, text); err != nil {
		t.Errorf("%s\nis right, and the schema says: %v", text, err)
	}
	return c
}

// refused gives the lines of the error, each without the file's name.
func refused(t *testing.T, text string) string {
	t.Helper()
	_, err := Parse("watcher.yaml", []byte(text), env)
	if err == nil {
		t.Fatalf("accepted:\n%s", text)
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		rest, found := strings.CutPrefix(line, "watcher.yaml:")
		if !found {
			t.Errorf("names no file: %s", line)
		}
		lines = append(lines, rest)
	}
	return strings.Join(lines, "\n")
}

// row is a file and the one error that it must give.
type row struct{ text, want string }

// commcell is a file whose CommCell has these lines too, from line 5 on.
func commcell(lines string) string {
	return minimal + "    " + strings.ReplaceAll(lines, "\n", "\n    ") + "\n"
}

// section is a file with this section behind the CommCell, from line 5 on.
func section(lines string) string { return minimal + lines + "\n" }

// auth is a file whose CommCell logs in like this, on line 4.
func auth(pairs string) string {
	return strings.Replace(minimal, "{token_file: t}", "{"+pairs+"}", 1)
}

func check(t *testing.T, rows []row) {
	t.Helper()
	for _, row := range rows {
		if got := refused(t, row.text); got != row.want {
			t.Errorf("%s\n got %s\nwant %s", row.text, got, row.want)
		}
	}
}

func repeat(s string, n int) string { return strings.Repeat(s, n) }

func absolute(t *testing.T, path string) string {
	t.Helper()
	whole, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// defaultsIn is what a file in a folder that names no key says.
func defaultsIn(t *testing.T, folder string) *Config {
	t.Helper()
	c := defaults()
	c.Store.Path = filepath.Join(absolute(t, folder), c.Store.Path)
	c.NATS.Embedded.Dir = filepath.Join(absolute(t, folder), c.NATS.Embedded.Dir)
	return c
}

// defaults is the configuration of a file that names no key; it lacks the CommCells.
func defaults() *Config {
	c := new(Config)
	c.keys()
	return c
}

// defaultCommCell lacks the name, the URL and the way to log in.
func defaultCommCell() CommCell {
	var c CommCell
	c.keys()
	return c
}
