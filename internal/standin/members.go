package standin

import (
	"strconv"
	"strings"
	"unicode"
)

// member is the name of a member of an object, and what it says of a value.
type member struct {
	name  string   // in lower case, without what old service packs and XML put around it
	words []string // of it, in lower case
	known bool     // all of them are the API's
}

// split finds where words begin: vsaParentJobID is vsa, Parent, Job, ID.
func split(name string) (all []string) {
	runes := []rune(name)
	for from := 0; from < len(runes); {
		to := from + 1
		class := classOf(runes[from])
		for to < len(runes) && joins(runes, to, class) {
			to++
		}
		all = append(all, string(runes[from:to]))
		from = to
	}
	return all
}

type class int

const (
	other class = iota
	upper
	lower
	digit
)

func classOf(r rune) class {
	switch {
	case unicode.IsUpper(r):
		return upper
	case unicode.IsLetter(r):
		return lower
	case r >= '0' && r <= '9':
		return digit
	}
	return other
}

// joins says whether the rune goes on with the word before it, which begins with one of a class.
func joins(runes []rune, to int, first class) bool {
	is, before := classOf(runes[to]), classOf(runes[to-1])
	switch {
	case first == other:
		return false
	case is == digit || first == digit:
		return is == first
	case is == lower:
		return true
	case is == upper && before == upper: // of GUIDName the N begins a word, of GUIDs nothing does
		return !isLower(runes, to+1) || runes[to+1] == 's' && !isLower(runes, to+2)
	}
	return false
}

func isLower(runes []rune, at int) bool { return at < len(runes) && classOf(runes[at]) == lower }

func newMember(name string) member {
	m := member{name: strings.ToLower(strings.TrimLeft(name, "@#")), known: true}
	for _, part := range split(name) {
		switch classOf([]rune(part)[0]) {
		case upper, lower:
			word := strings.ToLower(part)
			m.words = append(m.words, word)
			m.known = m.known && words[word]
		case digit, other:
		}
	}
	return m
}

func (m member) has(some map[string]bool) bool {
	for _, word := range m.words {
		if some[word] {
			return true
		}
	}
	return false
}

// memberName gives a name again with each word replaced that is not the API's: names may be data, in a map of them.
func (s *Scrubber) memberName(name string) string {
	var b strings.Builder
	all := split(name)
	short := hasOneShortNumber(all)
	for _, part := range all {
		switch classOf([]rune(part)[0]) {
		case upper, lower:
			if !words[strings.ToLower(part)] {
				part = s.instead("word", part, func(count int) string { return "X" + letters(count) })
			}
		case digit:
			if !short {
				part = s.instead("digits", part, strconv.Itoa)
			}
		case other:
			if !strings.Contains("_-.@#$:", part) {
				part = "_"
			}
		}
		b.WriteString(part)
	}
	return b.String()
}

// hasOneShortNumber is of a name like DM2Content. With more it may be an address, without a word a number by itself.
func hasOneShortNumber(all []string) bool {
	numbers, named := 0, false
	for _, part := range all {
		switch classOf([]rune(part)[0]) {
		case upper, lower:
			named = named || words[strings.ToLower(part)]
		case digit:
			numbers += len(part)
		case other:
		}
	}
	return named && numbers <= 2
}
