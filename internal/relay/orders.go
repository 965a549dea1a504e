package relay

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
)

// orders are what people have asked of a relay, as the bucket has it.
type orders struct {
	off     *OffOrder
	redrive map[string]order // by key; of dead letters, and of events of the stream
}

type order struct {
	key      string // in the bucket
	revision uint64
	subject  string // of the dead letter
	sequence uint64 // instead: of the event in the stream
}

// OffOrder is why a relay is off, and since when.
type OffOrder struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

func offKey(relay string) string              { return relay + ".off" }
func redriveKey(relay, eventID string) string { return relay + ".redrive." + eventID }
func replayKey(relay, sequence string) string { return relay + ".replay." + sequence }

func (r *Relay) readOrders(ctx context.Context) (orders, error) {
	now := orders{redrive: map[string]order{}}
	e, err := r.bucket.Get(ctx, offKey(r.Name))
	if err != nil {
		return now, err
	}
	if e.Value != nil {
		now.off = new(OffOrder)
		_ = json.Unmarshal(e.Value, now.off) // off it is, whatever the reason
	}
	letters, err := r.bucket.Entries(ctx, redriveKey(r.Name, ">"))
	if err != nil {
		return now, err
	}
	for _, e := range letters {
		now.redrive[e.Key] = order{key: e.Key, revision: e.Revision, subject: string(e.Value)}
	}
	events, err := r.bucket.Entries(ctx, replayKey(r.Name, ">"))
	for _, e := range events {
		sequence, _ := strconv.ParseUint(string(e.Value), 10, 64)
		now.redrive[e.Key] = order{key: e.Key, revision: e.Revision, sequence: sequence}
	}
	return now, err
}
