package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
)

// CommCell counts what is done with one CommCell: a poller.Meter, and what commvault.Config.Observe
// wants. What nearly every poll counts is resolved once: at 20,000 polls a second a map access shows.
type CommCell struct {
	name string
	of   *Metrics

	unchanged, details200 prometheus.Counter
	polled, ticked        prometheus.Observer
	skipped               prometheus.Counter
}

const (
	jobDetails = "JobDetails"
	unchanged  = "unchanged"
)

var (
	results = []string{
		"ok", unchanged, "older",
		string(commvault.Unreachable), string(commvault.Timeout), string(commvault.Canceled), string(commvault.HTTP),
		string(commvault.Throttled), string(commvault.Auth), string(commvault.Redirect), string(commvault.NotAnAnswer),
		string(commvault.TooLarge), string(commvault.UnknownJob), "other",
	}
	unansweredFor = []commvault.Kind{commvault.Unreachable, commvault.Timeout, commvault.Canceled}

	kinds = []string{job.KindState, job.KindPhase, job.KindFailure, job.KindWatch, job.KindCommCell}
)

// CommCell starts the counters of one CommCell at 0: an increase from nothing is none to Prometheus.
func (m *Metrics) CommCell(name string) *CommCell {
	for _, result := range results {
		m.polls.WithLabelValues(name, result)
	}
	for _, reason := range unansweredFor {
		m.unanswered.WithLabelValues(name, string(reason))
	}
	for _, kind := range kinds {
		m.events.WithLabelValues(name, kind)
	}
	return &CommCell{
		name: name, of: m,
		unchanged:  m.polls.WithLabelValues(name, unchanged),
		details200: m.requests.WithLabelValues(name, jobDetails, strconv.Itoa(http.StatusOK)),
		polled:     m.polled.WithLabelValues(name),
		ticked:     m.ticked.WithLabelValues(name),
		skipped:    m.skipped.WithLabelValues(name),
	}
}

// ReadQuota has the quota of the CommCell read at each scrape.
func (c *CommCell) ReadQuota(read func() commvault.Quota) { c.of.quotas.Store(c.name, read) }

// Request counts one request to the CommServe (commvault.Config.Observe).
func (c *CommCell) Request(operation string, code int, _ time.Duration, err error) {
	if operation == jobDetails && code == http.StatusOK {
		c.details200.Inc()
		return
	}
	if code == 0 {
		c.of.unanswered.WithLabelValues(c.name, string(commvault.KindOf(err))).Inc()
	}
	c.of.requests.WithLabelValues(c.name, operation, strconv.Itoa(code)).Inc()
}

// Polled counts a poll by its result.
func (c *CommCell) Polled(result string) {
	if result == unchanged {
		c.unchanged.Inc()
		return
	}
	c.of.polls.WithLabelValues(c.name, result).Inc()
}

// PollTook records how long a poll took.
func (c *CommCell) PollTook(took time.Duration) { c.polled.Observe(took.Seconds()) }

// Committed counts events.
func (c *CommCell) Committed(changes []job.Change) {
	for _, change := range changes {
		c.of.events.WithLabelValues(c.name, change.Kind).Inc()
	}
}

// Detected records how late a change of state was seen, at most.
func (c *CommCell) Detected(after time.Duration) { c.of.delay.Observe(after.Seconds()) }

// CycleTook notes how long a cycle took.
func (c *CommCell) CycleTook(took time.Duration) { c.ticked.Observe(took.Seconds()) }

// TickSkipped counts a tick that fell due during another.
func (c *CommCell) TickSkipped() { c.skipped.Inc() }
