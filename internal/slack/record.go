package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/relay"
)

// record is what is remembered of a job, a CommCell or a group. Told is behind Shown while replies are owed.
type record struct {
	Channel string     `json:"channel"`
	Turn    int        `json:"turn,omitempty"`
	Intent  *time.Time `json:"intent,omitempty"`  // when a root was about to be posted; kept until its ts is known
	Posted  *time.Time `json:"posted,omitempty"`  // when that was last tried
	TS      string     `json:"ts,omitempty"`      // of the root; "": none, or not known yet
	Changed *time.Time `json:"changed,omitempty"` // when the root was last changed, where no answer came
	Shown   point      `json:"shown"`             // the last event that the root shows
	Told    point      `json:"told"`              // the last event that the thread, or a group, has told of
	Reply   *time.Time `json:"reply,omitempty"`   // when a reply was about to be posted; kept until it is known to be there
	Telling point      `json:"telling,omitzero"`  // the last event of that reply
	Cast    string     `json:"cast,omitempty"`    // the state that the channel has been told of
	Over    bool       `json:"over,omitempty"`    // of a CommCell: it answers again, and what comes next is another outage
}

// point is an event: its number within the job, and its time. A stream that was restored counts on from an earlier
// number; its events are later ones all the same.
type point struct {
	Number uint64    `json:"number"`
	At     time.Time `json:"at"`
}

func pointOf(t told) point { return point{t.Number(), t.Time} }

// covers says whether the event at the other point had been told when this one was.
func (p point) covers(other point) bool { return other.Number <= p.Number && !other.At.After(p.At) }

// entry is a record, and where it is kept.
type entry struct {
	record
	key      string
	revision uint64
}

func keyOf(id job.ID) string {
	if id.IsCommCell() {
		return "commcell." + id.CommCell
	}
	return "job." + id.CommCell + "." + strconv.FormatInt(id.Number, 10)
}

// recall gives what is remembered. A record of another channel is none.
func (s *Slack) recall(ctx context.Context, key string) (*entry, error) {
	value, revision, err := s.Memory.Get(ctx, key)
	if err != nil {
		return nil, forgets("read", key, err)
	}
	e := &entry{key: key, revision: revision}
	if revision > 0 && len(value) > 0 {
		if err := json.Unmarshal(value, &e.record); err != nil {
			return nil, forgets("read", key, err)
		}
	}
	if e.Channel != s.Channel {
		e.record = record{Channel: s.Channel}
	}
	return e, nil
}

// remember writes the record, unless somebody else has written it since it was read.
func (s *Slack) remember(ctx context.Context, e *entry) error {
	value, err := json.Marshal(e.record)
	if err != nil {
		return err
	}
	revision, err := s.Memory.Put(ctx, e.key, value, e.revision)
	if err != nil {
		return forgets("written", e.key, err)
	}
	e.revision = revision
	return nil
}

func forgets(what, key string, err error) error {
	return &relay.Refusal{Kind: relay.Uncertain, Reason: fmt.Sprintf("what is remembered of %s could not be %s: %v", key, what, err)}
}
