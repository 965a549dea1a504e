package console

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/printable"
	"jobwatch/internal/stream"
)

// Events prints events as they come, a line each. On a terminal a line above them says the day and the zone, and says
// them again when the day changes; elsewhere each line has its whole time.
type Events struct {
	screen Screen
	clock  Clock
	day    string
	ended  map[string]job.Text // job => the state that was told last, where a failure event tells it again
}

// NewEvents is for one stream of events.
func NewEvents(s Screen, c Clock) *Events {
	return &Events{screen: s, clock: c, ended: map[string]job.Text{}}
}

var severities = map[job.Severity]look{
	job.Info:    {"·", ".", green},
	job.Warning: {"!", "!", yellow},
	job.Error:   {"✗", "x", red},
}

// Print prints one message of the stream. What is no event of ours is passed over, and so is the failure of a state that
// the line before has told of the job.
func (p *Events) Print(m stream.Message) error {
	text := p.textOf(m)
	if text == "" {
		return nil
	}
	_, err := lipgloss.Fprintln(p.screen.Out, text)
	return err
}

// Shows says whether a message has a line, and takes it for one that was printed.
func (p *Events) Shows(m stream.Message) bool { return p.textOf(m) != "" }

// textOf is the line of a message; "": there is none.
func (p *Events) textOf(m stream.Message) string {
	e, err := event.Parse(m.Data)
	if err != nil {
		return ""
	}
	if e.IsCommCell() {
		if data, err := e.CommCell(); err == nil {
			return p.text(e, data.Severity, data.CommCell, "", data.Detail, string(data.Reason))
		}
		return ""
	}
	data, err := e.Job()
	if err != nil || p.repeats(e.PartitionKey, data.Change.Change) {
		return ""
	}
	return p.text(e, data.Severity, e.PartitionKey, string(data.Job.Client), What(data.Change.Change), Words(data.Change.Change))
}

// jobEvent reads what an event says of a job; false where a message is none.
func jobEvent(m stream.Message) (event.JobData, bool) {
	e, err := event.Parse(m.Data)
	if err != nil || e.IsCommCell() {
		return event.JobData{}, false
	}
	data, err := e.Job()
	return data, err == nil
}

const mostEnded = 10_000

// repeats notes a state of which a failure event follows, and finds that one.
func (p *Events) repeats(of string, c job.Change) bool {
	switch {
	case c.Kind == job.KindState && job.LookUp(c.To, true).Class.Failing():
		if len(p.ended) == mostEnded { // their failures are not read here
			clear(p.ended)
		}
		p.ended[of] = c.To
	case c.Kind == job.KindState:
		delete(p.ended, of)
	case c.Kind == job.KindFailure && c.Detail == job.DetailState:
		told, known := p.ended[of]
		delete(p.ended, of)
		return known && told == c.To
	}
	return false
}

// What names a change without what its words say better: the slug of a state or phase.
func What(c job.Change) string {
	if c.Kind == job.KindState || c.Kind == job.KindPhase {
		return c.Kind
	}
	return c.Kind + "." + c.Detail
}

// Words are what a change has changed.
func Words(c job.Change) string {
	text := string(c.To)
	if c.From != "" {
		text = string(c.From) + " → " + text
	}
	if c.VM != "" {
		text = c.VM + ": " + text
	}
	return text
}

// The columns that are aligned, in cells.
const (
	jobWidth        = 14
	whatWidth       = 15
	clientLeast     = 12
	clientMost      = 40
	clientElsewhere = 24
)

func (p *Events) text(e event.Event, s job.Severity, of, client, what, words string) string {
	of, client, what, words = printable.Line(of), printable.Line(client), printable.Line(what), printable.Line(words)
	if client == "" {
		client = "-"
	}
	at := e.Time.In(p.clock.Zone)
	if !p.screen.Terminal() {
		return fmt.Sprintf("%s  %-7s  %s  %s  %s  %s", p.clock.Cell(&e.Time), s, pad(of, jobWidth), pad(client, clientElsewhere), pad(what, whatWidth), words)
	}
	day := ""
	if now := at.Format("Monday 2006-01-02, MST"); now != p.day {
		day, p.day = bold.Render(p.screen.cut(now))+"\n", now
	}
	l, known := severities[s]
	if !known {
		l = severities[job.Info]
	}
	if !p.screen.Unicode {
		words = strings.ReplaceAll(words, "→", "->")
	}
	room := min(max(p.screen.Width-90, clientLeast), clientMost)
	client = ansi.Truncate(client, room, p.screen.ellipsis())
	return day + p.screen.cut(fmt.Sprintf("%s %s %s %s %s %s", faint.Render(at.Format("15:04:05")), l.style.Render(l.sign(p.screen.Unicode)),
		pad(of, jobWidth), pad(client, room), l.style.Render(pad(what, whatWidth)), words))
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-ansi.StringWidth(text), 0))
}
