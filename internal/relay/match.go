package relay

import (
	"path"
	"slices"
	"strings"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// Match says which events a relay takes: each key must have a pattern that fits. Upper and lower case are alike. A key
// that an event has not, as the client of a CommCell's own, is left out of the comparison.
type Match map[string][]string

// MatchKeys are the keys of a Match. Those of severity and class are words, the others globs as of path.Match.
var MatchKeys = []string{"severity", "class", "commcell", "client", "client_group", "agent", "backupset", "subclient",
	"operation", "level", "job_type"}

// takes says whether the relay takes the event. One that cannot be read is taken: somebody should see it.
func (m Match) takes(e *Event) bool {
	if len(m) == 0 {
		return true
	}
	values, err := valuesOf(e)
	if err != nil {
		return true
	}
	for key, patterns := range m {
		value, has := values[key]
		if !has {
			continue
		}
		fits := func(pattern string) bool {
			fits, _ := path.Match(strings.ToLower(pattern), strings.ToLower(value))
			return fits
		}
		if !slices.ContainsFunc(patterns, fits) {
			return false
		}
	}
	return true
}

func valuesOf(e *Event) (map[string]string, error) {
	parsed, err := e.Parsed()
	if err != nil {
		return nil, err
	}
	if parsed.IsCommCell() {
		data, err := parsed.CommCell()
		return map[string]string{"severity": string(data.Severity), "commcell": data.CommCell}, err
	}
	data, err := e.JobData()
	if err != nil {
		return nil, err
	}
	values := map[string]string{"severity": string(data.Severity), "commcell": e.Job.CommCell}
	s := &data.Job
	for key, text := range map[string]job.Text{ // no event says a client group or a job type
		"class": s.StateClass, "client": s.Client, "agent": s.Agent, "backupset": s.Backupset,
		"subclient": s.Subclient, "operation": s.Operation, "level": s.BackupLevel,
	} {
		if text != "" {
			values[key] = string(text)
		}
	}
	return values, nil
}

// subjectTakes says whether a NATS filter takes a subject.
func subjectTakes(filter, subject string) bool {
	for {
		want, moreWanted, wanted := strings.Cut(filter, ".")
		have, more, has := strings.Cut(subject, ".")
		switch {
		case want == ">":
			return true
		case want != "*" && want != have, wanted != has:
			return false
		case !wanted:
			return true
		}
		filter, subject = moreWanted, more
	}
}

func (r *Relay) takes(e *Event) bool {
	fits := func(filter string) bool { return subjectTakes(filter, e.Subject) }
	return slices.ContainsFunc(r.Subjects, fits) && r.Match.takes(e)
}

// jobOf tells from a subject whose event it is.
func jobOf(prefix, subject string) job.ID {
	if id, ok := event.ParseSubject(prefix, subject); ok {
		return id
	}
	rest := strings.TrimPrefix(subject, withPrefix(prefix, "commcells."))
	name, _, _ := strings.Cut(rest, ".")
	return job.ID{CommCell: name}
}
