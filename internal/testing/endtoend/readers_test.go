package endtoend

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/terminal"
)

// TestRunOutlivesItsReaders has nobody read what a watcher says: it goes on polling and telling, and ends as ever.
func TestRunOutlivesItsReaders(t *testing.T) {
	slow.Test(t, "3 s", "a real process loses the reader of its standard error")
	play := sim.New(sim.Config{})
	is := func(id int64, state string) {
		play.Add(sim.Job{ID: id, Client: "fall", Steps: []sim.Step{{State: state, Phase: "Scan"}}})
	}
	is(71, "Running")
	w := newWorld(t, 1, play)
	w.child = exec.CommandContext(t.Context(), "watcher", "run", "-c", w.config)
	w.child.Stdout, w.child.Stderr = terminal.BrokenPipe(t), terminal.BrokenPipe(t)
	if err := w.child.Start(); err != nil {
		t.Fatal(err)
	}
	w.judge()
	configured := func(jobs, id string) {
		w.edit(`schedule: "@every 1s"`, jobs+"\n    "+`schedule: "@every 1s"`) // the log tells of it
		w.until(id+" is configured", func() bool {
			s := typed(t, "jobs", "show", id, "-c", w.config)
			return strings.Contains(s.Out, "configured")
		})
	}
	configured("jobs: [81]", "sim/81")
	w.edit("jobs: [81]\n    ", "")
	configured("jobs: [81, 82]", "sim/82")
	is(82, "Completed")
	w.tells(t, 3)
	w.judge()
	w.stop() // with status 0
}

// TestDemoOutlivesItsReader closes the demo's output after the welcome: the page goes on.
func TestDemoOutlivesItsReader(t *testing.T) {
	demo := exec.CommandContext(t.Context(), "watcher", "demo", "--speed", "20")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	demo.Stdout, demo.Stderr = writer, terminal.BrokenPipe(t)
	demo.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	if err := demo.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	page := ""
	for lines := bufio.NewScanner(reader); page == "" && lines.Scan(); {
		page = regexp.MustCompile(`http://127[0-9.:]+$`).FindString(lines.Text())
	}
	reader.Close()
	var events *http.Response
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // the welcome comes first
		if events, err = http.Get(page + "/api/v1/events"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	defer events.Body.Close()
	told := bufio.NewScanner(events.Body) // each is printed too, by another reader of the same stream
	for n := 0; n < 50; n++ {
		if !told.Scan() {
			t.Fatalf("the events end after %d lines: %v", n, told.Err())
		}
	}
	if err := demo.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := demo.Wait(); err != nil {
		t.Errorf("SIGTERM ends it with %v", err)
	}
}

// TestTailEndsWithItsReader is what a person means by watcher tail | head.
func TestTailEndsWithItsReader(t *testing.T) {
	play := sim.New(sim.Config{Jobs: 20, Arrivals: 1, Speed: 20})
	w := newWorld(t, 1, play)
	w.start()
	for _, more := range [][]string{nil, {"-o", "json"}} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		tail := exec.CommandContext(t.Context(), "watcher", slices.Concat([]string{"tail", "--since", "1h", "-c", w.config}, more)...)
		var said strings.Builder
		tail.Stdout, tail.Stderr = writer, &said
		if err := tail.Start(); err != nil {
			t.Fatal(err)
		}
		writer.Close()
		if _, err := io.ReadFull(reader, make([]byte, 40)); err != nil {
			t.Fatal(err)
		}
		reader.Close()
		_ = tail.Wait() // at the next event, by SIGPIPE
		if said.Len() > 0 {
			t.Errorf("it says %q", said.String())
		}
	}
	w.ends()
}
