package job

import (
	"slices"
	"strings"
	"unicode"
)

// Class groups the states that mean the same to a subscriber.
type Class string

// The classes, as events spell them.
const (
	Queued    Class = "queued"
	Active    Class = "active"
	Held      Class = "held"
	Succeeded Class = "succeeded"
	Partial   Class = "partial"
	Failed    Class = "failed"
	Killed    Class = "killed"
	Unknown   Class = "unknown"
)

// Failing says whether entering the class is a failure event of its own.
func (c Class) Failing() bool { return c == Failed || c == Partial || c == Killed }

// Severity says how much an event should worry its reader.
type Severity string

// The severities, as events and the configuration spell them.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// StateInfo is what a state means.
type StateInfo struct {
	Class    Class
	Finished bool
	Severity Severity
}

// states is Commvault's vocabulary (GET Job, the 18 values of its documentation, and those met in the field).
var states = map[string]StateInfo{
	"running":                           {Active, false, Info},
	"running (cannot be verified)":      {Active, false, Info},
	"suspend pending":                   {Active, false, Info},
	"kill pending":                      {Active, false, Info},
	"interrupt pending":                 {Active, false, Info},
	"resume pending":                    {Active, false, Info},
	"abnormal terminated cleanup":       {Active, false, Warning},
	"waiting":                           {Queued, false, Info},
	"queued":                            {Queued, false, Info},
	"not started":                       {Queued, false, Info},
	"pending":                           {Held, false, Info},
	"suspended":                         {Held, false, Info},
	"interrupted":                       {Held, false, Info},
	"completed":                         {Succeeded, true, Info},
	"completed w/ one or more warnings": {Succeeded, true, Warning},
	"completed w/ one or more errors":   {Partial, true, Warning},
	"committed":                         {Partial, true, Warning},
	"failed":                            {Failed, true, Error},
	"failed to start":                   {Failed, true, Error},
	"killed":                            {Killed, true, Warning},
}

// KnowsSlug says whether a state of Commvault's vocabulary has the slug.
func KnowsSlug(slug string) bool { return slices.Contains(Slugs(), slug) }

// Slugs are those of the states of Commvault's vocabulary.
func Slugs() []string {
	var slugs []string
	for words := range states {
		slugs = append(slugs, Slug(Text(words)))
	}
	slices.Sort(slugs)
	return slugs
}

// LookUp says what a state means. One that is not in the table, say a localized one, is of the
// class unknown, and finished only where the answer also names an end time.
func LookUp(state Text, ended bool) StateInfo {
	if info, known := states[fold(state)]; known {
		return info
	}
	return StateInfo{Class: Unknown, Finished: ended, Severity: Info}
}

// Same says whether two states, or two phases, are the same word: case and outer spaces do not count.
func Same(a, b Text) bool { return a == b || fold(a) == fold(b) }

func fold(t Text) string { return strings.ToLower(strings.TrimSpace(string(t))) }

const slugLength = 64 // characters

// Slug is a state or phase as a subject token: completed_with_errors. An empty one is "unknown".
func Slug(words Text) string {
	lower := strings.ReplaceAll(strings.ToLower(string(words)), "w/ one or more", "with")
	var slug []rune
	for _, r := range lower {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			r = '_'
		}
		if r == '_' && (len(slug) == 0 || slug[len(slug)-1] == '_') {
			continue
		}
		slug = append(slug, r)
	}
	text := strings.Trim(string(slug[:min(len(slug), slugLength)]), "_")
	if text == "" {
		return "unknown"
	}
	return text
}
