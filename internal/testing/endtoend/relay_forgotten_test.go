package endtoend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/testing/slow"
)

// TestWhatAgedWhileTheRelayWasDown has max_age lowered for a moment, as an administrator does who needs room: what the
// stream has forgotten is counted in the log, at /metrics and in the status, and what is left arrives.
func TestWhatAgedWhileTheRelayWasDown(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		before func(r *relayed) // what was delivered is noted
		left   bool             // something that is told later, before the relay starts again
		missed int
	}{
		"some": {func(r *relayed) { r.endRelay() }, true, relayedJobs},
		"all":  {func(r *relayed) { r.endRelay() }, false, relayedJobs},
		"after that": {func(r *relayed) { // it was under way when the relay was killed
			r.to.answers(http.StatusServiceUnavailable)
			r.changes()
			r.relaySays("relay does not deliver: away")
			r.killRelay()
			r.to.answers(http.StatusNoContent)
		}, true, 2 * relayedJobs},
	} {
		t.Run(name, func(t *testing.T) {
			slow.Test(t, "15 s", "messages age in real time")
			t.Parallel()
			r := newRelayed(t, "start: all")
			r.startRelay()
			r.noted()
			row.before(r)
			r.changes()
			r.age()
			forgotten := r.held().LastSeq
			if row.left {
				r.changes()
			}
			r.startRelay()
			r.relaySays(fmt.Sprintf(`the stream has forgotten messages before the relay got there (max_age, or a purge)","relay":"hook","count":%d}`, row.missed))
			if !row.left {
				r.changes()
			}
			r.arrives(forgotten)
			r.noted()
			if got := r.metric("relay_missed_total"); got != fmt.Sprint(row.missed) {
				t.Errorf("relay_missed_total is %q, want %d", got, row.missed)
			}
			if got := r.status(); got.State != "delivering" || got.Missed != row.missed || got.Pending != 0 {
				t.Errorf("its status is %+v, want %d missed", got, row.missed)
			}
			if got := r.to.count(); got != 2*relayedJobs {
				t.Errorf("%d deliveries, want %d", got, 2*relayedJobs)
			}
			r.endRelay()
			r.startRelay() // and it is not counted again
			r.relaySays("relay delivers")
			if got := r.status().Missed; got != row.missed || strings.Contains(r.log.String(), "forgotten") {
				t.Errorf("after a restart %d are missed, want %d\n%s", got, row.missed, r.log)
			}
			r.endRelay()
		})
	}
}

// age has all that the stream holds age at once.
func (r *relayed) age() {
	r.t.Helper()
	s, err := r.js.Stream(r.t.Context(), "JOBS")
	if err != nil {
		r.t.Fatal(err)
	}
	config := s.CachedInfo().Config
	for _, age := range []time.Duration{100 * time.Millisecond, config.MaxAge} {
		config.MaxAge = age
		if _, err := r.js.UpdateStream(r.t.Context(), config); err != nil {
			r.t.Fatal(err)
		}
		r.until("all has aged", func() bool { return r.held().Msgs == 0 })
	}
}

// TestAJobsEventsArePurged takes the events of two jobs out of the middle of the stream, while the relay is down.
func TestAJobsEventsArePurged(t *testing.T) {
	slow.Test(t, "15 s", "real processes start and end")
	t.Parallel()
	r := newRelayed(t, "start: all")
	r.startRelay()
	r.noted()
	r.to.answers(http.StatusServiceUnavailable)
	r.changes()
	r.relaySays("relay does not deliver: away")
	r.killRelay() // with all ten under way
	r.to.answers(http.StatusNoContent)
	r.changes()
	s, err := r.js.Stream(t.Context(), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	for _, job := range []int{relayedFirst + 3, relayedFirst + 4} {
		if err := s.Purge(t.Context(), jetstream.WithPurgeSubject(fmt.Sprintf("jobs.sim.%d.>", job))); err != nil {
			t.Fatal(err)
		}
	}
	r.startRelay()
	r.arrives(0)
	r.noted()
	if got := r.to.count(); got != relayedJobs+2*(relayedJobs-2) {
		t.Errorf("%d deliveries", got)
	}
	r.endRelay()
}
