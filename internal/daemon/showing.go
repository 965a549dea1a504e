package daemon

import (
	"jobwatch/internal/cluster"
	"jobwatch/internal/metrics"
)

// commCellNames are those of the configuration in force.
func (p *parts) commCellNames() []string {
	var names []string
	for _, cell := range p.pollers.Cells() {
		names = append(names, cell.Name)
	}
	return names
}

// clusterShown is what the HTTP side shows of the cluster; nil: this watcher is alone.
func (p *parts) clusterShown() func() cluster.Status {
	if p.member == nil {
		return nil
	}
	return p.member.View
}

// clusterMeasured is what is counted of the cluster; nil: this watcher is alone.
func (p *parts) clusterMeasured() func() metrics.ClusterState {
	if p.member == nil {
		return nil
	}
	return func() metrics.ClusterState {
		view := p.member.View()
		return measure(view, p.member.Instance, p.commCellNames(), p.member.Counts())
	}
}

func measure(view cluster.Status, instance string, commCells []string, takeovers map[cluster.Reason]int) metrics.ClusterState {
	s := metrics.ClusterState{Takeovers: takeovers}
	for _, m := range view.Members {
		if m.Alive && view.Trouble == "" {
			s.Members++
		}
	}
	for _, c := range view.CommCells {
		if c.Owner != nil && *c.Owner == instance {
			s.Leases++
		}
	}
	for _, name := range commCells {
		if view.Owner(name) == "" {
			s.Unowned++
		}
	}
	return s
}
