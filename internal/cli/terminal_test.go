package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/audit"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/terminal"
)

const ctrlC = "\x03"

// served is a watcher with some jobs.
func served(t *testing.T) *shelf {
	t.Helper()
	s := newShelf(t)
	s.fill(t)
	end := s.serve(t)
	t.Cleanup(func() { end(); s.close(t) })
	s.awaitWatcher(t)
	return s
}

func (s *shelf) watcher(t *testing.T, words ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), "watcher", append(words, "-c", s.config)...)
}

// TestTopInATerminal has a person look at jobs, drag the window, open a job and leave.
func TestTopInATerminal(t *testing.T) {
	slow.Test(t, "2 s", "two programs, keys and a terminal")
	s := served(t)
	for _, leave := range []string{"q", ctrlC} {
		seat := terminal.Sit(t, s.watcher(t, "top", "--utc"), 100, 20)
		seat.Sees("1 stalled", "order: what needs you", "> prod/", "q leave")
		seat.Types("f")
		seat.Sees("faults only", "lab/5")
		seat.Resize(60, 12)
		seat.Awaits("all of it, on 60 cells and 12 lines", func(screen string) bool {
			lines := strings.Split(strings.TrimRight(screen, "\n"), "\n")
			return len(lines) == 12 && strings.Contains(lines[1], "order: ") && strings.Contains(lines[11], "/ filter")
		})
		seat.Types("/tape\r\r")
		seat.Sees("lab/5", "Pending", "Esc back")
		seat.Types("\x1b")
		seat.Sees("/tape", "faults only", "> lab/5")
		seat.Types(leave)
		seat.Ends(done)
		if screen := seat.Screen(); strings.TrimSpace(screen) != "" {
			t.Errorf("left there is:\n%s", screen)
		}
	}
}

// TestWatchInATerminal has a job come while the list is looked at.
func TestWatchInATerminal(t *testing.T) {
	slow.Test(t, "3 s", "it looks every two seconds")
	s := served(t)
	seat := terminal.Sit(t, s.watcher(t, "jobs", "list", "--watch", "--held"), 100, 20)
	seat.Sees("JOB", "lab/5", "No drive")
	s.hold(t, heldJob(8))
	seat.Resize(40, 10)
	seat.Sees("JOB", "prod/8")
	seat.Awaits("three lines, which are cut", func(screen string) bool {
		return strings.Count(strings.TrimSpace(screen), "\n") == 2 && strings.Contains(screen, "…")
	})
	seat.Types(ctrlC)
	seat.Ends(done)
	seat.Sees("prod/8") // what was last seen stays
}

// longTrail is an audit log that no pipe holds.
func longTrail(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "trail")
	log, err := audit.New(audit.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var b relay.Batch
	for seq := range uint64(100) {
		b.Events = append(b.Events, &relay.Event{Sequence: seq + 1, ID: fmt.Sprint(seq), Data: fmt.Appendf(nil, `{"id":"%d","long":"%s"}`, seq, bytes.Repeat([]byte("x"), 10_000))})
	}
	if n, err := log.Deliver(t.Context(), b); n != 100 || err != nil {
		t.Fatal(n, err)
	}
	return dir
}

// TestProgressInATerminal exports into a pipe that nobody reads for a while.
func TestProgressInATerminal(t *testing.T) {
	slow.Test(t, "2 s", "nothing is drawn before half a second")
	dir := longTrail(t)
	for name, row := range map[string]struct {
		keys   string
		status int
		left   string
		lines  bool
	}{
		"to the end":   {"", done, "", true},
		"until Ctrl-C": {ctrlC, failed, "ended before all was read", false},
	} {
		t.Run(name, func(t *testing.T) {
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			program := exec.CommandContext(t.Context(), "watcher", "audit", "export", dir)
			program.Stdout = writer
			seat := terminal.Sit(t, program, 80, 10)
			writer.Close()
			seat.Sees("reading", "█", "%", "of 100 lines")
			seat.Resize(30, 10)
			seat.Awaits("no bar", func(screen string) bool { return strings.Contains(screen, "%") && !strings.Contains(screen, "█") })
			seat.Types(row.keys)
			if row.keys != "" {
				seat.Sees("^C")
			}
			out, err := io.ReadAll(reader)
			if lines := bytes.Count(out, []byte("\n")); err != nil || (lines == 100) != row.lines {
				t.Errorf("%d lines (%v)", lines, err)
			}
			seat.Ends(row.status)
			seat.Awaits("the line is gone", func(screen string) bool { return strings.TrimSpace(screen) == row.left })
		})
	}
}

// TestNoProgressInAPipe is the same where nobody looks on.
func TestNoProgressInAPipe(t *testing.T) {
	said := terminal.Command(Execute).Typed(t, "audit", "export", longTrail(t)).Succeeds(t)
	if said.Errs != "" {
		t.Errorf("said is %q", said.Errs)
	}
}
