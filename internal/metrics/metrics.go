// Package metrics counts for Prometheus what the loops do. What happens at each poll is counted
// where it happens (CommCell); the rest is read when somebody asks for it (Sources).
package metrics

import (
	"net/http"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const prefix = "jobwatch"

// Metrics are all metrics of one process, in a registry of their own.
type Metrics struct {
	registry *prometheus.Registry
	shown    own // what of it is served

	polls, requests, unanswered, events, skipped *prometheus.CounterVec
	polled, ticked                               *prometheus.HistogramVec
	delay                                        prometheus.Histogram

	relays relayCounts
	quotas sync.Map // CommCell => func() commvault.Quota
}

var (
	pollBuckets  = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	tickBuckets  = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	delayBuckets = []float64{.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 120, 300, 600, 1800, 3600}
)

// New returns metrics that say which version counts.
func New(version string) *Metrics {
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		polls:      counters("polls_total", "Looks at a job, by result: ok, unchanged, or what kept the CommServe from answering.", "commcell", "result"),
		requests:   counters("requests_total", "Requests to a CommServe, by operation and HTTP status (0: none came).", "commcell", "operation", "code"),
		unanswered: counters("requests_unanswered_total", "Requests to a CommServe to which no HTTP status came, by why.", "commcell", "reason"),
		events:     counters("events_total", "Events committed, by kind.", "commcell", "kind"),
		skipped:    counters("ticks_skipped_total", "Ticks of the schedule that fell due while one was under way.", "commcell"),
		polled:     histograms("poll_duration_seconds", "How long a look at a job took, its repetitions included.", pollBuckets),
		ticked:     histograms("tick_duration_seconds", "How long a whole tick took.", tickBuckets),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: prefix, Name: "detection_delay_seconds", Buckets: delayBuckets,
			Help: "How long ago at most a job's state had changed when the change was seen.",
		}),
	}
	m.shown.Gatherer = m.registry
	m.relays = newRelayCounts()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: prefix, Name: "build_info", Help: "1, for the version that its label names.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.polls, m.requests, m.unanswered, m.events, m.skipped, m.polled, m.ticked, m.delay, build,
		m.relays.delivered, m.relays.failures, m.relays.dead, m.relays.missed, m.relays.took,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics. What cannot be read just now is left out.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(&m.shown, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4})
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: prefix, Name: name, Help: help}, labels)
}

func histograms(name, help string, buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: prefix, Name: name, Help: help, Buckets: buckets,
	}, []string{"commcell"})
}
