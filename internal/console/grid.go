package console

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/printable"
)

// Column is one of a table of T.
type Column[T any] struct {
	Name  string
	Most  int // cells that it takes on a terminal; 0: as many as there are
	Text  func(T) string
	Style func(T) lipgloss.Style // nil: plain
}

const (
	rowsAtOnce = 200 // that are laid out together: the first of 50,000 come at once
	gap        = "  "
	narrowest  = 6 // cells of a column that others need the room of
)

// Grid prints rows as they come: the first of them say how wide the columns are. On a terminal a row is a line and what
// does not fit is cut; elsewhere it is never cut.
type Grid[T any] struct {
	screen  Screen
	columns []Column[T]
	widths  []int // nil: not yet laid out
	held    [][]string
}

// NewGrid is a Grid whose head is not yet printed.
func NewGrid[T any](screen Screen, columns []Column[T]) *Grid[T] {
	return &Grid[T]{screen: screen, columns: columns}
}

// Add prints a row, with others or at the End.
func (g *Grid[T]) Add(of T) error {
	if g.held = append(g.held, g.cells(of)); len(g.held) < rowsAtOnce {
		return nil
	}
	return g.flush()
}

// End prints what was held back; the head also where there was no row.
func (g *Grid[T]) End() error {
	if g.widths == nil || len(g.held) > 0 {
		return g.flush()
	}
	return nil
}

// cells puts "-" where there is nothing, so that columns can be counted.
func (g *Grid[T]) cells(of T) []string {
	cells := make([]string, len(g.columns))
	for i, c := range g.columns {
		text := printable.Line(c.Text(of))
		if text == "" {
			text = "-"
		}
		if c.Style != nil && g.screen.Terminal() {
			text = c.Style(of).Render(text)
		}
		cells[i] = text
	}
	return cells
}

func (g *Grid[T]) flush() error {
	_, err := lipgloss.Fprint(g.screen.Out, strings.Join(g.lines(), "\n")+"\n")
	return err
}

// Table gives the lines of a head and rows.
func Table[T any](s Screen, columns []Column[T], rows []T) []string {
	g := NewGrid(s, columns)
	for _, of := range rows {
		g.held = append(g.held, g.cells(of))
	}
	return g.lines()
}

// lines are those of the rows that are held, below the head where it comes first.
func (g *Grid[T]) lines() (lines []string) {
	if g.widths == nil {
		g.layOut()
		head := make([]string, len(g.columns))
		for i, c := range g.columns {
			if head[i] = c.Name; g.screen.Terminal() {
				head[i] = faint.Render(c.Name)
			}
		}
		lines = append(lines, g.line(head))
	}
	for _, cells := range g.held {
		lines = append(lines, g.line(cells))
	}
	g.held = g.held[:0]
	return lines
}

// layOut gives each column what its widest cell wants, and on a terminal takes from the widest until all fit.
func (g *Grid[T]) layOut() {
	g.widths = make([]int, len(g.columns))
	sum := len(gap) * (len(g.columns) - 1)
	for i, c := range g.columns {
		g.widths[i] = ansi.StringWidth(c.Name)
		for _, cells := range g.held {
			g.widths[i] = max(g.widths[i], ansi.StringWidth(cells[i]))
		}
		if c.Most > 0 && g.screen.Terminal() {
			g.widths[i] = min(g.widths[i], c.Most)
		}
		sum += g.widths[i]
	}
	g.spread(g.screen.Width - sum)
	for ; g.screen.Terminal() && sum > g.screen.Width; sum-- {
		widest := 1 // the first names the row, and stays whole
		for i := range g.widths {
			if i > 0 && g.widths[i] > g.widths[widest] {
				widest = i
			}
		}
		if len(g.widths) < 2 || g.widths[widest] <= narrowest {
			return
		}
		g.widths[widest]--
	}
}

// spread gives room that is left to columns that later rows may want it for, where there may be later rows.
func (g *Grid[T]) spread(room int) {
	if len(g.held) < rowsAtOnce {
		return
	}
	for i, c := range g.columns {
		more := max(min(c.Most-g.widths[i], room), 0)
		g.widths[i] += more
		room -= more
	}
}

func (g *Grid[T]) line(cells []string) string {
	var line strings.Builder
	for i, cell := range cells {
		if g.screen.Terminal() && i > 0 {
			cell = ansi.Truncate(cell, g.widths[i], g.screen.ellipsis())
		}
		if line.WriteString(cell); i < len(cells)-1 {
			line.WriteString(strings.Repeat(" ", max(g.widths[i]-ansi.StringWidth(cell), 0)) + gap)
		}
	}
	return g.screen.cut(line.String())
}

func (s Screen) ellipsis() string {
	if s.Unicode {
		return "…"
	}
	return "~"
}

// cut keeps a line of a terminal from being two.
func (s Screen) cut(line string) string {
	if !s.Terminal() {
		return line
	}
	return ansi.Truncate(line, s.Width, s.ellipsis())
}
