package endtoend

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// victim is a watcher in a process of its own.
type victim struct {
	t       *testing.T
	program string // of its next life; empty: the one that this test binary plays
	config  string
	store   string
	env     []string // of its next life

	said    *log      // in this life, or the last one
	child   *exec.Cmd // nil while it is dead
	ended   chan error
	armed   bool   // to crash at a point
	point   string // that it crashed at
	doubts  []doubt
	inDoubt int // the doubt that lasts

	crashes map[string]int
}

// start starts it if it is dead.
func (v *victim) start() {
	v.t.Helper()
	if v.child != nil {
		return
	}
	v.said = &log{}
	child := exec.CommandContext(v.t.Context(), cmp.Or(v.program, "watcher"), "run", "-c", v.config)
	child.Env = append(os.Environ(), v.env...)
	child.Stderr = v.said
	if err := child.Start(); err != nil {
		v.t.Fatal(err)
	}
	startedAt(time.Now(), v.doubts)
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	v.child, v.ended = child, ended
	v.armed = false
	for _, env := range v.env {
		if what, found := strings.CutPrefix(env, crashVariable+"="); found {
			v.point, _, v.armed = strings.Cut(what, ":")
		}
	}
}

// kill kills it if it lives.
func (v *victim) kill() {
	if !v.alive() {
		return
	}
	_ = v.child.Process.Kill()
	<-v.ended
	v.child = nil
	v.doubts = append(v.doubts, killedAt(time.Now()))
}

// stop stops it as an administrator does.
func (v *victim) stop() {
	v.t.Helper()
	v.awaitSignals()
	from := time.Now()
	v.signal(syscall.SIGTERM)
	select {
	case err := <-v.ended:
		v.child = nil
		if err != nil {
			v.t.Fatalf("SIGTERM ends it with %v\n%s", err, tail(v.said.String()))
		}
	case <-time.After(20 * time.Second):
		v.hangs("SIGTERM does not end it")
	}
	v.doubts = append(v.doubts, killedAt(from))
}

// awaitSignals waits until it takes signals. Another program does not say it: it is stopped when it was seen to work.
func (v *victim) awaitSignals() {
	v.t.Helper()
	if v.program == "" {
		v.says(obeys)
	}
}

func (v *victim) signal(s os.Signal) { _ = v.child.Process.Signal(s) }

// alive says whether it lives. That it ends otherwise than by us, or where it was to crash, is never right.
func (v *victim) alive() bool {
	v.t.Helper()
	if v.child == nil {
		return false
	}
	select {
	case err := <-v.ended:
		v.child = nil
		at, found := v.crash()
		if !found && v.foundNoRoom() {
			return false
		}
		if !found {
			v.t.Fatalf("it ends of itself: %v\n%s", err, tail(v.said.String()))
		}
		v.doubts = append(v.doubts, killedAt(at))
		v.crashes[v.point]++
		return false
	default:
		return true
	}
}

// foundNoRoom says whether it has ended because there was no room for its store when it began.
func (v *victim) foundNoRoom() bool {
	said := v.said.String()
	return strings.Contains(said, v.store+": no space left on device") || strings.Contains(said, v.store+": file too large")
}

// crash reads when it crashed in this life.
func (v *victim) crash() (at time.Time, found bool) {
	_, after, found := strings.Cut(v.said.String(), crashesAt)
	if !v.armed || !found {
		return at, false
	}
	line, _, _ := strings.Cut(after, "\n")
	at, err := time.Parse(time.RFC3339Nano, line)
	if err != nil {
		v.t.Fatal(err)
	}
	return at, true
}

// refused says whether it waits for the administrator to fix the login, or to put a new pair where the answer to a
// renewal held none.
func (v *victim) refused() bool {
	said := v.said.String()
	return strings.Contains(said, "next try") || strings.Contains(said, "the refresh token is spent")
}

func (v *victim) hangs(what string) {
	v.t.Helper()
	v.signal(syscall.SIGCONT)
	v.signal(syscall.SIGQUIT) // where it hangs
	<-v.ended
	v.child = nil
	v.t.Fatal(fmt.Sprint(tail(v.said.String()), "\n", what))
}
