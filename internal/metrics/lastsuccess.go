package metrics

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"jobwatch/internal/job"
)

// lastSuccess shows when the backups of some clients last ended well. A client's name is a label: only those are shown that
// somebody asks for, and only so many.
type lastSuccess struct {
	clients []string // globs; set before anything is noted
	limit   int

	at      *prometheus.GaugeVec
	leftOut prometheus.Gauge

	mu    sync.Mutex
	known map[series]time.Time // guarded by mu
	over  map[series]bool      // guarded by mu
}

type series struct{ commCell, client, subclient string }

var backups = []string{"backup", "snap_backup"} // what a restore can begin with, and what somebody schedules

const mostLeftOut = 100_000 // are told apart; beyond, the count stays

func newLastSuccess() *lastSuccess {
	return &lastSuccess{
		at: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: prefix, Name: "last_success_timestamp_seconds",
			Help: "When a backup of the subclient last ended well, of the clients that metrics.last_success names.",
		}, []string{"commcell", "client", "subclient"}),
		leftOut: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: prefix, Name: "last_success_left_out", Help: "Subclients that last_success_timestamp_seconds has no place for (metrics.last_success.limit).",
		}),
		known: map[series]time.Time{}, over: map[series]bool{},
	}
}

// ShowLastSuccess has the last good backups of some clients (globs, see job.Like) shown, of so many subclients at most. It is
// called before anything is counted.
func (m *Metrics) ShowLastSuccess(clients []string, limit int) {
	m.last.clients, m.last.limit = clients, limit
}

// WantsSuccess says whether somebody has asked for them.
func (m *Metrics) WantsSuccess() bool { return len(m.last.clients) > 0 }

// Succeeded notes the end of a job, if it is that of a good backup and asked for. An earlier end changes nothing.
func (m *Metrics) Succeeded(commCell string, s *job.Snapshot) {
	l := m.last
	if len(l.clients) == 0 || !s.Terminal || s.StateClass != job.Text(job.Succeeded) || s.EndTime == nil || !slices.Contains(backups, operationOf(s)) {
		return
	}
	like := func(glob string) bool { return job.Like(glob, string(s.Client)) }
	if slices.ContainsFunc(l.clients, like) {
		l.note(series{commCell, string(s.Client), string(s.Subclient)}, *s.EndTime)
	}
}

func (l *lastSuccess) note(of series, end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, known := l.known[of]
	switch {
	case known && !end.After(last):
		return
	case !known && len(l.known) >= l.limit:
		if len(l.over) < mostLeftOut {
			l.over[of] = true
		}
		l.leftOut.Set(float64(len(l.over)))
		return
	}
	l.known[of] = end
	l.at.WithLabelValues(of.commCell, of.client, of.subclient).Set(float64(end.Unix()))
}
