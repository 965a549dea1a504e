package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"jobwatch/internal/job"
	"jobwatch/internal/poller"
)

var (
	tracked       = describe("tracked_jobs", "Jobs looked at, by the class of their state (unknown: also those without an answer yet).", "commcell", "class")
	up            = describe("commcell_up", "1: the CommServe answers; 0: the last tick that asked it got no answer.", "commcell")
	limit         = describe("request_limit", "Requests under way at once at most: concurrency, or less while the CommServe bears less.", "commcell")
	quotaRequests = describe("quota_requests", "Requests sent to the CommServe in the present period of its quota: an hour, unless it named another.", "commcell")
	quotaLimit    = describe("quota_limit", "Requests that the CommServe allows in a period; absent until it has named that.", "commcell")
	quotaPeriod   = describe("quota_period_seconds", "How long such a period is.", "commcell")
	unseen        = describe("unseen_ends_total", "Jobs whose end the Job list named while the CommServe did not know their details: that end is not told.", "commcell")
	takenOver     = describe("taken_over_total", "Times that another watcher was found to have told of a job; without a second one on the CommCell there is none.", "commcell")
	lastAnswer    = describe("commcell_last_answer_timestamp_seconds", "When a tick last got an answer of the CommServe, in Unix time; absent until one has.", "commcell")
	nextTick      = describe("commcell_next_tick_timestamp_seconds", "When the schedule has its next tick, in Unix time; it lies in the past while a tick is under way.", "commcell")
	tickJobs      = describe("tick_jobs", "Jobs that the last tick set out to look at.", "commcell")
	jobsStalled   = describe("jobs_stalled", "Jobs that are told as stalled.", "commcell")
	heldOldest    = describe("jobs_held_oldest_seconds", "How long the job has been held that has been so for the longest; 0: none is.", "commcell")
	clockSkew     = describe("clock_skew_seconds", "How far the clock of the CommServe is ahead of this one, within half a second or so; absent while its answers tell no time.", "commcell")
	tlsNotAfter   = describe("tls_not_after_timestamp_seconds", "When the certificate of the CommServe ends, or one of its chain before it, in Unix time; absent without TLS.", "commcell")

	ofCommCells = []*prometheus.Desc{
		takenOver, tracked, up, limit, unseen, quotaRequests, quotaLimit, quotaPeriod,
		lastAnswer, nextTick, tickJobs, jobsStalled, heldOldest, clockSkew, tlsNotAfter,
	}
)

// classes of jobs start at 0, too.
var classes = []job.Class{job.Queued, job.Active, job.Held, job.Succeeded, job.Partial, job.Failed, job.Killed, job.Unknown}

// collectCommCell tells how a CommCell stands. It reads what cycles have left: no job is looked at.
func (m *Metrics) collectCommCell(p *poller.Poller, count, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	t, name := p.Counts.Totals(), p.CommCell
	for _, class := range classes {
		gauge(tracked, float64(t.Classes[string(class)]), name, string(class))
	}
	gauge(jobsStalled, float64(t.Stalled), name)
	gauge(heldOldest, age(t.Held), name)
	gauge(tickJobs, float64(t.Polls), name)
	gauge(limit, float64(p.Limit()), name)
	count(unseen, float64(t.Unseen), name)
	if !t.Since.IsZero() {
		gauge(up, oneIf(t.Up), name)
	}
	if !t.Answered.IsZero() {
		gauge(lastAnswer, unixTime(t.Answered), name)
	}
	if !t.Due.IsZero() {
		gauge(nextTick, unixTime(t.Due), name)
	}
	if quota, known := m.Quota(name); known {
		gauge(quotaRequests, float64(quota.Spent), name)
		gauge(quotaPeriod, quota.Period.Seconds(), name)
		if quota.Limit > 0 {
			gauge(quotaLimit, float64(quota.Limit), name)
		}
	}
	if read, known := m.servers.Load(name); known {
		server := read.(Server)
		if ahead, known := server.Ahead(); known {
			gauge(clockSkew, ahead.Seconds(), name)
		}
		if ends := server.CertificateEnds(); !ends.IsZero() {
			gauge(tlsNotAfter, unixTime(ends), name)
		}
	}
}
