package daemon

import (
	"maps"

	"jobwatch/internal/cluster"
	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/metrics"
	"jobwatch/internal/web"
)

// commCellNames are those of the configuration in force.
func (p *parts) commCellNames() []string {
	var names []string
	for _, cell := range p.pollers.Cells() {
		names = append(names, cell.Name)
	}
	return names
}

// configuration is that in force.
func (p *parts) configuration() web.Configuration {
	latest := p.taken.Load()
	return web.Configuration{File: latest.File(), Read: latest.at.UTC(), YAML: config.ShowInForce(p.Config, latest.Config)}
}

// adminOfOwn is for those who ask over NATS: only who polls a CommCell answers for it.
func (p *parts) adminOfOwn() *control.Admin {
	a := p.admin()
	all := a.CommCells
	a.CommCells = func() map[string]control.CommCell {
		cells := all()
		maps.DeleteFunc(cells, func(name string, _ control.CommCell) bool { return !p.pollers.Follows(name) })
		return cells
	}
	return a
}

// followedBy is the other member that polls a CommCell; "": this watcher does, or nobody.
func (p *parts) followedBy(commCell string) string {
	if p.member == nil {
		return ""
	}
	if owner := p.member.View().Owner(commCell); owner != p.member.Instance {
		return owner
	}
	return ""
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
