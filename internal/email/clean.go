package email

import (
	"strings"
	"unicode"
)

// The most characters of a text in a mail.
const (
	nameLimit    = 120
	reasonLimit  = 1000
	subjectLimit = 160
	answerLimit  = 200 // of what the mail server says
)

// clean makes one line of a text from outside, at most limit characters long. What ends lines, turns them around or
// cannot be seen is gone, and so is what readers of plain text make a link of.
func clean[T ~string](text T, limit int) string {
	line := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.Is(unicode.Cc, r):
			return ' '
		case isInvisible(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(text), "\ufffd"))
	line = inert.Replace(strings.Join(strings.Fields(line), " "))
	if runes := []rune(line); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return line
}

// =? begins an encoded word, which a mail reader would decode in a subject.
var inert = strings.NewReplacer("://", ": //", "mailto:", "mailto :", "=?", "= ?")

// isInvisible says whether a character turns a line around, or is not seen. The two joiners that scripts are written
// with stay.
func isInvisible(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return unicode.In(r, unicode.Cf, unicode.Bidi_Control) && r != nonJoiner && r != joiner
}

// isUnfit says whether a character is none that a configured address can hold.
func isUnfit(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || isInvisible(r)
}

// forReason makes one line of what a mail server or a library says.
func forReason(text string) string { return clean(text, answerLimit) }
