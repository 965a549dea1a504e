package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Relay counts what becomes of the events of one relay.
type Relay struct {
	delivered, dead, missed prometheus.Counter
	took                    prometheus.Observer
	succeeded               func(time.Time)
	failures                map[string]prometheus.Counter
}

// relayCounts are those of all relays.
type relayCounts struct {
	delivered, failures, dead, missed *prometheus.CounterVec
	took                              *prometheus.HistogramVec
	succeeded                         *prometheus.GaugeVec
}

// FailureReasons are why a delivery was not taken, as relay.Kind names it.
var FailureReasons = []string{"uncertain", "away", "unfit", "gone", "broken"}

var deliveryBuckets = []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 21600, 86400}

func newRelayCounts() relayCounts {
	return relayCounts{
		delivered: counters("relay_delivered_total", "Events that a relay has delivered.", "relay"),
		failures:  counters("relay_failures_total", "Deliveries that the destination has not taken, by what that means for what comes next.", "relay", "reason"),
		dead:      counters("relay_dead_total", "Events that a relay gave up and made dead letters.", "relay"),
		missed:    counters("relay_missed_total", "Messages that the stream had forgotten before the relay got there.", "relay"),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: prefix, Name: "relay_delivery_seconds", Buckets: deliveryBuckets, Help: "From the event's time to its delivery.",
		}, []string{"relay"}),
		succeeded: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: prefix, Name: "relay_last_success_timestamp_seconds",
			Help: "When a relay last delivered an event, in Unix time; absent until it has delivered one here.",
		}, []string{"relay"}),
	}
}

// Relay starts the counters of one relay at 0: an increase from nothing is none to Prometheus.
func (m *Metrics) Relay(name string) *Relay {
	r := &Relay{
		delivered: m.relays.delivered.WithLabelValues(name), dead: m.relays.dead.WithLabelValues(name),
		missed: m.relays.missed.WithLabelValues(name), took: m.relays.took.WithLabelValues(name),
		failures:  map[string]prometheus.Counter{},
		succeeded: func(at time.Time) { m.relays.succeeded.WithLabelValues(name).Set(unixTime(at)) },
	}
	for _, reason := range FailureReasons {
		r.failures[reason] = m.relays.failures.WithLabelValues(name, reason)
	}
	return r
}

// Delivered counts an event, so long after its own time.
func (r *Relay) Delivered(after time.Duration) {
	r.delivered.Inc()
	r.succeeded(time.Now())
	r.took.Observe(max(0, after.Seconds()))
}

// Failed counts a delivery that was not taken; the reason is one of FailureReasons.
func (r *Relay) Failed(reason string) {
	if counter, known := r.failures[reason]; known {
		counter.Inc()
	}
}

// Dead counts an event that was given up.
func (r *Relay) Dead() { r.dead.Inc() }

// Missed counts messages that the stream had forgotten.
func (r *Relay) Missed(messages uint64) { r.missed.Add(float64(messages)) }

// RelayState is what is read of a relay at a scrape.
type RelayState struct {
	Name    string
	Up      bool
	Pending uint64    // events not delivered yet
	Oldest  time.Time // the time of the first of them; zero: none waits
}

var (
	relayPending = describe("relay_pending", "Events of the stream that a relay has not delivered yet.", "relay")
	relayOldest  = describe("relay_oldest_seconds", "Age of the oldest event that a relay has not delivered yet; 0: none waits.", "relay")
	relayUp      = describe("relay_up", "1: the relay delivers; 0: its destination is away, it is off, stands still, or could not be started.", "relay")
)

func collectRelays(relays []RelayState, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	for _, r := range relays {
		gauge(relayUp, oneIf(r.Up), r.Name)
		gauge(relayPending, float64(r.Pending), r.Name)
		gauge(relayOldest, age(r.Oldest), r.Name)
	}
}
