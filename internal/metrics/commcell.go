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
	polled, ticked, delay prometheus.Observer
	skipped, vms          prometheus.Counter
	details               prometheus.Observer // how long such a request takes
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
	for _, class := range endClasses {
		for _, operation := range operations {
			m.ended.WithLabelValues(name, string(class), operation)
		}
	}
	return &CommCell{
		name: name, of: m,
		unchanged:  m.polls.WithLabelValues(name, unchanged),
		details200: m.requests.WithLabelValues(name, jobDetails, strconv.Itoa(http.StatusOK)),
		polled:     m.polled.WithLabelValues(name),
		ticked:     m.ticked.WithLabelValues(name),
		skipped:    m.skipped.WithLabelValues(name),
		delay:      m.delay.WithLabelValues(name),
		vms:        m.vms.WithLabelValues(name),
		details:    m.asked.WithLabelValues(name, jobDetails),
	}
}

// ReadServer has what answers show of the CommServe read at each scrape.
func (c *CommCell) ReadServer(s Server) { c.of.servers.Store(c.name, s) }

// Server is what answers show of a CommServe besides jobs: a commvault.Client.
type Server interface {
	Ahead() (time.Duration, bool) // its clock, of ours; false: it tells no time
	CertificateEnds() time.Time   // zero: there is no TLS
}

// ReadQuota has the quota of the CommCell read at each scrape.
func (c *CommCell) ReadQuota(read func() commvault.Quota) { c.of.quotas.Store(c.name, read) }

// Request counts one request to the CommServe (commvault.Config.Observe).
func (c *CommCell) Request(operation string, code int, took time.Duration, err error) {
	if operation == jobDetails && code == http.StatusOK {
		c.details200.Inc()
		c.details.Observe(took.Seconds())
		return
	}
	c.of.asked.WithLabelValues(c.name, operation).Observe(took.Seconds())
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

// Committed counts events, and of them the ends of jobs and the failed machines.
func (c *CommCell) Committed(changes []job.Change, of *job.Snapshot) {
	for _, change := range changes {
		c.of.events.WithLabelValues(c.name, change.Kind).Inc()
		if change.Kind == job.KindFailure && change.Detail == job.DetailVM {
			c.vms.Inc()
		}
		if ends(change, of) {
			c.of.ended.WithLabelValues(c.name, string(job.LookUp(change.To, true).Class), operationOf(of)).Inc()
			c.of.Succeeded(c.name, of)
		}
	}
}

// Detected records how late a change of state was seen, at most.
func (c *CommCell) Detected(after time.Duration) { c.delay.Observe(after.Seconds()) }

// CycleTook notes how long a cycle took.
func (c *CommCell) CycleTook(took time.Duration) { c.ticked.Observe(took.Seconds()) }

// TickSkipped counts a tick that fell due during another.
func (c *CommCell) TickSkipped() { c.skipped.Inc() }
