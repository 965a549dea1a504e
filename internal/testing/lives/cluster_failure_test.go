package lives

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/testing/slow"
)

// TestAFailureIsToldThoughTheJobHasGoneOn has the owner die, or be cut off, when it has told that a job has failed by its state, and
// not yet by its failure. The job leaves that state before the next one asks. The failure is owed all the same, by one of
// them, also where the first one's file returns with the event in its outbox.
func TestAFailureIsToldThoughTheJobHasGoneOn(t *testing.T) {
	slow.Test(t, "6 s", "what two watchers owe is told once, at whatever moment the first one goes")
	for words, strikes := range map[string]func(*script, *watcher){
		"it dies":                   func(s *script, x *watcher) { s.crash(x) },
		"it dies for good":          func(s *script, x *watcher) { s.knobs.loseStore = 300; s.crash(x); s.knobs.loseStore = 0 },
		"it is cut off":             func(s *script, x *watcher) { s.take(option{do: cut, watcher: x}) },
		"it stands still":           func(_ *script, x *watcher) { x.process.standsStill() },
		"it goes, and nobody knows": func(s *script, x *watcher) { s.crash(x); s.take(option{do: deleteBucket}) },
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			f := folder(t)
			for n := range uint64(5) {
				wrong := scripted(t, f, n, plainCluster(2), nil, func(s *script) { s.failsAndIsKilled(strikes) })
				if len(wrong) > 0 {
					t.Errorf("moment %d: %v", n, wrong)
				}
			}
		})
	}
}

// failsAndIsKilled strikes the owner when its next event tells a failure, and lets the job go on.
func (s *script) failsAndIsKilled(strikes func(*script, *watcher)) {
	s.serve.moves(1, s.random)
	s.runs(time.Minute)
	owner, _ := s.owner()
	is, _ := s.serve.of(1, 0)
	goesOn := func(state string) {
		is.state, is.phase, is.ended, is.at = state, "", true, time.Now().Truncate(time.Second)
		s.serve.becomes(1, is)
	}
	goesOn("Failed")
	for !slices.ContainsFunc(s.calls(), func(c *call) bool {
		return c.process == owner.process && c.what == "Publish" && strings.HasSuffix(c.message.Subject, ".failure.state")
	}) {
		if err := s.step(); err != nil {
			s.t.Error(err)
			return
		}
		synctest.Wait()
	}
	strikes(s, owner)
	s.runs(s.jitter(time.Second))
	goesOn("Killed")
	s.runs(time.Minute)
	switch p := owner.process; {
	case p == nil:
		s.starts(owner)
	case p.stopped():
		s.take(option{do: goOn, watcher: owner})
	default:
		s.take(option{do: restore, watcher: owner})
	}
	s.runs(time.Minute)
}
