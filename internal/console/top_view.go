package console

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/job"
	"jobwatch/internal/printable"
)

const around = 4 // lines that are no rows: two above, the head, the keys

// rows is how many of them there is room for.
func (t *Top) rows() int { return max(t.screen.Height-around, 1) }

// View draws the screen.
func (t *Top) View() tea.View {
	var lines []string
	switch {
	case t.help:
		lines = t.viewHelp()
	case t.open != nil:
		lines = t.viewPage()
	default:
		lines = t.viewList()
	}
	for i, line := range lines {
		lines[i] = t.screen.cut(line)
	}
	v := tea.NewView(strings.Join(lines[:min(len(lines), t.screen.Height)], "\n"))
	v.AltScreen, v.WindowTitle = true, t.title()
	return v
}

// title says the worst, for a window that is not looked at.
func (t *Top) title() string {
	if t.err != nil {
		return "(!) jobwatch"
	}
	return "jobwatch"
}

func (t *Top) viewList() []string {
	lines := []string{t.headline(), t.choice()}
	place := t.place()
	t.top = min(max(t.top, place-t.rows()+1, 0), place)
	to := min(t.top+t.rows(), len(t.shown))
	of := t.screen
	of.Width = max(of.Width-2, 1)
	for i, line := range Table(of, JobColumns(of, t.clock, false), t.shown[t.top:to]) {
		if i > 0 && t.top+i-1 == place {
			line = lipgloss.NewStyle().Reverse(true).Render("> " + pad(ansi.Strip(line), of.Width))
		} else {
			line = "  " + line
		}
		lines = append(lines, line)
	}
	if len(t.shown) == 0 && !t.heard.IsZero() {
		lines = append(lines, "", "  "+t.nothing())
	}
	for len(lines) < t.screen.Height-1 {
		lines = append(lines, "")
	}
	return append(lines, t.footer("/ filter  f faults  s order  Enter job  y copy  ? keys  q leave"))
}

func (t *Top) nothing() string {
	if len(t.jobs) == 0 {
		return "No job has been seen in this time."
	}
	return fmt.Sprintf("None of the %d jobs is like that. Esc shows all.", len(t.jobs))
}

// headline counts what was read, and says when nothing is heard any more.
func (t *Top) headline() string {
	if t.heard.IsZero() && t.err == nil {
		return "jobwatch: asking the watcher…"
	}
	counts := map[string]int{}
	for i := range t.jobs {
		l := &t.jobs[i]
		if isStalled(l) {
			counts["stalled"]++
		}
		if class := job.Class(l.Snapshot.StateClass); class.Failing() {
			counts["bad"]++
		} else {
			counts[string(class)]++
		}
	}
	parts := []string{bold.Render("jobwatch")}
	for _, c := range []struct {
		of, words string
		style     lipgloss.Style
	}{
		{"active", "running", blue}, {"queued", "waiting", plain}, {"held", "held", yellow}, {"stalled", "stalled", red},
		{"bad", "ended badly", red}, {"succeeded", "ended well", green},
	} {
		if n := counts[c.of]; n > 0 {
			parts = append(parts, c.style.Render(fmt.Sprintf("%d %s", n, c.words)))
		}
	}
	line := strings.Join(parts, "  ")
	if t.all > len(t.jobs) {
		line += fmt.Sprintf("  (the first %d of %d)", len(t.jobs), t.all)
	}
	if t.err != nil {
		return red.Render("(!) Nothing heard " + t.since() + ": " + printable.Line(t.err.Error()))
	}
	return line + "  " + faint.Render(t.clock.Moment(&t.heard))
}

func (t *Top) since() string {
	if t.heard.IsZero() {
		return "yet"
	}
	return "since " + t.clock.Moment(&t.heard) + ", which is what stands here"
}

// choice is what is shown of it.
func (t *Top) choice() string {
	parts := []string{"order: " + orders[t.order].name}
	if t.faults {
		parts = append(parts, "faults only")
	}
	if len(t.shown) < len(t.jobs) {
		parts = append(parts, fmt.Sprintf("%d of %d", len(t.shown), len(t.jobs)))
	}
	line := faint.Render(strings.Join(parts, "  "))
	switch {
	case t.typing:
		return "/" + printable.Line(t.filter) + lipgloss.NewStyle().Reverse(true).Render(" ") + "  " + line
	case t.filter != "":
		return bold.Render("/"+printable.Line(t.filter)) + "  " + line
	default:
		return line
	}
}

func (t *Top) footer(keys string) string {
	if t.note != "" {
		return bold.Render(printable.Line(t.note))
	}
	return faint.Render(keys)
}

func (t *Top) viewPage() []string {
	p := t.open
	p.scroll = min(p.scroll, t.lowest())
	end := min(p.scroll+t.screen.Height-1, len(p.lines))
	lines := append([]string{}, p.lines[p.scroll:end]...)
	for len(lines) < t.screen.Height-1 {
		lines = append(lines, "")
	}
	return append(lines, t.footer("Esc back  j k scroll  y copy the subject  ? keys"))
}

// lowest is how far a page can be scrolled: its last line is on the screen, above the keys.
func (t *Top) lowest() int { return max(len(t.open.lines)-t.screen.Height+1, 0) }

// page is a job's, with what the stream has told of it.
func (t *Top) page(o opened) []string {
	if o.err != nil {
		return append(t.open.lines, "", red.Render("(!) "+printable.Line(o.err.Error())))
	}
	lines := Page(t.screen, t.clock, &o.job)
	course, events := NewCourse(), NewEvents(t.screen, t.clock)
	var told []string
	for _, m := range o.events {
		if d, ok := jobEvent(m); ok {
			course.Tell(d)
		}
		if text := events.textOf(m); text != "" {
			told = append(told, strings.Split(text, "\n")...)
		}
	}
	course.Until(LastAnswer(&o.job), t.clock.Now())
	if drawn := course.Draw(t.screen, t.clock); drawn != nil {
		lines = append(append(lines, ""), drawn...)
	}
	return append(append(lines, ""), told...)
}

func (t *Top) viewHelp() []string {
	lines := []string{bold.Render("Keys"), ""}
	for _, k := range keys {
		lines = append(lines, "  "+pad(k[0], 14)+k[1])
	}
	return append(lines, "", "Jobs are shown that have not ended, and those that ended in the last 24 hours, or since --since.",
		"", faint.Render("Any key leads back."))
}
