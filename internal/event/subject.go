package event

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"jobwatch/internal/job"
)

// The two trees of subjects, after the optional prefix.
const (
	jobsTree      = "jobs"
	commCellsTree = "commcells"
)

// Filter matches every event of a job, or of a CommCell itself, whatever its client is called.
// All writers must use the same text: the broker guards by it what is in flight.
func Filter(prefix string, id job.ID) string { return subjectOf(prefix, id) + ".>" }

// ParseSubject reads from a subject which job it is about; false if that is none of ours, or a CommCell itself.
func ParseSubject(prefix, subject string) (job.ID, bool) {
	rest, ours := strings.CutPrefix(subject, withPrefix(prefix, jobsTree)+".")
	commCell, rest, _ := strings.Cut(rest, ".")
	digits, rest, _ := strings.Cut(rest, ".")
	number, err := strconv.ParseInt(digits, 10, 64)
	id := job.ID{CommCell: commCell, Number: number}
	if !ours || err != nil || number <= 0 || strings.Count(rest, ".") != 2 || strconv.FormatInt(number, 10) != digits {
		return job.ID{}, false
	}
	return id, true
}

// IsOurs says whether a subject is one that an event of ours may have.
func IsOurs(prefix, subject string) bool {
	if _, ofJob := ParseSubject(prefix, subject); ofJob {
		kind := subject[:strings.LastIndexByte(subject, '.')]
		kind = kind[strings.LastIndexByte(kind, '.')+1:]
		return slices.ContainsFunc(rows, func(r row) bool { return r.kind == kind })
	}
	rest, ours := strings.CutPrefix(subject, withPrefix(prefix, commCellsTree)+".")
	return ours && strings.Count(rest, ".") == 1
}

// Samples are subjects of no real job of a CommCell, one for each kind and detail, and one for all phases: where a mapping
// of NATS leads them, it leads the CommCell's events.
func Samples(prefix, commCell string) (subjects []string) {
	ofJob := withPrefix(prefix, jobsTree) + "." + commCell + ".0.-."
	for _, r := range rows {
		switch r.kind {
		case job.KindState:
			for _, slug := range job.Slugs() {
				subjects = append(subjects, ofJob+r.kind+"."+slug)
			}
		case job.KindCommCell:
			subjects = append(subjects, withPrefix(prefix, commCellsTree)+"."+commCell+"."+r.detail)
		default:
			subjects = append(subjects, ofJob+r.kind+"."+cmp.Or(r.detail, "check"))
		}
	}
	return subjects
}

// Subjects are what a stream must hold.
func Subjects(prefix string) []string {
	return []string{withPrefix(prefix, jobsTree) + ".>", withPrefix(prefix, commCellsTree) + ".>"}
}

func subjectOf(prefix string, id job.ID) string {
	if id.IsCommCell() {
		return withPrefix(prefix, commCellsTree) + "." + id.CommCell
	}
	return withPrefix(prefix, jobsTree) + "." + id.CommCell + "." + strconv.FormatInt(id.Number, 10)
}

func withPrefix(prefix, tree string) string {
	if prefix == "" {
		return tree
	}
	return prefix + "." + tree
}

const (
	tokenLimit = 128 // bytes
	tokenHead  = 111 // what is left of a longer one, before ~ and 16 hex digits
)

// clientToken is a client's name as one subject token.
func clientToken(name string) string {
	switch name {
	case "":
		return "-"
	case "-":
		return "%2D"
	}
	var token strings.Builder
	head := 0
	for _, r := range name {
		writeTokenRune(&token, r)
		if token.Len() <= tokenHead {
			head = token.Len()
		}
	}
	if token.Len() <= tokenLimit {
		return token.String()
	}
	sum := sha256.Sum256([]byte(name))
	return token.String()[:head] + "~" + hex.EncodeToString(sum[:8])
}

// writeTokenRune percent-encodes what NATS could not carry in a token.
func writeTokenRune(token *strings.Builder, r rune) {
	if !strings.ContainsRune(".*>%", r) && !unicode.IsSpace(r) && !unicode.IsControl(r) {
		token.WriteRune(r)
		return
	}
	for _, b := range utf8.AppendRune(nil, r) {
		fmt.Fprintf(token, "%%%02X", b)
	}
}

// Selection says which events are wanted; an empty member takes all.
type Selection struct {
	CommCell string
	Job      int64  // with CommCell
	Client   string // by its name, as Commvault writes it
	Kind     string // state, phase, failure, watch; commcell: the CommCells themselves
}

// Subjects are the subject filters that take these events and no others.
func (s Selection) Subjects(prefix string) []string {
	var filters []string
	if s.Kind != job.KindCommCell {
		filters = append(filters, withPrefix(prefix, jobsTree)+"."+s.jobTokens())
	}
	if s.Kind == job.KindCommCell || s.Kind == "" && s.Job == 0 && s.Client == "" {
		filters = append(filters, withPrefix(prefix, commCellsTree)+"."+orAny(s.CommCell)+".>")
	}
	return filters
}

func (s Selection) jobTokens() string {
	number, client := "*", "*"
	if s.Job != 0 {
		number = strconv.FormatInt(s.Job, 10)
	}
	if s.Client != "" {
		client = clientToken(s.Client)
	}
	return strings.Join([]string{orAny(s.CommCell), number, client, orAny(s.Kind), ">"}, ".")
}

func orAny(token string) string {
	if token == "" {
		return "*"
	}
	return token
}
