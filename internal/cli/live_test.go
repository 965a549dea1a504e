package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/control"
	"jobwatch/internal/job"
	"jobwatch/internal/testing/terminal"
)

// serve answers as a running watcher does, until end is called.
func (s *shelf) serve(t *testing.T) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	server := control.Server{Store: s.path(), Admin: &control.Admin{Store: s.store, CommCells: func() map[string]control.CommCell { return nil }}}
	go func() { ended <- server.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestLookingOnGoesOn has a watcher come, go and come back while two people look on without a terminal.
func TestLookingOnGoesOn(t *testing.T) {
	lookOften(t)
	t.Setenv("TMPDIR", "/tmp")
	s := newShelfIn(t, filepath.Join(t.TempDir(), strings.Repeat("long", 30))) // whose socket is another after each start
	for _, words := range [][]string{{"jobs", "list", "--watch"}, {"top"}} {
		terminal.Command(Execute).Typed(t, append(words, "-c", s.config)...).Fails(t, failed, "no watcher is running; start one with: watcher run")
	}
	s.fill(t)
	end := s.serve(t)
	s.awaitWatcher(t)
	ctx, cancel := context.WithCancel(t.Context())
	var list, top watched
	ended := make(chan int, 2)
	go func() {
		ended <- Execute(ctx, []string{"jobs", "list", "--watch", "--held", "-c", s.config}, nil, &list, &list)
	}()
	go func() { ended <- Execute(ctx, []string{"top", "-c", s.config}, nil, &top, &top) }()
	list.await(t, "there    lab/5 ")
	top.await(t, "there    prod/6 ") // ended an hour ago
	end()
	list.await(t, "silent   ")
	top.await(t, "silent   ")
	end = s.serve(t)
	s.hold(t, heldJob(8))
	list.await(t, "new      prod/8 ")
	top.await(t, "new      prod/8 ")
	cancel()
	for range 2 {
		if status := <-ended; status != done {
			t.Errorf("status %d at the end", status)
		}
	}
	end()
	s.close(t)
}

func lookOften(t *testing.T) {
	before := watchEvery
	watchEvery = 10 * time.Millisecond
	t.Cleanup(func() { watchEvery = before })
}

// silentFor is a watcher that is silent so many times, and then ends the looking.
type silentFor struct {
	selector
	times, asked int
	end          func()
}

func (s *silentFor) Select(context.Context, control.Selection) ([]job.ID, error) {
	if s.asked++; s.asked <= s.times {
		return nil, &silence{errors.New("no watcher is running")}
	}
	s.end()
	return nil, nil
}

func TestSilenceIsWaitedForAndSaidOnce(t *testing.T) {
	lookOften(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	a := &silentFor{times: 5, end: cancel}
	if err := watchJobs(ctx, a, jobQuery{}, plainScreen(&out), testClock()); err != nil || a.asked != 6 || strings.Count(out.String(), "silent ") != 1 {
		t.Errorf("asked %d times (%v):\n%s", a.asked, err, out.String())
	}
}
