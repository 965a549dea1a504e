package email

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// tale is what one event tells, in clean texts.
type tale struct {
	subject, headline, reason string
	at, what, seen            string
	severity                  job.Severity
	class                     job.Class
	facts                     []fact
}

func ofCommCell(d event.CommCellData) tale {
	name, reason := clean(d.CommCell, nameLimit), clean(d.Reason, reasonLimit)
	t := tale{
		subject: "CommCell " + name, reason: reason, at: at(d.ObservedAt), severity: d.Severity, class: job.Succeeded,
		seen: "Seen at " + at(d.ObservedAt),
	}
	t.headline = fmt.Sprintf("CommCell %s answers again", name)
	t.what = "it answers again"
	if d.Detail == job.DetailUnreachable {
		t.class = job.Failed
		t.headline = fmt.Sprintf("CommCell %s gives no answer", name)
		t.what = strings.TrimSuffix("no answer: "+reason, ": ")
	}
	t.facts = facts(fact{"CommCell", name}, fact{"Reason", reason})
	return t
}

func ofJob(id job.ID, d event.JobData) tale {
	s, c := &d.Job, &d.Change
	client := clean(s.Client, nameLimit)
	subject := fmt.Sprintf("Job %d%s (%s)", id.Number, on(client), clean(id.CommCell, nameLimit))
	about := fmt.Sprintf("job %d%s%s (%s)", id.Number, of(clean(s.Subclient, nameLimit)), on(client), clean(id.CommCell, nameLimit))
	return tale{
		subject:  clean(subject, subjectLimit),
		headline: condition(d) + ": " + about,
		reason:   clean(s.ReasonText(), reasonLimit),
		at:       at(c.ObservedAt),
		what:     what(c),
		seen:     seen(c),
		severity: d.Severity,
		class:    class(d),
		facts:    factsOf(s, client),
	}
}

func on(client string) string {
	if client == "" {
		return ""
	}
	return " on " + client
}

func of(subclient string) string {
	if subclient == "" {
		return ""
	}
	return ", " + subclient
}

// condition is the state in the CommServe's words, or what the watch has found.
func condition(d event.JobData) string {
	switch {
	case d.Change.Kind == job.KindWatch && d.Change.Detail == job.DetailLost:
		return "Lost"
	case d.Change.Kind == job.KindWatch && d.Change.Detail == job.DetailStalled:
		return "Stalled"
	case d.Job.State == "":
		return "State unknown"
	}
	return clean(d.Job.State, nameLimit)
}

func class(d event.JobData) job.Class {
	switch {
	case d.Change.Kind == job.KindWatch && (d.Change.Detail == job.DetailLost || d.Change.Detail == job.DetailStalled):
		return job.Unknown
	case weight[job.Class(d.Job.StateClass)] == 0:
		return job.Unknown
	}
	return job.Class(d.Job.StateClass)
}

// what says in one line what has changed.
func what(c *event.Observed) string {
	to := clean(c.To, reasonLimit)
	switch c.Kind + "." + c.Detail {
	case "failure.state":
		return "ended in " + to
	case "failure.items":
		return "not backed up: " + to
	case "failure.vm":
		return fmt.Sprintf("machine %s: %s", clean(c.VM, nameLimit), to)
	case "failure.reason":
		return "waits: " + to + inBrackets(clean(c.Code, nameLimit))
	case "watch.lost":
		return "the CommServe does not know it any more"
	case "watch.stalled":
		return "makes no progress"
	case "watch.resumed":
		return "makes progress again"
	case "watch.attempt":
		return "attempt " + to + " began"
	}
	if c.From == "" {
		return c.Kind + " " + to
	}
	return fmt.Sprintf("%s %s → %s", clean(c.Kind, nameLimit), clean(c.From, nameLimit), to)
}

func inBrackets(code string) string {
	if code == "" {
		return ""
	}
	return " (" + code + ")"
}

// seen says between which two looks the change lies.
func seen(c *event.Observed) string {
	if c.NotBefore == nil {
		return "Seen at " + at(c.ObservedAt) + ", at the first look"
	}
	return "It happened between " + at(*c.NotBefore) + " and " + at(c.ObservedAt)
}

func factsOf(s *job.Snapshot, client string) []fact {
	return facts(
		fact{"Client", client},
		fact{"Subclient", joined(" / ", s.Backupset, s.Subclient)},
		fact{"Agent", joined(" / ", s.Agent, s.Instance)},
		fact{"Operation", joined(", ", s.Operation, s.BackupLevel)},
		fact{"Phase", clean(s.Phase, nameLimit)},
		fact{"Attempt", number(s.Attempt)},
		fact{"Started", moment(s.StartTime)},
		fact{"Ended", moment(s.EndTime)},
		fact{"Took", took(s)},
		fact{"Written", size(s.DataWritten)},
		fact{"Size", size(s.SizeOfApplication)},
		fact{"Failures", clean(s.Failures, nameLimit)},
		fact{"Machines", machines(s.VMs)},
		fact{"Reason", clean(s.ReasonText(), reasonLimit)},
	)
}

// facts are those that say something.
func facts(all ...fact) []fact {
	var told []fact
	for _, f := range all {
		if f.value != "" {
			told = append(told, f)
		}
	}
	return told
}

func joined(separator string, texts ...job.Text) string {
	var parts []string
	for _, text := range texts {
		if part := clean(text, nameLimit); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, separator)
}

func machines(vms *job.VMCount) string {
	if vms == nil || vms.Total == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d failed", vms.Failed, vms.Total)
}

func number(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}

// took is how long the job has run by the CommServe's own count, which leaves pauses out.
func took(s *job.Snapshot) string {
	if s.ElapsedSeconds == nil || *s.ElapsedSeconds < 0 {
		return ""
	}
	return (time.Duration(*s.ElapsedSeconds) * time.Second).String()
}

func size(bytes *int64) string {
	if bytes == nil || *bytes < 0 {
		return ""
	}
	n, units := float64(*bytes), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for n >= 1024 && len(units) > 1 {
		n, units = n/1024, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%.0f B", n)
	}
	return fmt.Sprintf("%.1f %s", n, units[0])
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func moment(t *time.Time) string {
	if t == nil {
		return ""
	}
	return at(*t)
}
