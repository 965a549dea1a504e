package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/failpoint"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

const crashJobs = 15

// crashRow crashes the watcher at a point, at the passes given, each counted from the start of the process that
// recovers from the crash before.
type crashRow struct {
	at     failpoint.Point
	passes []int
	before func(*crashWorld) // each of these starts
	after  func(*crashWorld) // all of them, when the watcher is well again
}

var crashRows = []crashRow{
	{at: failpoint.BeforeCommit, passes: []int{1, 2, 3, 5, 8}},
	{at: failpoint.AfterCommit, passes: []int{1, 2, 3, 5, 8}},
	{at: failpoint.AfterPublish, passes: []int{1, 1, 7, 2}},
	{at: failpoint.AfterAcknowledgement, passes: []int{1, 1, 7, 2}},
	{at: failpoint.Discovery, passes: []int{1, 2}},
	{at: failpoint.Adoption, passes: []int{1, 2}, before: (*crashWorld).foreignWriter},
	{at: failpoint.Renewal, passes: []int{1, 1, 2}, before: (*crashWorld).revoke, after: (*crashWorld).renews},
}

// TestCrashPoints has the real watcher die at each moment at which a crash matters, goes on from what it left, and
// holds the stream against what the CommServe had answered.
func TestCrashPoints(t *testing.T) {
	slow.Test(t, "4 s", "a real process is killed at each named point")
	var all errgroup.Group
	for _, point := range failpoint.CrashPoints {
		all.Go(func() error {
			t.Run(string(point), func(t *testing.T) {
				i := slices.IndexFunc(crashRows, func(r crashRow) bool { return r.at == point })
				if i < 0 {
					t.Fatal("nothing crashes there")
				}
				crashRows[i].isSurvived(t)
			})
			return nil
		})
	}
	_ = all.Wait()
}

func (r crashRow) isSurvived(t *testing.T) {
	w := newCrashWorld(t)
	w.useAPair()
	for _, pass := range r.passes {
		if r.before != nil {
			r.before(w)
		}
		w.crash(r.at, pass)
	}
	w.start()
	w.cycles(3)
	w.judge()
	if r.after != nil {
		r.after(w)
	}
	w.stop()
}

// crashWorld is one whose jobs live on at each start of the watcher.
type crashWorld struct {
	*world
	now   atomic.Int64 // since the CommServe's start, nanoseconds
	began time.Time    // this life, or the last one
	two   bool         // another watcher has told, too
}

func newCrashWorld(t *testing.T) *crashWorld {
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	w := new(crashWorld)
	clock := func() time.Duration { return time.Duration(w.now.Load()) }
	play := sim.New(sim.Config{Seed: seed, Jobs: crashJobs, Clock: clock})
	for number := int64(1); number <= restless; number++ {
		play.Add(sim.Job{ID: number, Steps: restlessSteps()})
	}
	w.world = newWorld(t, seed, play)
	return w
}

// betweenStarts is how long the jobs live while no watcher does.
const betweenStarts = 5 * time.Second

// restless jobs show another phase at each start. They are as many as the passes that any row waits for, so that each
// is reached, whatever the seed.
const restless = 8

func restlessSteps() (steps []sim.Step) {
	for n := range 20 {
		steps = append(steps, sim.Step{At: time.Duration(n) * betweenStarts, State: "Running", Phase: fmt.Sprintf("Phase %d", n)})
	}
	return steps
}

func (w *crashWorld) start(env ...string) {
	w.now.Add(int64(betweenStarts))
	w.began = time.Now()
	w.world.start(env...)
}

// doubtUnread: what a watcher sees before it could read the stream gives way to what another has told meanwhile.
func (w *crashWorld) doubtUnread() {
	if w.two && strings.Contains(w.said.String(), "polling starts before the stream was read") {
		w.t.Log("the stream was not read in time: what was seen until now is in doubt")
		w.kills = append(w.kills, doubt{w.began, time.Now()})
	}
}

func (w *crashWorld) judge() {
	w.t.Helper()
	w.doubtUnread()
	w.world.judge()
}

// cycles waits until so many more have begun: each reads the list. What an answer tells may take two, for what a new
// attempt counts is told at the poll after it.
func (w *crashWorld) cycles(more int) {
	w.t.Helper()
	before := w.sim.Counts()[sim.OpList]
	w.until("the watcher reads the list", func() bool { return w.sim.Counts()[sim.OpList] >= before+more })
}

// crash starts the watcher and waits until it has killed itself.
func (w *crashWorld) crash(at failpoint.Point, pass int) {
	w.t.Helper()
	w.start(fmt.Sprintf("%s=%s:%d", crashVariable, at, pass))
	never := time.AfterFunc(time.Minute, func() { _ = w.child.Process.Signal(syscall.SIGQUIT) })
	err := w.child.Wait()
	never.Stop()
	if status, ok := w.child.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		w.t.Fatalf("%s\npass %d of %q is never reached: %v", tail(w.said.String()), pass, at, err)
	}
	w.doubtUnread()
	w.kills = append(w.kills, killedAt(time.Now()))
	w.proxy.cut()
}

// useAPair has the watcher authenticate by a pair of tokens that it renews.
func (w *crashWorld) useAPair() {
	access, refresh := w.sim.Pair()
	files := []string{filepath.Join(w.dir, "access"), filepath.Join(w.dir, "refresh")}
	for i, token := range []string{access, refresh} {
		w.write(files[i], token)
	}
	w.reconfigure(w.config, "auth: {username: watcher, password: watcher}",
		fmt.Sprintf("auth: {access_token_file: %q, refresh_token_file: %q, scheme: bearer}", files[0], files[1]))
}

// reconfigure writes a configuration that differs from the present one.
func (w *crashWorld) reconfigure(file, before, after string) {
	text, err := os.ReadFile(w.config)
	if err != nil {
		w.t.Fatal(err)
	}
	if !strings.Contains(string(text), before) {
		w.t.Fatalf("%s does not say %q", w.config, before)
	}
	w.write(file, strings.ReplaceAll(string(text), before, after))
}

func (w *crashWorld) write(file, text string) {
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// foreignWriter lets a watcher with another store tell what it sees, after this one has. Both are killed.
func (w *crashWorld) foreignWriter() {
	ours := w.config
	another := filepath.Join(w.dir, "another.yaml")
	w.reconfigure(another, "watcher.db", "another.db")
	for _, w.config = range []string{ours, another} {
		w.start()
		w.progress(crashJobs / 2)
		w.judge()
		w.kill()
		w.two = true
	}
	w.config = ours
}

func (w *crashWorld) revoke() {
	w.sim.Fault(sim.Fault{Kind: sim.TokenRevoked, Op: sim.OpJobDetails, Next: 1})
}

// renews has the pair that is left renewed once more, and used.
func (w *crashWorld) renews() {
	before := w.sim.Counts()[sim.OpRenewPair]
	w.revoke()
	w.until("the pair is renewed", func() bool { return w.sim.Counts()[sim.OpRenewPair] > before })
	answers := len(w.sim.Served())
	w.until("the new pair is good", func() bool {
		return slices.ContainsFunc(w.sim.Served()[answers:], func(a sim.Served) bool { return a.Whole })
	})
}
