// Package printable makes texts fit for a terminal. Those of a CommServe, a broker or another program's event may hold
// what moves a cursor, hides text, or turns a line around (a right-to-left override): such a character stands as it is
// written in JSON. The page does the same by itself (page.js).
package printable

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Line is for one line.
func Line(text string) string {
	return escape(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) })
}

// Lines is for what may have several.
func Lines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Line(line)
	}
	return strings.Join(lines, "\n")
}

// escape writes as in JSON what is unfit; of white space it leaves a space.
func escape(text string, unfit func(rune) bool) string {
	var clean strings.Builder
	for _, r := range text {
		switch {
		case !unfit(r):
			clean.WriteRune(r)
		case unicode.IsSpace(r):
			clean.WriteByte(' ')
		default:
			fmt.Fprintf(&clean, `\u%04x`, r)
		}
	}
	return clean.String()
}

// JSON writes JSON whose texts are printable, and mean the same. A value comes in one piece.
type JSON struct{ Out io.Writer }

func (j JSON) Write(text []byte) (int, error) {
	clean := escape(string(text), func(r rune) bool { return r >= 0x7f && unicode.In(r, unicode.Cc, unicode.Bidi_Control) })
	if _, err := io.WriteString(j.Out, clean); err != nil {
		return 0, err
	}
	return len(text), nil
}
