// Package terminal types command lines in tests, and holds what they print to what a person's terminal can bear.
package terminal

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// Command runs a command line, and gives its exit status: cli.Execute.
type Command func(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int

// Said is what a command printed, and its exit status.
type Said struct {
	Status    int
	Out, Errs string
}

// Typed runs a command as a person types it.
func (run Command) Typed(t *testing.T, words ...string) Said {
	t.Helper()
	var out, errs bytes.Buffer
	status := run(t.Context(), words, strings.NewReader(""), &out, &errs)
	return Said{status, out.String(), errs.String()}
}

// Succeeds wants the status 0 and a part of what is printed.
func (s Said) Succeeds(t *testing.T, parts ...string) Said {
	t.Helper()
	if s.Status != 0 {
		t.Errorf("status %d: %s", s.Status, s.Errs)
	}
	for _, part := range parts {
		if !strings.Contains(s.Out, part) {
			t.Errorf("%q is not in:\n%s", part, s.Out)
		}
	}
	return s
}

// Fails wants one line on the standard error with a part, and the status given.
func (s Said) Fails(t *testing.T, status int, part string) {
	t.Helper()
	if s.Status != status || !strings.Contains(s.Errs, part) || strings.Count(s.Errs, "\n") != 1 {
		t.Errorf("status %d, want %d with one line %q: %s", s.Status, status, part, s.Errs)
	}
}

// Evil is what could come from outside: it overrides the direction, isolates, clears the screen, and rings.
const Evil = "fs\u202egpj.elif \u2066a\u2069 \x1b[2Jcleared \u009b31mred \abell \u200fmark \u0085next"

// Harmless fails a test where a terminal would act upon what is printed, colours of ours aside.
func Harmless(t *testing.T, what, text string) {
	t.Helper()
	text = regexp.MustCompile("\x1b\\[(0|2|9[0-9])?m").ReplaceAllString(text, "")
	for _, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Errorf("%s prints %U: %q", what, r, text)
			return
		}
	}
	if !strings.Contains(text, `\u202e`) {
		t.Errorf("%s hides what is there: %q", what, text)
	}
}

// BrokenPipe is what a program writes to after its reader has gone away.
func BrokenPipe(t *testing.T) *os.File {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	reader.Close()
	return writer
}
