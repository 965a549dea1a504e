package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// single are the metrics without a label that are counted where something happens.
type single struct {
	commits          prometheus.Histogram
	reloaded, loaded prometheus.Gauge
	followers        prometheus.Gauge
	followersDropped prometheus.Counter
}

var commitBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

func newSingle() single {
	s := single{
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: prefix, Name: "store_commit_duration_seconds", Buckets: commitBuckets,
			Help: "How long a transaction that writes to the store took, until it was on disk.",
		}),
		reloaded:         gauge("config_last_reload_successful", "1: the configuration last read was taken; 0: it was refused, and the one before it is in force."),
		loaded:           gauge("config_last_reload_success_timestamp_seconds", "When a configuration was last taken, in Unix time."),
		followers:        gauge("http_followers", "Who follows events now, pages included."),
		followersDropped: prometheus.NewCounter(prometheus.CounterOpts{Namespace: prefix, Name: "http_followers_dropped_total", Help: "Followers of events that were dropped, since they lagged behind."}),
	}
	s.reloaded.Set(1)
	s.loaded.SetToCurrentTime()
	return s
}

func (s single) all() []prometheus.Collector {
	return []prometheus.Collector{s.commits, s.reloaded, s.loaded, s.followers, s.followersDropped}
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: prefix, Name: name, Help: help})
}

// Committed notes how long the store took to write (store.Store.Took).
func (m *Metrics) Committed(took time.Duration) { m.single.commits.Observe(took.Seconds()) }

// Reloaded notes that a configuration was taken, or refused.
func (m *Metrics) Reloaded(taken bool) {
	m.single.reloaded.Set(oneIf(taken))
	if taken {
		m.single.loaded.SetToCurrentTime()
	}
}

// Follows notes how many follow events now.
func (m *Metrics) Follows(now int) { m.single.followers.Set(float64(now)) }

// Dropped counts a follower who lagged behind.
func (m *Metrics) Dropped() { m.single.followersDropped.Inc() }
