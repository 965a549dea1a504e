package standin

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"jobwatch/internal/job"
)

var (
	secretName  = regexp.MustCompile(`(?i)token|passw|secret|cookie|session|auth|cred|key`)
	secretShape = regexp.MustCompile(`^(QSDK|SAML|Bearer|Basic) `)
)

// indifferent strings say nothing of anybody.
var indifferent = set("-999 true false True False TRUE FALSE null")

// value gives a string again, if it may stay, or its stand-in.
func (s *Scrubber) value(m member, text string) string {
	switch {
	case strings.TrimSpace(text) == "":
		return blank(text)
	case indifferent[text], mayStay(m, text):
		return text
	case len(text) <= maxNumeral && numeral.MatchString(text):
		return s.numeral(m, text)
	case secretShape.MatchString(text):
		scheme, _, _ := strings.Cut(text, " ")
		return scheme + " " + s.numbered("token", text)
	case secretName.MatchString(m.name):
		return s.numbered("token", text)
	case m.name == "failures":
		return s.failures(text)
	case stateNames[m.name], phaseNames[m.name]:
		return s.word(m, text)
	case textName.MatchString(m.name):
		return s.text(text)
	}
	return broken(text, s.shaped(text))
}

// failures are said in one way, where they can be read.
func (s *Scrubber) failures(text string) string {
	folders, files, readable := job.ParseFailures(job.Text(text))
	if !readable {
		return s.text(text)
	}
	return fmt.Sprintf("%d Folders, %d Files", folders, files)
}

// word is a state or a phase that nobody knows: case and outer spaces do not tell two apart.
func (s *Scrubber) word(m member, text string) string {
	sort := "state"
	if phaseNames[m.name] {
		sort = "phase"
	}
	is := s.instead(sort, folded(text), func(count int) string { return "Unknown " + sort + " " + letters(count) })
	return broken(text, padded(is, len(text)))
}

// broken marks a stand-in as its original is where that holds a byte that was lost.
func broken(text, is string) string {
	if strings.ContainsRune(text, utf8.RuneError) && !strings.ContainsRune(is, utf8.RuneError) {
		return is + "\uFFFD"
	}
	return is
}
