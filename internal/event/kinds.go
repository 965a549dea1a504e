package event

import (
	"slices"
	"strings"

	"jobwatch/internal/job"
)

// row is a kind and a detail of events, and what such an event may say.
type row struct {
	kind, detail string // no detail: the slug of a state or phase
	from, to     value
	extra        string // the members of change that this detail alone has: vm (with vmGuid and vmJob), or code
	severities   []job.Severity
}

// value is what from or to may be.
type value int

const (
	nothing       value = iota // null
	words                      // the CommServe's, never empty
	wordsOrNull                // null where nothing was told before
	numeral                    // a number as text
	numeralOrNull              // null where nothing was told before
)

var (
	anySeverity = []job.Severity{job.Info, job.Warning, job.Error} // a state's can be configured
	infoOnly    = []job.Severity{job.Info}
	warningOnly = []job.Severity{job.Warning}
)

// rows are all kinds of events there are.
var rows = []row{
	{kind: job.KindState, from: wordsOrNull, to: words, severities: anySeverity},
	{kind: job.KindPhase, from: wordsOrNull, to: words, severities: infoOnly},
	{kind: job.KindFailure, detail: job.DetailState, from: wordsOrNull, to: words, severities: anySeverity},
	{kind: job.KindFailure, detail: job.DetailItems, from: wordsOrNull, to: words, severities: warningOnly},
	{kind: job.KindFailure, detail: job.DetailVM, from: wordsOrNull, to: words, extra: "vm", severities: warningOnly},
	{kind: job.KindFailure, detail: job.DetailReason, from: wordsOrNull, to: words, extra: "code", severities: warningOnly},
	{kind: job.KindWatch, detail: job.DetailLost, severities: warningOnly},
	{kind: job.KindWatch, detail: job.DetailStalled, severities: warningOnly},
	{kind: job.KindWatch, detail: job.DetailResumed, severities: infoOnly},
	{kind: job.KindWatch, detail: job.DetailAttempt, from: numeralOrNull, to: numeral, severities: infoOnly},
	{kind: job.KindCommCell, detail: job.DetailUnreachable, severities: warningOnly},
	{kind: job.KindCommCell, detail: job.DetailReachable, severities: infoOnly},
}

var classes = []job.Class{
	job.Queued, job.Active, job.Held, job.Succeeded, job.Partial, job.Failed, job.Killed, job.Unknown,
}

var feedSeverities = []job.Text{job.FeedInfo, job.FeedMinor, job.FeedMajor, job.FeedCritical}

// name is the row's in the schema: failureVm.
func (r row) name() string { return r.kind + capital(r.detail) }

// message is the name of the row's messages: one for each CloudEvents type.
func (r row) message() string {
	if r.kind == job.KindCommCell {
		return r.name()
	}
	return r.kind
}

// messagesOf are the names of the messages about jobs, or about CommCells.
func messagesOf(commCells bool) []string {
	var names []string
	for _, r := range rows {
		if (r.kind == job.KindCommCell) == commCells && !slices.Contains(names, r.message()) {
			names = append(names, r.message())
		}
	}
	return names
}

// eventType is the row's CloudEvents type.
func (r row) eventType() string {
	if r.kind == job.KindCommCell {
		return commCellType + r.detail + ".v1"
	}
	return jobType + r.kind + ".v1"
}

func capital(word string) string {
	if word == "" {
		return ""
	}
	return strings.ToUpper(word[:1]) + word[1:]
}
