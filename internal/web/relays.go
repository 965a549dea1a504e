package web

import (
	"fmt"
	"strings"
	"time"

	"jobwatch/internal/relay"
)

// Relay is how one relay stands.
type Relay struct {
	relay.Status
	To       string `json:"to"`       // slack, webhook, email, audit
	Receiver string `json:"receiver"` // host, or channel; "": it is in a file, or none
}

// RelayStopped is the state of a relay whose destination cannot be opened; that is tried again.
const RelayStopped relay.State = "stopped"

func (s *Server) relays() []Relay {
	if s.Relays == nil {
		return []Relay{}
	}
	return append([]Relay{}, s.Relays()...)
}

const longestRelayWait = 5 * time.Minute

// checkRelays notes what somebody should look at. That a destination is away, or its secret cannot be read, is no
// reason to take the watcher out of service; but a relay that stands still for what is wrong on this side of it
// (an audit file that was changed) is red.
func (s *Server) checkRelays(now time.Time) []check {
	var checks []check
	for _, r := range s.relays() {
		checks = append(checks, r.check(now))
	}
	return checks
}

func (r Relay) check(now time.Time) check {
	c := check{"relay " + r.Name, ok, ""}
	var notes []string
	switch {
	case r.Alarm:
		c.State = red
		notes = append(notes, "stands still: "+r.Reason)
	case r.State == relay.Absent, r.State == relay.Off, r.State == RelayStopped:
		text := fmt.Sprintf("%s since %s", r.State, r.Since.UTC().Format(time.RFC3339))
		if r.Reason != "" {
			text += ": " + r.Reason
		}
		notes = append(notes, text)
	}
	if r.Oldest != nil && now.Sub(*r.Oldest) > longestRelayWait {
		notes = append(notes, fmt.Sprintf("%d events wait, the oldest for %s", r.Pending, now.Sub(*r.Oldest).Round(time.Second)))
	}
	if r.Dead > 0 {
		notes = append(notes, fmt.Sprintf("%d dead letters; list them with: watcher relay dead %s", r.Dead, r.Name))
	}
	if len(notes) > 0 && c.State == ok {
		c.State = note
	}
	c.Detail = strings.Join(notes, "; ")
	return c
}
