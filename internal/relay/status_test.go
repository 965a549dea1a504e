package relay

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

func (w *world) statusOf(name string) Status {
	w.t.Helper()
	all, err := Statuses(soon(w.t), w.broker, "JOBS", "", []string{name})
	if err != nil {
		w.t.Fatal(err)
	}
	return all[0]
}

func TestTheStatusSaysThatNobodyRelays(t *testing.T) {
	slow.Test(t, "9 s", "a holder that is dead is one that has not beaten for as long as a lease lasts")
	w := newWorld(t)
	if s := w.statusOf("ops"); s.State != Starting || s.Reason != "no watcher has relayed it yet" {
		t.Errorf("before it has ever run: %s, %q", s.State, s.Reason)
	}
	r, stop := w.relays(&receiver{})
	until(t, "it delivers", func() bool { return r.Status().State == Delivering })
	until(t, "the status says so", func() bool { return w.statusOf("ops").State == Delivering })
	stop()
	if s := w.statusOf("ops"); s.State != Stopped || !strings.HasPrefix(s.Reason, "no watcher relays it") || time.Since(s.Since) > time.Minute {
		t.Errorf("after its watcher has ended: %s since %v, %q", s.State, s.Since, s.Reason)
	}

	last := time.Now().Add(-time.Hour).UTC()
	for name, beats := range map[string]bool{"killed": false, "skewed": true} { // the second holder's clock is an hour behind
		holder := record{Instance: name, State: Delivering, At: last, Beat: 7}
		revision := w.put(name, holder, 0)
		if beats {
			stop := runs(t, func(ctx context.Context) error {
				for pause(ctx, beat) {
					holder.Beat++
					revision = w.put(name, holder, revision)
				}
				return nil
			})
			defer stop()
		}
	}
	if s := w.statusOf("killed"); s.State != Stopped || !s.Since.Equal(last) {
		t.Errorf("after a kill: %s since %v", s.State, s.Since)
	}
	if s := w.statusOf("skewed"); s.State != Delivering {
		t.Errorf("of a holder with a slow clock: %s", s.State)
	}
}

func (w *world) put(key string, r record, upon uint64) (revision uint64) {
	w.t.Helper()
	value, err := json.Marshal(r)
	if err == nil {
		revision, err = w.broker.Bucket(BucketName("JOBS")).Put(soon(w.t), stream.Entry{Key: key, Value: value, Revision: upon})
	}
	if err != nil {
		w.t.Error(err)
	}
	return revision
}
