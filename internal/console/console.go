// Package console shows jobs to people in a terminal: as tables, as a page for one job, drawn over time, and live (Top).
// Elsewhere the same texts come without colours and marks, and nothing of them is cut.
package console

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// Screen is what is written to.
type Screen struct {
	Out     io.Writer
	Width   int  // cells of a line; 0: no terminal
	Height  int  // lines
	Unicode bool // whether it shows more than ASCII
}

// ScreenOf finds out what is written to.
func ScreenOf(out io.Writer) Screen {
	s := Screen{Out: out, Unicode: true}
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		width, height = 80, 24
	}
	s.Width, s.Height, s.Unicode = width, height, showsUnicode(os.Getenv)
	return s
}

// Terminal says whether a person looks on.
func (s Screen) Terminal() bool { return s.Width > 0 }

// showsUnicode goes by the locale, as other programs do, and by the consoles that have a few hundred characters alone.
func showsUnicode(env func(string) string) bool {
	if t := env("TERM"); t == "linux" || t == "dumb" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(env(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return os.PathSeparator == '\\' // Windows has no such variables, and UTF-8
}

// Whole is a screen on which lines may be as long as they are.
func (s Screen) Whole() Screen {
	if s.Terminal() {
		s.Width = wholeLine
	}
	return s
}

const wholeLine = 1 << 20
