package email

import (
	"fmt"
	"slices"
	"strings"

	"jobwatch/internal/job"
	"jobwatch/internal/relay"
)

// letter is what a mail says. All its texts are clean.
type letter struct {
	thread   string // what the mails of one thread have in common; empty: it stands alone
	last     string // id of the last event told
	about    string // prod/1248
	subject  string // the same in all of a thread
	headline string
	severity job.Severity
	class    job.Class
	facts    []fact
	happened []happening
	jobs     []row
	footer   string
	replayed bool
}

type fact struct{ name, value string }

type happening struct{ at, what string }

// row is a job of a group.
type row struct {
	name, headline, reason string
	class                  job.Class
}

// jobLetter tells of the events, all of one job, up to the first that cannot be read. It says how many those are.
func jobLetter(relayName string, events []*relay.Event) (int, letter, error) {
	l := letter{severity: job.Info}
	for i, e := range events {
		told, err := read(e)
		if err != nil {
			return i, l, &relay.Refusal{Kind: relay.Unfit, Reason: forReason(err.Error())}
		}
		l.happened = append(l.happened, happening{told.at, told.what})
		l.severity = worse(l.severity, told.severity)
		l.replayed = l.replayed || e.Replayed
		l.thread, l.last, l.about = e.Job.String(), e.ID, clean(e.Job.String(), nameLimit)
		l.subject, l.headline, l.class, l.facts = told.subject, told.headline, told.class, told.facts
		l.footer = fmt.Sprintf("%s. Sent by jobwatch, relay %s; event %s.", told.seen, relayName, clean(e.ID, nameLimit))
	}
	return len(events), l, nil
}

// groupLetter lists the jobs of a group, each as its last event shows it.
func groupLetter(relayName string, b relay.Batch) letter {
	l := letter{severity: job.Info, class: job.Succeeded}
	last := make(map[job.ID]int)
	for _, e := range b.Events {
		told, err := read(e)
		if err != nil {
			told = tale{headline: "an event that cannot be read: " + forReason(err.Error()), class: job.Unknown}
		}
		at, known := last[e.Job]
		if !known {
			at = len(l.jobs)
			last[e.Job], l.jobs = at, append(l.jobs, row{})
		}
		l.jobs[at] = row{clean(e.Job.String(), nameLimit), told.headline, told.reason, told.class}
		l.severity = worse(l.severity, told.severity)
		l.replayed = l.replayed || e.Replayed
		l.last = e.ID
	}
	l.about = clean(b.Group, nameLimit)
	l.headline = fmt.Sprintf("%d jobs of %s: %s", len(l.jobs), l.about, count(l.jobs))
	l.subject = clean(l.headline, subjectLimit)
	for _, r := range l.jobs {
		if weight[r.class] > weight[l.class] {
			l.class = r.class
		}
	}
	l.footer = fmt.Sprintf("Sent by jobwatch, relay %s; %d events, the last is %s.", relayName, len(b.Events), clean(l.last, nameLimit))
	return l
}

// count says how many jobs are of which class, the worst first.
func count(jobs []row) string {
	counts := make(map[job.Class]int)
	for _, r := range jobs {
		counts[r.class]++
	}
	var parts []string
	for _, class := range byWeight {
		if n := counts[class]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, class))
		}
	}
	return strings.Join(parts, ", ")
}

// byWeight are the classes of jobs, what should worry most first.
var byWeight = []job.Class{
	job.Failed, job.Killed, job.Partial, job.Unknown, job.Held, job.Active, job.Queued, job.Succeeded,
}

var weight = func() map[job.Class]int {
	weights := make(map[job.Class]int)
	for i, class := range byWeight {
		weights[class] = len(byWeight) - i
	}
	return weights
}()

func worse(a, b job.Severity) job.Severity {
	order := []job.Severity{job.Info, job.Warning, job.Error}
	return order[max(slices.Index(order, a), slices.Index(order, b), 0)]
}

// read makes a tale of an event.
func read(e *relay.Event) (tale, error) {
	parsed, err := e.Parsed()
	if err != nil {
		return tale{}, err
	}
	if parsed.IsCommCell() {
		data, err := parsed.CommCell()
		return ofCommCell(data), err
	}
	data, err := e.JobData()
	return ofJob(e.Job, data), err
}
