package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"jobwatch/internal/cluster"
)

// ClusterState is what is read of the cluster at a scrape.
type ClusterState struct {
	Leases    int // CommCells that this watcher polls
	Members   int // that live; 0: this one cannot take part
	Unowned   int // CommCells of the configuration that nobody polls, as far as this one knows
	Takeovers map[cluster.Reason]int
}

var (
	leases    = describe("leases_held", "CommCells that this watcher has claimed; 0 while it is no part of a cluster.")
	members   = describe("cluster_members", "Members of the cluster that live, as this one sees them; 0: it cannot take part now.")
	unowned   = describe("cluster_unowned_commcells", "CommCells of the configuration that nobody polls.")
	takeovers = describe("cluster_takeovers_total", "Times that this watcher has claimed a CommCell, by why it could be claimed.", "reason")
)

func collectCluster(s ClusterState, count, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	gauge(leases, float64(s.Leases))
	gauge(members, float64(s.Members))
	gauge(unowned, float64(s.Unowned))
	for _, reason := range cluster.Reasons {
		count(takeovers, float64(s.Takeovers[reason]), string(reason))
	}
}

// own leaves out what was counted of CommCells that another member polls now: each one's metrics come from its owner
// alone. What is left out goes on from where it was when the CommCell comes back.
type own struct {
	prometheus.Gatherer
	polled func() map[string]bool // nil: all are
}

func (o *own) Gather() ([]*dto.MetricFamily, error) {
	families, err := o.Gatherer.Gather()
	if o.polled == nil {
		return families, err
	}
	polled := o.polled()
	for _, f := range families {
		f.Metric = slices.DeleteFunc(f.Metric, func(m *dto.Metric) bool {
			i := slices.IndexFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "commcell" })
			return i >= 0 && !polled[m.Label[i].GetValue()]
		})
	}
	return slices.DeleteFunc(families, func(f *dto.MetricFamily) bool { return len(f.Metric) == 0 }), err
}
