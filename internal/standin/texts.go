package standin

import (
	"regexp"
	"strconv"
	"strings"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// textName is of members that hold words for people, whatever they look like.
var textName = regexp.MustCompile(`(?i)reason|message|msg|descr|^details?$|title|warn|comment|remark|error|exception|cause|text`)

// noSuchJob opens the stand-in of a line that says so: nothing else may lead to a job being given up as lost.
const noSuchJob = "No job has this id. "

// text replaces each line by another one. Two lines that differ in their numbers alone do so again, since such say the
// same; all others differ in more.
func (s *Scrubber) text(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		whole, end := strings.CutSuffix(line, "\n")
		b.WriteString(s.line(whole))
		if end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// line keeps what comparisons look at: the space around a line, and around what is left of it without its numbers.
func (s *Scrubber) line(line string) string {
	before, inner, behind := cutSpace(line)
	bare := string(job.Text(inner).WithoutNumbers())
	if bare == "" && inner != "" {
		inner = s.instead("digits", inner, strconv.Itoa)
		return before + inner + behind
	}
	left, words, right := cutSpace(bare)
	if words == "" {
		return before + behind
	}
	is := s.instead("text", words, func(count int) string {
		is := "Text " + letters(count)
		if commvault.SaysNoSuchJob(inner) {
			is = noSuchJob + is
		}
		return padded(broken(words, is), len(words))
	})
	if bare != inner {
		number := s.instead("numbers of "+bare, inner, strconv.Itoa)
		right += number
		if left != "" {
			left = number + left
		}
	}
	return before + left + is + right + behind
}

// cutSpace takes the space off a text, and shortens it.
func cutSpace(text string) (before, inner, behind string) {
	inner = strings.TrimSpace(text)
	before, behind, _ = strings.Cut(text, inner)
	return blank(before), inner, blank(behind)
}

const longestBlank = 16

// blank keeps the space around a text, which counts in some comparisons.
func blank(space string) string {
	runes := []rune(space)
	return string(runes[:min(len(runes), longestBlank)])
}
