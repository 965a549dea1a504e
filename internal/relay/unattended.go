package relay

import (
	"context"
	"fmt"
	"time"

	"jobwatch/internal/stream"
)

func readRecords(ctx context.Context, bucket stream.Bucket, names []string) (map[string]record, error) {
	records := map[string]record{}
	for _, name := range names {
		e, err := bucket.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		if records[name], err = readRecord(e); err != nil {
			return nil, fmt.Errorf("key %s of the relays' bucket: %w", name, err)
		}
	}
	return records, nil
}

// unattended names the relays that nobody relays: their holder has given them back, or does not beat. A beat that the
// clocks call recent is believed; for any other one the next is waited for, as long as a lease lasts.
func unattended(ctx context.Context, bucket stream.Bucket, records map[string]record) (map[string]bool, error) {
	alone := map[string]bool{}
	var doubtful []string
	for name, r := range records {
		switch {
		case r.Instance == "":
			alone[name] = true
		case time.Since(r.At).Abs() > leaseLife:
			alone[name], doubtful = true, append(doubtful, name)
		}
	}
	for end := time.Now().Add(leaseLife); len(doubtful) > 0 && time.Now().Before(end); {
		if !pause(ctx, beat/4) {
			return nil, ctx.Err()
		}
		now, err := readRecords(ctx, bucket, doubtful)
		if err != nil {
			return nil, err
		}
		doubtful = nil
		for name, r := range now {
			if r.Beat != records[name].Beat {
				delete(alone, name)
			} else {
				doubtful = append(doubtful, name)
			}
		}
	}
	return alone, nil
}

func (r record) status(name string, alone bool) Status {
	s := Status{
		Name: name, State: r.State, Since: r.Since, Reason: r.Reason, Alarm: r.Alarm, Holder: r.Host,
		Pending: r.Pending, Oldest: r.Oldest, Parked: r.Parked, Missed: r.Missed,
	}
	switch {
	case r.Beat == 0:
		s.State, s.Reason = Starting, "no watcher has relayed it yet"
	case alone && !r.Alarm: // what the alarm is about outlives who raised it
		s.State, s.Since = Stopped, r.At
		s.Reason = "no watcher relays it; start one, or see what its log and /readyz say"
	}
	return s
}
