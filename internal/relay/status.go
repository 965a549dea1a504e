package relay

import (
	"context"
	"encoding/json"
	"time"

	"jobwatch/internal/stream"
)

// State is how a relay is.
type State string

// The states.
const (
	Starting   State = "starting" // it has not got to its place in the stream yet
	Standby    State = "standby"  // another watcher relays
	Delivering State = "delivering"
	Absent     State = "away" // its destination takes nothing
	Off        State = "off"  // until it is turned on
)

// Status is how a relay is, for people.
type Status struct {
	Name    string     `json:"name"`
	State   State      `json:"state"`
	Since   time.Time  `json:"since"`
	Seen    *time.Time `json:"seen"` // when the one that relays was last heard of; null: never
	Reason  string     `json:"reason"`
	Alarm   bool       `json:"alarm"`   // it stands still until somebody has looked
	Holder  string     `json:"holder"`  // the host that relays
	Pending uint64     `json:"pending"` // events that wait, those of parked jobs left out
	Oldest  *time.Time `json:"oldest"`  // time of the oldest event that waits; null: none does
	Parked  int        `json:"parked"`  // jobs whose events are refused, set aside
	Dead    uint64     `json:"dead"`    // dead letters
	Missed  uint64     `json:"missed"`  // messages that the stream forgot before they were read
}

// Status says how the relay is now.
func (r *Relay) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.status
	if s.State != Standby {
		s.Seen = new(time.Now().UTC())
	}
	return s
}

func (r *Relay) standby(holder record, seen time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.State != Standby {
		r.status.State, r.status.Since, r.status.Reason = Standby, time.Now(), ""
	}
	r.status.Holder, r.status.Pending, r.status.Oldest = holder.Host, 0, nil
	r.status.Seen = new(seen.UTC())
}

// setState also tells of a change, in the log of relays.
func (r *Relay) setState(s State, reason string) {
	r.mu.Lock()
	if r.status.State == s && r.status.Reason == reason {
		r.mu.Unlock()
		return
	}
	changed, news := r.record.State != s, r.status.State != s // for all who listen; for this process
	if changed || r.record.Since.IsZero() {
		r.record.Since = time.Now().UTC()
	}
	r.record.State, r.record.Reason = s, reason
	r.record.Alarm = r.record.Alarm && s == Off
	r.status.State, r.status.Since, r.status.Reason, r.status.Holder = s, r.record.Since, reason, r.Host
	told := map[string]any{"relay": r.Name, "state": s, "since": r.record.Since, "reason": reason}
	r.mu.Unlock()
	if news {
		r.logState(s, reason)
	}
	if !changed {
		return
	}
	if data, err := json.Marshal(told); err == nil {
		r.mu.Lock()
		r.untold = append(r.untold, data)
		r.mu.Unlock()
	}
}

func (r *Relay) logState(s State, reason string) {
	switch s {
	case Delivering:
		r.log.Info("relay delivers")
	case Off:
		r.log.Warn("relay is off; turn it on with: watcher relay on "+r.Name, "err", reason)
	default:
		r.log.Warn("relay does not deliver: "+string(s), "err", reason)
	}
}

// tellStates appends to the log what has become of the relay.
func (r *Relay) tellStates(ctx context.Context) {
	for {
		r.mu.Lock()
		if len(r.untold) == 0 {
			r.mu.Unlock()
			return
		}
		data := r.untold[0]
		r.mu.Unlock()
		if _, err := r.records.Append(ctx, stream.Record{Subject: r.subject("state"), Data: data}, false); err != nil {
			return // with the next beat
		}
		r.mu.Lock()
		r.untold = r.untold[1:]
		r.mu.Unlock()
	}
}

func (r *Relay) subject(rest string) string {
	return withPrefix(r.Prefix, "relays."+r.Name+"."+rest)
}
