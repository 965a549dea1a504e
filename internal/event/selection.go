package event

import (
	"strconv"
	"strings"

	"jobwatch/internal/job"
)

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
