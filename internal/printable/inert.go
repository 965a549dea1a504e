package printable

import (
	"strings"
	"unicode/utf8"
)

// Inert keeps a spreadsheet from taking a text for a formula: such a text has an apostrophe in front.
func Inert(cell string) string {
	cell = strings.ToValidUTF8(cell, string(utf8.RuneError))
	if cell != "" && strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", firstRune(strings.TrimLeft(cell, " \u00a0\ufeff"))) {
		return "'" + cell
	}
	return cell
}

func firstRune(text string) rune {
	r, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ' '
	}
	return r
}
