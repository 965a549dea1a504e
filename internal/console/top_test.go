package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/terminal"
)

// watcher is what a Top asks.
type watcher struct {
	jobs   []store.Listed
	events []stream.Message
	err    error
}

func (w *watcher) Jobs(context.Context) ([]store.Listed, int, error) {
	if w.err != nil {
		return nil, 0, w.err
	}
	return append([]store.Listed{}, w.jobs...), len(w.jobs), nil
}

func (w *watcher) Job(_ context.Context, id job.ID) (store.Listed, []stream.Message, error) {
	for _, l := range w.jobs {
		if l.ID() == id {
			return l, w.events, w.err
		}
	}
	return store.Listed{}, nil, errors.New("no such job")
}

func (w *watcher) Subject(id job.ID) string {
	return fmt.Sprintf("jobs.%s.%d.>", id.CommCell, id.Number)
}

// seat is a person before a Top.
type seat struct {
	*testing.T
	*watcher
	top *Top
}

func newSeat(t *testing.T, jobs ...store.Listed) *seat {
	s := &seat{T: t, watcher: &watcher{jobs: jobs}}
	s.top = NewTop(t.Context(), s.watcher, Screen{Width: 100, Height: 20, Unicode: true}, clockAt(time.UTC, at(12, 0), true))
	s.gets(tea.WindowSizeMsg{Width: 100, Height: 20})
	s.looks()
	return s
}

// gets has the Top take a message, and what that brings about but the next look.
func (s *seat) gets(msg tea.Msg) {
	s.Helper()
	_, cmd := s.top.Update(msg)
	if _, isLook := msg.(looked); isLook || cmd == nil {
		return
	}
	switch more := cmd().(type) {
	case tea.BatchMsg:
		for _, cmd := range more {
			s.gets(cmd())
		}
	case nil, tea.QuitMsg:
	default:
		s.gets(more)
	}
}

func (s *seat) looks() { s.gets(s.top.look()) }

// types presses keys, one after the other: a name, or the characters of a word behind a colon.
func (s *seat) types(names ...string) {
	s.Helper()
	special := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "down": tea.KeyDown, "backspace": tea.KeyBackspace, "end": tea.KeyEnd}
	for _, name := range names {
		if code, known := special[name]; known {
			s.gets(tea.KeyPressMsg{Code: code})
			continue
		}
		for _, r := range name {
			s.gets(tea.KeyPressMsg{Code: r, Text: string(r)})
		}
	}
}

func (s *seat) screen() string { return ansi.Strip(s.top.View().Content) }

// sees wants the jobs that are listed, in order, the one that the cursor is on with > before it.
func (s *seat) sees(want string) {
	s.Helper()
	var got []string
	for line := range strings.Lines(s.screen()) {
		if i := strings.Index(line, "prod/"); i == 2 {
			got = append(got, strings.TrimSpace(line[:2])+strings.Fields(line[2:])[0][len("prod/"):])
		}
	}
	if strings.Join(got, " ") != want {
		s.Errorf("seen is %q, want %q:\n%s", strings.Join(got, " "), want, s.screen())
	}
}

func (s *seat) says(want string) {
	s.Helper()
	if !strings.Contains(s.screen(), want) {
		s.Errorf("%q is not on the screen:\n%s", want, s.screen())
	}
}

func ran(number int64, client, state job.Text, minutes int) store.Listed {
	l := store.Listed{Snapshot: job.Snapshot{CommCell: "prod", Number: number, Client: client, State: state, Subclient: "default", StartTime: new(at(9, 0))}}
	if minutes > 0 {
		l.Snapshot.EndTime = new(at(9, minutes))
	}
	l.Snapshot.Settle()
	return l
}

func some() []store.Listed {
	stalled := ran(9, "tape", "Running", 0)
	stalled.Told.Stalled = true
	return []store.Listed{
		stalled, ran(8, "sql-01", "Running", 0), ran(7, "sql-02", "Pending", 0), ran(6, "web", "Waiting", 0),
		ran(5, "sql-01", "Completed", 50), ran(4, "sql-01", "Failed", 40), ran(3, "web", "Killed", 30), ran(2, "sql-02", "Failed", 20),
	}
}

func TestTop(t *testing.T) {
	s := newSeat(t, some()...)
	s.sees(">9 3 2 7 8 6 4 5") // 4 has failed, and 5 has made it good
	s.says("2 running  1 waiting  1 held  1 stalled  3 ended badly  1 ended well")
	s.types("f")
	s.sees(">9 3 2 7 4")
	s.types("/", "sql", "enter")
	s.sees(">2 7 4") // both at once
	s.types("f")
	s.sees(">2 7 8 4 5")
	s.types("/", " -failed", "enter")
	s.sees(">7 8 5")
	s.types("esc")
	s.sees(">9 3 2 7 8 6 4 5")
	s.types("/", "nothing is called so", "enter")
	s.says("None of the 8 jobs is like that.")
	s.types("esc", "s")
	s.sees(">9 8 7 6 5 4 3 2")
	s.types("ss")
	s.sees(">8 5 4 7 2 9 6 3") // by client
	s.types("sss", "?")
	s.says("faults only: ended badly, held or stalled")
	s.types("x")
	s.sees(">9 8 7 6 5 4 3 2")
}

// TestTopKeepsItsPlace has jobs come and go above the one that is looked at.
func TestTopKeepsItsPlace(t *testing.T) {
	s := newSeat(t, some()...)
	s.types("s", "down", "j")
	s.sees("9 8 >7 6 5 4 3 2")
	s.jobs = append([]store.Listed{ran(11, "new", "Running", 0), ran(10, "new", "Running", 0)}, s.jobs...)
	s.looks()
	s.sees("11 10 9 8 >7 6 5 4 3 2")
	s.jobs = s.jobs[5:]
	s.looks()
	s.sees(">6 5 4 3 2")
	s.jobs = nil
	for n := range int64(100) {
		s.jobs = append(s.jobs, ran(200-n, "many", "Running", 0))
	}
	s.looks()
	s.types("end")
	if screen := s.screen(); !strings.Contains(screen, "> prod/101") || strings.Contains(screen, "prod/200") {
		t.Errorf("the last is not there:\n%s", screen)
	}
}

// TestTopSaysThatNothingIsHeard: what stands there is as old as it says.
func TestTopSaysThatNothingIsHeard(t *testing.T) {
	s := newSeat(t, some()...)
	s.err = errors.New("no watcher is running")
	s.looks()
	s.says("(!) Nothing heard since 2026-03-28 12:00:00 UTC, which is what stands here: no watcher is running")
	s.sees(">9 3 2 7 8 6 4 5")
	if title := s.top.View().WindowTitle; title != "(!) jobwatch" {
		t.Errorf("the window is called %q", title)
	}
	s.err = nil
	s.looks()
	if strings.Contains(s.screen(), "Nothing heard") {
		t.Errorf("it is heard again:\n%s", s.screen())
	}
}

func TestTopOpensAJob(t *testing.T) {
	s := newSeat(t, some()...)
	s.events = newTeller(t).night()[:4]
	s.types("f", "down", "enter")
	s.says("prod/3  ■ Killed")
	s.types("end")
	s.says("state           Running → Failed") // what the stream has told
	s.types("esc")
	s.sees("9 >3 2 7 4")

	s.err = errors.New("NATS is away")
	s.types("enter")
	s.says("prod/3  ■ Killed") // what is known stays
	s.says("(!) NATS is away")
}

// TestTopCopiesTheSubject finds it in what the terminal gets (OSC 52).
func TestTopCopiesTheSubject(t *testing.T) {
	s := newSeat(t, some()...)
	for _, keys := range [][]string{{"y"}, {"enter", "y"}} {
		s.types(keys[:len(keys)-1]...)
		_, cmd := s.top.Update(tea.KeyPressMsg{Code: 'y', Text: "y"})
		if got := fmt.Sprint(cmd()); got != "jobs.prod.9.>" {
			t.Errorf("copied is %q", got)
		}
		s.says("copied: jobs.prod.9.>")
	}
}

// TestTopFits holds every screen to its size, and the texts to what a terminal bears.
func TestTopFits(t *testing.T) {
	evil := ran(1, terminal.Evil, "Failed", 10)
	evil.Snapshot.Reason = terminal.Evil
	wide := ran(2, "データベースサーバー", "Running", 0)
	for _, size := range [][2]int{{1, 1}, {10, 3}, {40, 5}, {80, 24}, {200, 50}} {
		s := newSeat(t, evil, wide)
		s.gets(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
		for _, keys := range [][]string{nil, {"/", "\u202e\x1b[2J", "enter"}, {"esc", "enter"}, {"?"}} {
			s.types(keys...)
			lines := strings.Split(s.screen(), "\n")
			if len(lines) > size[1] {
				t.Errorf("after %q: %d lines on %d", keys, len(lines), size[1])
			}
			for _, line := range lines {
				if ansi.StringWidth(line) > size[0] || strings.ContainsAny(line, "\u202e\x1b\a") {
					t.Errorf("after %q a line of %d cells on %d: %q", keys, ansi.StringWidth(line), size[0], line)
				}
			}
		}
	}
}

// TestTopRuns is the whole program: it draws, takes a key, and ends by q and by its context.
func TestTopRuns(t *testing.T) {
	for name, ends := range map[string]func(keys io.Writer, cancel func()){
		"by q":           func(keys io.Writer, _ func()) { io.WriteString(keys, "q") },
		"by its context": func(_ io.Writer, cancel func()) { cancel() },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		typed, keys := io.Pipe()
		var drawn bytes.Buffer
		out := make(chan []byte)
		top := NewTop(ctx, &watcher{jobs: some()}, Screen{Width: 80, Height: 24, Unicode: true}, clockAt(time.UTC, at(12, 0), true))
		ended := make(chan error, 1)
		go func() {
			ended <- top.Run(tea.WithInput(typed), tea.WithOutput(writes(out)), tea.WithWindowSize(80, 24), tea.WithEnvironment([]string{"TERM=xterm"}))
			close(out)
		}()
		asked := false
		for part := range out {
			drawn.Write(part)
			if !asked && strings.Contains(drawn.String(), "ended badly") {
				asked = true
				go ends(keys, cancel)
			}
		}
		if err := <-ended; err != nil || !strings.Contains(drawn.String(), "prod/9") {
			t.Errorf("%s: %v\n%q", name, err, drawn.String())
		}
		cancel()
	}
}

// writes gives what is written to a channel.
type writes chan<- []byte

func (w writes) Write(text []byte) (int, error) {
	w <- bytes.Clone(text)
	return len(text), nil
}
