package console

import (
	"slices"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

var keys = [][2]string{
	{"j k, arrows", "up and down; PgUp, PgDn, g, G"},
	{"/", "filter: words that are all there, -word for one that is not; Esc takes it away"},
	{"f", "faults only: ended badly, held or stalled; also together with a filter"},
	{"s", "another order: what needs you, newest, longest, client, done"},
	{"Enter", "the job's page; Esc leads back"},
	{"y", "copy the subject of the job's events"},
	{"r", "look now"},
	{"?", "these keys"},
	{"q", "leave"},
}

// key does what a key is for.
func (t *Top) key(k tea.KeyPressMsg) tea.Cmd {
	t.note = ""
	name := k.String()
	switch {
	case name == "ctrl+c":
		return tea.Quit
	case t.typing:
		t.edit(k)
		return nil
	case t.help:
		t.help = false
		return nil
	case t.open != nil:
		return t.pageKey(name)
	}
	return t.listKey(name)
}

// edit edits the filter.
func (t *Top) edit(k tea.KeyPressMsg) {
	switch k.String() {
	case "enter":
		t.typing = false
	case "esc":
		t.typing, t.filter = false, ""
	case "ctrl+u":
		t.filter = ""
	case "backspace":
		_, size := utf8.DecodeLastRuneInString(t.filter)
		t.filter = t.filter[:len(t.filter)-size]
	default:
		t.filter += k.Text
	}
	t.top = 0
	t.arrange()
}

func (t *Top) listKey(name string) tea.Cmd {
	switch name {
	case "q":
		return tea.Quit
	case "?":
		t.help = true
	case "/":
		t.typing = true
	case "esc":
		t.filter, t.faults = "", false
		t.arrange()
	case "f":
		t.faults = !t.faults
		t.arrange()
	case "s":
		t.order = (t.order + 1) % len(orders)
		t.top, t.cursor = 0, job.ID{}
		t.arrange()
	case "r":
		return t.look
	case "enter":
		if l := t.selected(); l != nil {
			t.open = &openJob{id: l.ID(), lines: Page(t.screen, t.clock, l)}
			return t.openJob(l.ID())
		}
	case "y":
		if l := t.selected(); l != nil {
			return t.copySubject(l.ID())
		}
	default:
		t.move(name)
	}
	return nil
}

func (t *Top) pageKey(name string) tea.Cmd {
	p := t.open
	switch name {
	case "q", "esc", "enter", "backspace":
		t.open = nil
		return nil
	case "?":
		t.help = true
	case "y":
		return t.copySubject(p.id)
	}
	p.scroll = min(max(p.scroll+t.step(name), 0), t.lowest())
	return nil
}

// copySubject has the terminal put the subject into the clipboard, where it does such things (OSC 52).
func (t *Top) copySubject(id job.ID) tea.Cmd {
	subject := t.source.Subject(id)
	t.note = "copied: " + subject
	return tea.SetClipboard(subject)
}

// step is how far a key goes; beyond either end for those that go there.
func (t *Top) step(name string) int {
	const far = 1 << 30
	switch name {
	case "up", "k":
		return -1
	case "down", "j":
		return 1
	case "pgup", "ctrl+b":
		return -t.rows()
	case "pgdown", "ctrl+f", "space":
		return t.rows()
	case "home", "g":
		return -far
	case "end", "G", "shift+g":
		return far
	default:
		return 0
	}
}

func (t *Top) move(name string) {
	if by := t.step(name); by != 0 && len(t.shown) > 0 {
		to := min(max(t.place()+by, 0), len(t.shown)-1)
		t.cursor = t.shown[to].ID()
	}
}

// place is where the cursor is: it stays on its job, whatever moves. Where that is gone, on the first.
func (t *Top) place() int {
	return max(slices.IndexFunc(t.shown, func(l *store.Listed) bool { return l.ID() == t.cursor }), 0)
}

func (t *Top) selected() *store.Listed {
	if len(t.shown) == 0 {
		return nil
	}
	return t.shown[t.place()]
}
