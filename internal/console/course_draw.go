package console

import (
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/job"
	"jobwatch/internal/printable"
)

// pen is what a course is drawn with.
type pen struct {
	fills                     map[job.Class]rune
	other, edge, change, dark rune
}

var (
	pens = map[bool]pen{
		true:  {map[job.Class]rune{job.Active: '█', job.Held: '░', job.Queued: '·'}, '▒', '▕', '╱', '╳'},
		false: {map[job.Class]rune{job.Active: '=', job.Held: '-', job.Queued: '.'}, '+', '|', '/', 'x'},
	}
	darkness = yellow
)

const laneName = 10 // cells before a lane

// Draw gives the lines of the course on the width of a screen; none where there is no room or nothing to draw.
func (c *Course) Draw(s Screen, clock Clock) []string {
	d := drawing{Course: c, pen: pens[s.Unicode], unicode: s.Unicode, width: min(s.Width, 200) - laneName - 2, zone: clock.Zone}
	if d.width < 20 || !c.end.After(c.start) {
		return nil
	}
	lines := []string{d.axis(), d.lane("state", c.state, true)}
	if len(c.phase.spans) > 0 {
		lines = append(lines, d.lane("phase", c.phase, false))
	}
	if len(c.stalled.spans) > 0 {
		lines = append(lines, d.lane("stalled", c.stalled, false))
	}
	if len(c.attempts) > 1 {
		lines = append(lines, d.points("attempt", c.attempts, func(p []point) string { return p[len(p)-1].text }))
	}
	if len(c.failures) > 0 {
		lines = append(lines, d.points("failures", c.failures, func(p []point) string { return string("0123456789+"[min(len(p), 10)]) }))
	}
	return append(lines, s.cut(d.legend()))
}

type drawing struct {
	*Course
	pen        pen
	unicode    bool
	width      int
	zone       *time.Location
	drewChange bool
	drewDark   bool
}

// cell is the one that a time falls into.
func (d *drawing) cell(at time.Time) int {
	part := float64(at.Sub(d.start)) / float64(d.end.Sub(d.start))
	return min(max(int(part*float64(d.width)), 0), d.width-1)
}

// middle is the time that a cell is asked about.
func (d *drawing) middle(cell int) time.Time {
	return d.start.Add(time.Duration((float64(cell) + 0.5) / float64(d.width) * float64(d.end.Sub(d.start))))
}

// lane draws what was true when. Whatever was true, where nobody answered it is not known.
func (d *drawing) lane(name string, l lane, whole bool) string {
	row := newRow(d.width)
	for _, s := range l.spans {
		d.fill(row, s)
	}
	for _, s := range l.spans[min(1, len(l.spans)):] {
		row.put(d.cell(s.from), d.pen.edge, plain)
	}
	for _, s := range l.changes {
		d.drewChange = d.over(row, s, d.pen.change, faint) || d.drewChange
	}
	for _, s := range d.silent {
		d.drewDark = d.over(row, s, d.pen.dark, darkness) || d.drewDark
	}
	for _, s := range l.spans {
		d.label(row, s)
	}
	end := ""
	if whole && d.ended != "" {
		l := lookOf(job.Text(d.ended))
		end = l.style.Render(l.sign(d.unicode))
	}
	return pad(name, laneName) + row.String() + " " + end
}

func (d *drawing) fill(row *row, s span) {
	fill, known := d.pen.fills[s.class]
	if !known {
		fill = d.pen.other
	}
	if s.class == d.ended && s.to.IsZero() && d.ended != "" {
		return // the end is a mark behind the lane
	}
	d.over(row, s, fill, lookOf(job.Text(s.class)).style)
}

// over draws where a span has the middle of a cell.
func (d *drawing) over(row *row, s span, with rune, style lipgloss.Style) (drew bool) {
	for i := range row.cells {
		if s.has(d.middle(i)) {
			row.put(i, with, style)
			drew = true
		}
	}
	return drew
}

// label writes what a span is into its longest run of cells, where there is room.
func (d *drawing) label(row *row, s span) {
	fill, known := d.pen.fills[s.class]
	if !known {
		fill = d.pen.other
	}
	begin, longest := 0, 0
	for i, run := d.cell(s.from), 0; i < d.width && (s.has(d.middle(i)) || i == d.cell(s.from)); i++ {
		if run++; row.cells[i].text != string(fill) {
			run = 0
		}
		if run > longest {
			begin, longest = i-run+1, run
		}
	}
	text := printable.Line(s.text)
	if room := longest - 2; ansi.StringWidth(text) > room {
		text = ansi.Truncate(text, room, "")
	}
	if ansi.StringWidth(text) < 3 {
		return
	}
	row.write(begin+(longest-ansi.StringWidth(text))/2, text)
}

// points draws what happened in one cell as one character.
func (d *drawing) points(name string, all []point, text func([]point) string) string {
	row := newRow(d.width)
	cells := map[int][]point{}
	for _, p := range all {
		cells[d.cell(p.at)] = append(cells[d.cell(p.at)], p)
	}
	for cell, of := range cells {
		if mark := printable.Line(text(of)); mark != "" {
			row.put(cell, []rune(mark)[0], red)
		}
	}
	return pad(name, laneName) + row.String()
}

// axis has times at even distances, as exact as their distance asks for.
func (d *drawing) axis() string {
	row := newRow(d.width)
	form := "15:04"
	switch all := d.end.Sub(d.start); {
	case all < 10*time.Minute:
		form = time.TimeOnly
	case d.start.In(d.zone).Format(time.DateOnly) != d.end.In(d.zone).Format(time.DateOnly):
		form = "01-02 15:04"
	}
	marks := max(d.width/(len(form)+8), 1)
	for i := range marks + 1 {
		at := d.start.Add(d.end.Sub(d.start) * time.Duration(i) / time.Duration(marks)).In(d.zone).Format(form)
		place := min(max(i*d.width/marks-len(at)/2, 0), d.width-len(at))
		row.write(place, at)
	}
	return faint.Render(pad(d.start.In(d.zone).Format("MST"), laneName) + strings.TrimRight(row.String(), " "))
}

func (d *drawing) legend() string {
	var parts []string
	if d.drewChange {
		parts = append(parts, string(d.pen.change)+" changed between two polls")
	}
	if d.drewDark {
		parts = append(parts, string(d.pen.dark)+" nothing is known")
	}
	day := d.start.In(d.zone).Format("2006-01-02")
	if last := d.end.In(d.zone).Format("2006-01-02"); last != day {
		day += " to " + last
	}
	return faint.Render(strings.Repeat(" ", laneName) + strings.Join(append([]string{day}, parts...), "   "))
}

// row is a line of cells.
type row struct{ cells []cell }

type cell struct {
	text  string // "": the cell before reaches into it
	style lipgloss.Style
}

func newRow(width int) *row {
	r := &row{make([]cell, width)}
	for i := range r.cells {
		r.cells[i] = cell{" ", plain}
	}
	return r
}

func (r *row) put(i int, with rune, style lipgloss.Style) { r.cells[i] = cell{string(with), style} }

// write puts a text with a space at each end, where that is inside.
func (r *row) write(i int, text string) {
	for _, place := range []int{i - 1, i + ansi.StringWidth(text)} {
		if place >= 0 && place < len(r.cells) {
			r.cells[place] = cell{" ", plain}
		}
	}
	for _, c := range text {
		width := ansi.StringWidth(string(c))
		switch {
		case width == 0 || i < 0 || i+width > len(r.cells):
			continue
		case width == 2:
			r.cells[i+1] = cell{}
		}
		r.cells[i] = cell{string(c), plain}
		i += width
	}
}

func (r *row) String() string {
	var text, run strings.Builder
	for i, c := range r.cells {
		run.WriteString(c.text)
		if i+1 == len(r.cells) || !same(c.style, r.cells[i+1].style) {
			text.WriteString(c.style.Render(run.String()))
			run.Reset()
		}
	}
	return text.String()
}

func same(a, b lipgloss.Style) bool {
	return a.GetForeground() == b.GetForeground() && a.GetFaint() == b.GetFaint() && a.GetBold() == b.GetBold()
}
