package slack

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// message is what Slack shows: of a job it depends on the last event told of it, and on nothing else.
type message struct {
	Text        string             `json:"text"` // of notifications
	Blocks      []slack.Block      `json:"blocks"`
	Attachments []slack.Attachment `json:"attachments,omitempty"` // the bar of colour at its side
}

const (
	green = "#2eb67d"
	amber = "#ecb22e"
	red   = "#e01e5a"
	grey  = "#868686"
)

// jobMessage shows a job as the event tells it.
func (s *Slack) jobMessage(e event.Event, data event.JobData) message {
	j := &data.Job
	state, subject := headState(data), subjectOf(j)
	head := []slack.RichTextSectionElement{bold(state), plain("  ·  " + joined(" ", name(j.Operation), "job") + " "), s.number(j.JobID())}
	if subject != "" {
		head = append(head, plain("  ·  "+subject))
	}
	var blocks []slack.Block
	if fields := fieldsOf(j); len(fields) > 0 {
		blocks = append(blocks, slack.NewSectionBlock(nil, fields, nil))
	}
	if reason := reasonOf(j.Reason, j.ReasonCode, reasonLimit); reason != "" {
		blocks = append(blocks, slack.NewSectionBlock(plainText(reason), nil, nil))
	}
	if links := s.linkRow(j.JobID()); links != nil {
		blocks = append(blocks, links)
	}
	blocks = append(blocks, slack.NewContextBlock("",
		plainText(joined("  ·  ", j.CommCell, attemptOf(j), "event "+strconv.FormatUint(e.Number(), 10))),
		slack.NewTextBlockObject(slack.MarkdownType, gap(data.Change.NotBefore, data.Change.ObservedAt), false, true)))
	return message{
		Text:        inert(fmt.Sprintf("%s: job %d%s (%s)", state, j.Number, joined("", prefixed(", ", subject)), j.CommCell)),
		Blocks:      []slack.Block{richText(head...)},
		Attachments: []slack.Attachment{{Color: colour(data), Blocks: slack.Blocks{BlockSet: blocks}}},
	}
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

const stateUnknown = "State unknown"

// headState is the state in the CommServe's words; of a job that is lost or stalled it says that first.
func headState(data event.JobData) string {
	state := cmp.Or(name(data.Job.State), stateUnknown)
	if data.Change.Kind != job.KindWatch {
		return state
	}
	switch data.Change.Detail {
	case job.DetailLost:
		return "Lost, last seen " + state
	case job.DetailStalled:
		return "Stalled, " + state
	}
	return state
}

func colour(data event.JobData) string {
	if c := data.Change; c.Kind == job.KindWatch && (c.Detail == job.DetailLost || c.Detail == job.DetailStalled) {
		return amber
	}
	info := job.LookUp(data.Job.State, data.Job.Terminal)
	switch job.Class(data.Job.StateClass) {
	case job.Succeeded:
		if info.Severity != job.Info {
			return amber
		}
		return green
	case job.Partial, job.Killed, job.Held:
		return amber
	case job.Failed:
		return red
	default: // queued, active, unknown
		return grey
	}
}

// subjectOf is what the job is about: nightly on fall.
func subjectOf(j *job.Snapshot) string {
	client := name(cmp.Or(j.Client, j.DestinationClient))
	return joined(" on ", name(j.Subclient), client)
}

// fieldsOf are the columns, at most ten.
func fieldsOf(j *job.Snapshot) []*slack.TextBlockObject {
	var fields []*slack.TextBlockObject
	add := func(label, value string) {
		if value != "" {
			fields = append(fields, plainText(label+": "+value))
		}
	}
	add("Client", words(j.Client, fieldLimit))
	add("Subclient", joined(" / ", name(j.Backupset), name(j.Subclient)))
	add("Level", joined(", ", name(j.BackupLevel), name(j.Agent)))
	add("Phase", joined(", ", name(j.Phase), percentOf(j)))
	add("Took", duration(j))
	add("Size", sizeOf(j))
	add("Failures", failuresOf(j))
	return fields
}

func percentOf(j *job.Snapshot) string {
	if j.PercentComplete == nil || j.Terminal { // 100 is no success
		return ""
	}
	return strconv.FormatFloat(*j.PercentComplete, 'f', -1, 64) + " %"
}

func duration(j *job.Snapshot) string {
	switch {
	case j.StartTime != nil && j.EndTime != nil && !j.EndTime.Before(*j.StartTime):
		return took(j.EndTime.Sub(*j.StartTime))
	case j.ElapsedSeconds != nil && *j.ElapsedSeconds >= 0:
		return took(time.Duration(*j.ElapsedSeconds) * time.Second)
	}
	return ""
}

func sizeOf(j *job.Snapshot) string {
	var size, written string
	if j.SizeOfApplication != nil {
		size = bytesOf(*j.SizeOfApplication)
	}
	if j.DataWritten != nil {
		written = bytesOf(*j.DataWritten) + " written"
	}
	return joined(", ", size, written)
}

func failuresOf(j *job.Snapshot) string {
	var machines, items string
	if j.VMs != nil && j.VMs.Failed > 0 {
		machines = fmt.Sprintf("%d of %d machines", j.VMs.Failed, j.VMs.Total)
	}
	if folders, files, counted := job.ParseFailures(j.Failures); !counted || folders+files > 0 {
		items = words(j.Failures, fieldLimit)
	}
	return joined("; ", items, machines)
}

func attemptOf(j *job.Snapshot) string {
	if j.Attempt == nil || *j.Attempt < 2 {
		return ""
	}
	return "attempt " + strconv.FormatInt(*j.Attempt, 10)
}

// reasonOf is a reason in the CommServe's words, with its code.
func reasonOf(reason, code job.Text, limit int) string {
	said, number := words(reason, limit-nameLimit-len(" []")), name(code)
	if said == "" || number == "" || strings.Contains(said, number) {
		return cmp.Or(said, number)
	}
	return said + " [" + number + "]"
}

// gap says between which two looks at the CommServe the change lies, in the reader's time zone.
func gap(notBefore *time.Time, observed time.Time) string {
	if notBefore == nil {
		return "first seen " + date(observed)
	}
	return "between " + date(*notBefore) + " and " + date(observed)
}

func date(t time.Time) string {
	return fmt.Sprintf("<!date^%d^{date_short} {time_secs}|%s>", t.Unix(), t.UTC().Format("2006-01-02 15:04:05 UTC"))
}

// number is the job's number, a link where one is configured.
func (s *Slack) number(id job.ID) slack.RichTextSectionElement {
	number := strconv.FormatInt(id.Number, 10)
	if len(s.Links) == 0 {
		return plain(number)
	}
	return slack.NewRichTextSectionLinkElement(s.Links[0].to(id), number, nil)
}

// linkRow is a block of all links by their names; nil: there are none.
func (s *Slack) linkRow(id job.ID) slack.Block {
	var row []slack.RichTextSectionElement
	for i, link := range s.Links {
		if i > 0 {
			row = append(row, plain("  ·  "))
		}
		row = append(row, slack.NewRichTextSectionLinkElement(link.to(id), link.Name, nil))
	}
	if row == nil {
		return nil
	}
	return richText(row...)
}

// commCellMessage shows a CommCell that does not answer, or does again.
func commCellMessage(e event.Event, data event.CommCellData) message {
	state, color := "Unreachable", amber
	if data.Detail == job.DetailReachable {
		state, color = "Reachable again", green
	}
	var blocks []slack.Block
	if reason := words(data.Reason, reasonLimit); reason != "" {
		blocks = append(blocks, slack.NewSectionBlock(plainText(reason), nil, nil))
	}
	blocks = append(blocks, slack.NewContextBlock("",
		plainText("event "+strconv.FormatUint(e.Number(), 10)),
		slack.NewTextBlockObject(slack.MarkdownType, "seen "+date(data.ObservedAt), false, true)))
	return message{
		Text:        inert(state + ": CommCell " + data.CommCell),
		Blocks:      []slack.Block{richText(bold(state), plain("  ·  CommCell "+data.CommCell))},
		Attachments: []slack.Attachment{{Color: color, Blocks: slack.Blocks{BlockSet: blocks}}},
	}
}
