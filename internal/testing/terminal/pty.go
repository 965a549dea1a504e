package terminal

import (
	"context"
	"io"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/term"
)

// Seat is a person at a real terminal, in which a program runs.
type Seat struct {
	t      *testing.T
	keys   *os.File // the terminal's end
	tty    *os.File // the program's
	before *term.State
	screen *vt.SafeEmulator
	cursor atomic.Bool // it shows
	ended  chan int    // exit status
}

// Sit starts a program in a terminal of so many cells and lines. Its standard output is the terminal unless it is set.
func Sit(t *testing.T, program *exec.Cmd, width, height int) *Seat {
	t.Helper()
	s := &Seat{t: t, screen: vt.NewSafeEmulator(width, height), ended: make(chan int, 1)}
	s.cursor.Store(true)
	s.screen.SetCallbacks(vt.Callbacks{CursorVisibility: s.cursor.Store})
	var err error
	if s.keys, s.tty, err = pty.Open(); err != nil {
		t.Fatal(err)
	}
	s.resize(width, height)
	if s.before, err = term.GetState(int(s.tty.Fd())); err != nil {
		t.Fatal(err)
	}
	program.Stdin, program.Stderr = s.tty, s.tty
	if program.Stdout == nil {
		program.Stdout = s.tty
	}
	program.Env = append(program.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "CI=", "NO_COLOR=")
	program.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = program.Wait()
		s.ended <- program.ProcessState.ExitCode()
	}()
	var wires sync.WaitGroup
	wires.Go(func() { _, _ = io.Copy(s.screen, s.keys) })
	wires.Go(func() { _, _ = io.Copy(s.keys, s.screen) }) // what the terminal answers
	t.Cleanup(func() {
		_ = program.Process.Kill()
		_ = s.keys.Close()
		_ = s.tty.Close()
		_ = s.screen.InputPipe().(io.Closer).Close() // its Close races with its Read
		wires.Wait()
	})
	return s
}

// Types presses keys.
func (s *Seat) Types(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.keys, keys); err != nil {
		s.t.Fatal(err)
	}
}

// Resize makes the terminal another size, as when its window is dragged.
func (s *Seat) Resize(width, height int) {
	s.t.Helper()
	s.screen.Resize(width, height)
	s.resize(width, height)
}

func (s *Seat) resize(width, height int) {
	s.t.Helper()
	if err := pty.Setsize(s.keys, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)}); err != nil { //nolint:gosec // of a test
		s.t.Fatal(err)
	}
}

// Screen is what can be read.
func (s *Seat) Screen() string { return ansi.Strip(s.screen.Render()) }

// Sees waits until texts are on the screen, in this order.
func (s *Seat) Sees(texts ...string) {
	s.t.Helper()
	s.Awaits(strings.Join(texts, ", "), func(screen string) bool {
		for _, text := range texts {
			i := strings.Index(screen, text)
			if i < 0 {
				return false
			}
			screen = screen[i+len(text):]
		}
		return true
	})
}

const patience = time.Minute // of a person before a busy machine

// Awaits waits until the screen is as it should be.
func (s *Seat) Awaits(what string, is func(screen string) bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for !is(s.Screen()) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			s.t.Fatalf("not on the screen: %s\n%s", what, s.Screen())
		}
	}
}

// Ends waits for the program's end, and wants the terminal to be as it was: its first screen, a cursor, keys that echo.
func (s *Seat) Ends(status int) {
	s.t.Helper()
	select {
	case got := <-s.ended:
		if got != status {
			s.t.Errorf("exit status %d, want %d:\n%s", got, status, s.Screen())
		}
	case <-time.After(patience):
		s.t.Fatalf("the program goes on:\n%s", s.Screen())
	}
	s.Awaits("the first screen, with a cursor", func(string) bool { return !s.screen.IsAltScreen() && s.cursor.Load() })
	after, err := term.GetState(int(s.tty.Fd()))
	if err != nil || !reflect.DeepEqual(after, s.before) {
		s.t.Errorf("the terminal was %+v, and is left %+v (%v)", s.before, after, err)
	}
}
