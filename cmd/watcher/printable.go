package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"unicode"
)

// Texts of a CommServe, a broker or another program's event may hold what moves a terminal's cursor, hides text, or
// turns a line around (a right-to-left override). On a terminal such a character stands as it is written in JSON.

// printable is for one line.
func printable(text string) string {
	return escape(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) })
}

// printableLines is for what may have several.
func printableLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
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

// printableJSON writes JSON whose texts are as printable, and mean the same. A value comes in one piece.
type printableJSON struct{ out io.Writer }

func (p printableJSON) Write(text []byte) (int, error) {
	clean := escape(string(text), func(r rune) bool { return r >= 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) })
	if _, err := io.WriteString(p.out, clean); err != nil {
		return 0, err
	}
	return len(text), nil
}

// printableAttr is for the text log, which itself quotes all that a value should not hold but the character that begins
// a colour, and nothing of a message.
func printableAttr(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch value := a.Value.Resolve(); value.Kind() {
	case slog.KindString:
		text = value.String()
	case slog.KindAny:
		err, isError := value.Any().(error)
		if !isError {
			return a
		}
		text = err.Error()
	default:
		return a
	}
	if a.Key == slog.MessageKey {
		return slog.String(a.Key, printable(text))
	}
	return slog.String(a.Key, strings.ReplaceAll(text, "\x1b", `\u001b`))
}
