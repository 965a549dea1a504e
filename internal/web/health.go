package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"jobwatch/internal/poller"
	"jobwatch/internal/printable"
)

// healthz says that the process lives.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok\n") }

// readyz says whether this process does its work: 200, or 503 and what is red.
//
// It is green when the store can be read, NATS is connected and the stream fits and was read, no
// event has waited for the broker for over a minute or is refused for good, and each CommCell's
// schedule runs: a poll or a cycle has ended not long ago (poller.FreshUntil), and the store did not
// cut the last tick short. So at the start it is red until something was asked.
//
// A CommCell that does not answer is told in a line and turns nothing red: the watcher does its work,
// which is to say so (event, metric, the page's light), another replica or a restart would fix
// nothing, and one dead CommServe must not take the watcher of ten others out of service.
//
// A member of a cluster is green, too, while it polls nothing and could take over: it takes part (checkCluster).
//
// Whoever has not shown the token learns the names and not the reasons.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	checks := s.checks(time.Now())
	code, first := http.StatusOK, "ready"
	if !ready(checks) {
		code, first = http.StatusServiceUnavailable, "not ready"
	}
	var text strings.Builder
	fmt.Fprintln(&text, first)
	for _, c := range checks {
		line := fmt.Sprintf("%-5s %s", c.State, c.Name)
		if c.Detail != "" && s.mayRead(r) {
			line += ": " + printable.Line(c.Detail)
		}
		fmt.Fprintln(&text, line)
	}
	say(w, code, text.String())
}

func say(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

// States of a check.
const (
	ok   = "ok"
	note = "note" // somebody else's matter
	red  = "red"
)

type check struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"`
}

func ready(checks []check) bool {
	for _, c := range checks {
		if c.State == red {
			return false
		}
	}
	return true
}

func (s *Server) checks(now time.Time) []check {
	if s.Store == nil {
		return append([]check{s.checkNATS()}, s.checkRelays(now)...)
	}
	checks := append(s.checkOutbox(now), s.checkNATS(), s.checkPublish())
	for _, p := range s.Pollers() {
		checks = append(checks, checkPoller(p, now))
	}
	if of, isMember := s.view(); isMember {
		checks = append(checks, s.checkCluster(of)...)
	}
	return append(checks, s.checkRelays(now)...)
}

const longestWait = time.Minute // of an event in the outbox

func (s *Server) checkOutbox(now time.Time) []check {
	oldest, err := s.Store.OldestUnsent()
	if err != nil {
		return []check{{"store", red, "it cannot be read: " + err.Error()}}
	}
	waits := check{"outbox", ok, fmt.Sprintf("%d events wait for the broker", s.Store.Unsent())}
	if wait := now.Sub(oldest); !oldest.IsZero() && wait > longestWait {
		waits.State = red
		waits.Detail += fmt.Sprintf(", the oldest for %s", wait.Round(time.Second))
	}
	return []check{{"store", ok, ""}, waits}
}

func (s *Server) checkNATS() check {
	if err := s.Broker.Usable(); err != nil {
		return check{"nats", red, strings.ReplaceAll(err.Error(), "\n", "; ")} // a line for each thing that does not fit
	}
	if s.Publisher == nil {
		return check{"nats", ok, ""}
	}
	select {
	case <-s.Publisher.CaughtUp():
		return check{"nats", ok, ""}
	default:
		return check{"nats", red, "the stream is being read"}
	}
}

func (s *Server) checkPublish() check {
	if err := s.Publisher.Stopped(); err != nil {
		return check{"publish", red, strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	if _, stopped := s.Publisher.Refusals(); stopped > 0 {
		return check{"publish", red, fmt.Sprintf("the broker refuses the events of %d jobs for good: %s", stopped, s.Publisher.Refusal())}
	}
	return check{"publish", ok, ""}
}

func checkPoller(p *poller.Poller, now time.Time) check {
	name := "commcell " + p.CommCell
	fresh, t := p.FreshUntil(), p.Counts.Totals()
	switch {
	case fresh.IsZero():
		return check{name, red, "nothing has been asked yet"}
	case now.After(fresh):
		return check{name, red, fmt.Sprintf("no sign of life since a tick was due, and until %s", fresh.UTC().Format(time.RFC3339))}
	case t.Broken != nil:
		return check{name, red, "the last tick was cut short: " + t.Broken.Error()}
	case !t.Since.IsZero() && !t.Up:
		return check{name, note, fmt.Sprintf("the CommServe %s, since %s: %s", t.Failure.Says(), t.Since.UTC().Format(time.RFC3339), t.Reason)}
	}
	if until, cause := p.Hold(); cause != nil {
		return check{name, note, fmt.Sprintf("asks nothing until %s: %v", until.UTC().Format(time.RFC3339), cause)}
	}
	return check{name, ok, ""}
}
