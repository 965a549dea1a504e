package slack

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// What a reply has at most; what piled up beyond it is the next reply's.
const (
	maxLines   = 30
	replyWords = 9000
)

// line is what a thread says of one event.
type line struct {
	strong string // in bold
	rest   string
	seen   time.Time
}

func (l line) size() int { return width(l.strong) + width(l.rest) + len(l.when()) }

func (l line) when() string { return "  ·  " + clock(l.seen) }

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// lineOf is what a thread says of an event about a job. A phase changes the message alone.
func lineOf(data event.JobData) (l line, told bool) {
	c := &data.Change
	l.seen = c.ObservedAt
	switch c.Kind {
	case job.KindState:
		l.strong, l.rest = cmp.Or(words(c.To, lineLimit), stateUnknown), prefixed(", was ", words(c.From, lineLimit))
	case job.KindFailure:
		l.strong, l.rest = failureLine(c)
	case job.KindWatch:
		l.strong, l.rest = watchLine(c)
	default:
		return line{}, false
	}
	return l, true
}

func failureLine(c *event.Observed) (strong, rest string) {
	said := ": " + words(c.To, lineLimit)
	switch c.Detail {
	case job.DetailState:
		return "Failure", said
	case job.DetailItems:
		return "Items failed", said
	case job.DetailVM:
		return "Machine failed", ": " + joined(": ", words(c.VM, nameLimit), words(c.To, lineLimit))
	default:
		return "Reason", ": " + reasonOf(c.To, c.Code, lineLimit+nameLimit)
	}
}

func watchLine(c *event.Observed) (strong, rest string) {
	switch c.Detail {
	case job.DetailLost:
		return "Lost", ": the CommServe no longer knows the job"
	case job.DetailStalled:
		return "Stalled", ": no progress"
	case job.DetailResumed:
		return "Resumed", ": progress again"
	default:
		return "Attempt " + words(c.To, nameLimit), ""
	}
}

// commCellLine is what the thread says of an event about a CommCell.
func commCellLine(data event.CommCellData) line {
	if data.Detail == job.DetailReachable {
		return line{strong: "Reachable again", seen: data.ObservedAt}
	}
	return line{strong: "Unreachable", rest: prefixed(": ", words(data.Reason, lineLimit)), seen: data.ObservedAt}
}

// reply is a message of a thread. What is told to the channel too says first what it is about.
func reply(head string, lines []line, broadcast bool) message {
	var elements []slack.RichTextSectionElement
	var texts []string
	if broadcast {
		elements, texts = append(elements, bold(head)), append(texts, head)
	}
	for _, l := range lines {
		if len(elements) > 0 {
			elements = append(elements, plain("\n"))
		}
		elements, texts = append(elements, bold(l.strong), plain(l.rest+l.when())), append(texts, l.strong+l.rest+l.when())
	}
	return message{
		Text:   inert(clip(strings.Join(texts, "\n"), reasonLimit)),
		Blocks: []slack.Block{richText(elements...)},
	}
}

// headOf names the job of a reply that the channel sees.
func headOf(data event.JobData) string {
	j := &data.Job
	return joined("  ·  ", headState(data), fmt.Sprintf("job %d", j.Number), subjectOf(j), j.CommCell)
}
