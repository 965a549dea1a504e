package endtoend

import (
	"net/http"
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

// TestAConsumerInOthersHands has an administrator delete and pause the relay's consumer while it delivers. It goes on from
// where it was, and says what has happened.
func TestAConsumerInOthersHands(t *testing.T) {
	t.Parallel()
	slow.Test(t, "30 s", "a pause lasts ten seconds, and is seen at a beat")
	r := newRelayed(t, "start: all")
	r.startRelay()
	r.noted()
	if err := r.js.DeleteConsumer(t.Context(), "JOBS", "relay-hook"); err != nil {
		t.Fatal(err)
	}
	r.changes()
	r.relaySays(madeAgain + `, and goes on where it was","relay":"hook","seq":10}`)
	r.arrives(0)
	r.noted()
	if got := r.to.count(); got != 2*relayedJobs {
		t.Errorf("%d deliveries, want %d", got, 2*relayedJobs)
	}

	end := time.Now().Add(10 * time.Second)
	if _, err := r.js.PauseConsumer(t.Context(), "JOBS", "relay-hook", end); err != nil {
		t.Fatal(err)
	}
	paused := "paused by hand until " + end.UTC().Format(time.RFC3339)
	r.until("its status says until when", func() bool { return r.status().Reason == paused })
	r.relaySays("relay is " + paused)
	r.changes()
	if time.Now().Before(end) && r.to.count() != 2*relayedJobs {
		t.Error("delivered while it is paused")
	}
	r.arrives(0)
	r.until("its status says so no more", func() bool { got := r.status(); return got.State == "delivering" && got.Reason == "" })
	r.relaySays("relay is paused by hand no more")

	if err := r.js.DeleteConsumer(t.Context(), "JOBS", "relay-hook"); err != nil {
		t.Fatal(err)
	}
	r.endRelay()
	r.changes()
	r.startRelay()
	r.arrives(0)
	if got := r.to.count(); got != 4*relayedJobs {
		t.Errorf("%d deliveries, want %d", got, 4*relayedJobs)
	}
	r.endRelay()
	r.stop()
}

// TestAPauseIsSaidBeforeAnythingIsDelivered: what was under way when the relay was killed does not come back while its
// consumer is paused.
func TestAPauseIsSaidBeforeAnythingIsDelivered(t *testing.T) {
	t.Parallel()
	slow.Test(t, "25 s", "a lease is given up after the readings of eight seconds")
	r := newRelayed(t, "start: all")
	r.startRelay()
	r.noted()
	r.to.answers(http.StatusServiceUnavailable)
	r.changes()
	r.relaySays("relay does not deliver: away")
	r.killRelay()
	r.to.answers(http.StatusNoContent)
	end := time.Now().Add(time.Hour)
	if _, err := r.js.PauseConsumer(t.Context(), "JOBS", "relay-hook", end); err != nil {
		t.Fatal(err)
	}
	r.startRelay()
	paused := "paused by hand until " + end.UTC().Format(time.RFC3339)
	r.relaySays("relay is " + paused)
	r.until("its status says until when", func() bool { return r.status().Reason == paused })
	if _, err := r.js.ResumeConsumer(t.Context(), "JOBS", "relay-hook"); err != nil {
		t.Fatal(err)
	}
	r.arrives(0)
	r.endRelay()
	r.stop()
}
