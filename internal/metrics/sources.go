package metrics

import (
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// Sources are read at each scrape. Where only relays run, there are they and the broker alone.
type Sources struct {
	Broker    *stream.Broker
	Board     *stream.Board // asks it about the stream; nil: nobody does
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
	outboxEvents  = describe("outbox_events", "Events that wait for the broker.")
	outboxOldest  = describe("outbox_oldest_seconds", "Age of the oldest event that waits for the broker; 0: none waits.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+"_"+name, help, labels, nil)
}

// Describe is for the registry.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, all := range [][]*prometheus.Desc{
		{published, publishErrors, outboxEvents, outboxOldest},
		around,
		ofCommCells,
		{leases, members, unowned, takeovers},
		{relayPending, relayOldest, relayUp},
	} {
		for _, d := range all {
			to <- d
		}
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
	if c.Broker != nil {
		collectNATS(c.Broker, count, gauge)
	}
	if c.Store == nil {
		return
	}
	if c.Board != nil {
		collectStream(c.Board, c.Broker, gauge)
	}
	collectStore(c.Store, gauge)
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
		c.of.collectCommCell(p, count, gauge)
	}
	if c.Cluster == nil {
		gauge(leases, 0)
		return
	}
	collectCluster(c.Cluster(), count, gauge)
}

// withZeros starts publish.Reasons at 0: docs/metrics.md lists them, and a test holds them against it.
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

func unixTime(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
