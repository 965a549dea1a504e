package metrics

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
)

// Sources are read at each scrape. Where only relays run, there are no others.
type Sources struct {
	Store     *store.Store
	Publisher *publish.Publisher
	Pollers   func() []*poller.Poller
	Cluster   func() ClusterState // nil: this watcher is alone
	Relays    func() []RelayState // nil: none run here
}

// Read has the metrics tell what the sources hold. It is called once.
func (m *Metrics) Read(s Sources) {
	m.registry.MustRegister(collector{s, m})
	if s.Cluster != nil {
		m.shown.polled = s.polled
	}
}

// polled are the CommCells that are polled here.
func (s Sources) polled() map[string]bool {
	names := map[string]bool{}
	for _, p := range s.Pollers() {
		names[p.CommCell] = true
	}
	return names
}

type collector struct {
	Sources
	of *Metrics
}

var (
	published     = describe("published_total", "Events that the broker has acknowledged.")
	publishErrors = describe("publish_errors_total", "Publishes that the broker has not acknowledged, by reason.", "reason")
	takenOver     = describe("taken_over_total", "Times that another watcher was found to have told of a job; without a second one on the CommCell there is none.", "commcell")
	outboxEvents  = describe("outbox_events", "Events that wait for the broker.")
	outboxOldest  = describe("outbox_oldest_seconds", "Age of the oldest event that waits for the broker; 0: none waits.")
	tracked       = describe("tracked_jobs", "Jobs looked at, by the class of their state (unknown: also those without an answer yet).", "commcell", "class")
	up            = describe("commcell_up", "1: the CommServe answers; 0: the last tick that asked it got no answer.", "commcell")
	limit         = describe("request_limit", "Requests under way at once at most: concurrency, or less while the CommServe bears less.", "commcell")
	quotaRequests = describe("quota_requests", "Requests sent to the CommServe in the present period of its quota: an hour, unless it named another.", "commcell")
	quotaLimit    = describe("quota_limit", "Requests that the CommServe allows in a period; absent until it has named that.", "commcell")
	quotaPeriod   = describe("quota_period_seconds", "How long such a period is.", "commcell")
	unseen        = describe("unseen_ends_total", "Jobs whose end the Job list named while the CommServe did not know their details: that end is not told.", "commcell")
)

// publish.Reasons and classes of jobs start at 0: docs/http.md lists them, and a test holds them against it.
var classes = []job.Class{job.Queued, job.Active, job.Held, job.Succeeded, job.Partial, job.Failed, job.Killed, job.Unknown}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+"_"+name, help, labels, nil)
}

// Describe is for the registry.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{published, publishErrors, takenOver, outboxEvents, outboxOldest, tracked, up, limit, unseen, quotaRequests, quotaLimit, quotaPeriod, leases, members, unowned, takeovers, relayPending, relayOldest, relayUp} {
		to <- d
	}
}

// Collect is for the registry.
func (c collector) Collect(to chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	if c.Relays != nil {
		collectRelays(c.Relays(), gauge)
	}
	if c.Store == nil {
		return
	}
	count(published, float64(c.Publisher.Counts.Published.Load()))
	for reason, n := range withZeros(c.Publisher.Errors()) {
		count(publishErrors, float64(n), reason)
	}
	gauge(outboxEvents, float64(c.Store.Unsent()))
	if oldest, err := c.Store.OldestUnsent(); err == nil {
		gauge(outboxOldest, age(oldest))
	}
	others := c.Publisher.ForeignWrites()
	for _, p := range c.Pollers() {
		count(takenOver, float64(others[p.CommCell]), p.CommCell)
		t := p.Counts.Totals()
		for _, class := range classes {
			gauge(tracked, float64(t.Classes[string(class)]), p.CommCell, string(class))
		}
		gauge(limit, float64(p.Limit()), p.CommCell)
		count(unseen, float64(t.Unseen), p.CommCell)
		if !t.Since.IsZero() {
			gauge(up, oneIf(t.Up), p.CommCell)
		}
		if quota, known := c.of.Quota(p.CommCell); known {
			gauge(quotaRequests, float64(quota.Spent), p.CommCell)
			gauge(quotaPeriod, quota.Period.Seconds(), p.CommCell)
			if quota.Limit > 0 {
				gauge(quotaLimit, float64(quota.Limit), p.CommCell)
			}
		}
	}
	if c.Cluster == nil {
		gauge(leases, 0)
		return
	}
	collectCluster(c.Cluster(), count, gauge)
}

func withZeros(counts map[string]int64) map[string]int64 {
	all := map[string]int64{}
	for _, reason := range publish.Reasons {
		all[reason] = 0
	}
	maps.Copy(all, counts)
	return all
}

func age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, time.Since(t).Seconds())
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
