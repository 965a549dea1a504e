package relay

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// orders are what people have asked of a relay, as the bucket has it.
type orders struct {
	off     *OffOrder
	redrive map[string]order // by event id
}

type order struct {
	subject  string // of the dead letter
	revision uint64
}

// OffOrder is why a relay is off, and since when.
type OffOrder struct {
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}

func offKey(relay string) string              { return relay + ".off" }
func redriveKey(relay, eventID string) string { return relay + ".redrive." + eventID }

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
	entries, err := r.bucket.Entries(ctx, redriveKey(r.Name, ">"))
	for _, e := range entries {
		now.redrive[strings.TrimPrefix(e.Key, redriveKey(r.Name, ""))] = order{string(e.Value), e.Revision}
	}
	return now, err
}
