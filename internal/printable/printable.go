// Package printable makes texts fit for a terminal. Those of a CommServe, a broker or another program's event may hold
// what moves a cursor, hides text, or turns a line around (a right-to-left override): such a character stands as it is
// written in JSON. The page does the same by itself (web/page/parts.js).
package printable

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Line is for one line. Line ends, tabs and their like become spaces.
func Line(text string) string {
	text = strings.Map(func(r rune) rune {
		if movesTerminal(r) && unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, text)
	return escape(text, movesTerminal)
}

func movesTerminal(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// Lines is for what may have several.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Line(line)
	}
	return strings.Join(lines, "\n")
}

// escape writes as in JSON what is unfit.
func escape(text string, unfit func(rune) bool) string {
	var clean strings.Builder
	for _, r := range text {
		if unfit(r) {
			fmt.Fprintf(&clean, `\u%04x`, r)
		} else {
			clean.WriteRune(r)
		}
	}
	return clean.String()
}

// JSON writes JSON whose texts are printable, and mean the same. A value comes in one piece.
type JSON struct{ Out io.Writer }

func (j JSON) Write(text []byte) (int, error) {
	unfit := func(r rune) bool { return r >= 0x7f && movesTerminal(r) } // below it is what JSON itself is written with
	if !bytes.ContainsFunc(text, unfit) {
		return j.Out.Write(text)
	}
	clean := escape(string(text), unfit)
	if _, err := io.WriteString(j.Out, clean); err != nil {
		return 0, err
	}
	return len(text), nil
}
