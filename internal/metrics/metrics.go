// Package metrics counts for Prometheus what the loops do. What happens at each poll is counted
// where it happens (CommCell); the rest is read when somebody asks for it (Sources).
package metrics

import (
	"net/http"
	"runtime"
	"runtime/debug"
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
	ended, vms                                   *prometheus.CounterVec
	polled, ticked, delay, asked                 *prometheus.HistogramVec

	last            *lastSuccess
	relays          relayCounts
	single          single
	quotas, servers sync.Map // CommCell => func() commvault.Quota, Server
}

var (
	pollBuckets    = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	tickBuckets    = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	requestBuckets = []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	delayBuckets   = []float64{.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 120, 300, 600, 1800, 3600}
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
		delay:      histograms("detection_delay_seconds", "How long ago at most a job's state had changed when the change was seen.", delayBuckets),
		asked:      histograms("request_duration_seconds", "How long a request to a CommServe took, up to the end of its answer, by operation.", requestBuckets, "operation"),
		ended:      counters("jobs_ended_total", "Jobs whose end was told, by the class of the state that they ended in, and by operation.", "commcell", "class", "operation"),
		vms:        counters("vms_failed_total", "Machines that were told as failed in a backup or restore of several.", "commcell"),
	}
	m.shown.Gatherer = m.registry
	m.relays, m.single, m.last = newRelayCounts(), newSingle(), newLastSuccess()
	m.registry.MustRegister(m.single.all()...)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: prefix, Name: "build_info", Help: "1, for the version, the commit and the Go release that its labels name.",
		ConstLabels: prometheus.Labels{"version": version, "revision": revision(debug.ReadBuildInfo()), "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.polls, m.requests, m.unanswered, m.events, m.skipped, m.polled, m.ticked, m.delay, m.asked, m.ended, m.vms, m.last.at, m.last.leftOut, build,
		m.relays.delivered, m.relays.failures, m.relays.dead, m.relays.missed, m.relays.took, m.relays.succeeded,
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

func histograms(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: prefix, Name: name, Help: help, Buckets: buckets,
	}, append([]string{"commcell"}, labels...))
}

// revision is the commit that the program was built from, or unknown: a build of no clone has none.
func revision(info *debug.BuildInfo, ok bool) string {
	if ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return "unknown"
}
