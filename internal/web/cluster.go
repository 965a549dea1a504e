package web

import (
	"slices"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/poller"
)

// view is the cluster as this member sees it; of one that is alone nothing.
func (s *Server) view() (c cluster.Status, isMember bool) {
	if s.Cluster == nil {
		return cluster.Status{Members: []cluster.MemberStatus{}}, false
	}
	c = s.Cluster()
	if c.Members == nil {
		c.Members = []cluster.MemberStatus{}
	}
	return c, true
}

// commCells are all of the configuration. Of one that another member polls, this one knows that alone.
func (s *Server) commCells(of cluster.Status, isMember bool) []commCell {
	cells := []commCell{}
	pollers := s.Pollers()
	if !isMember {
		for _, p := range pollers {
			cells = append(cells, s.light(p))
		}
		return cells
	}
	for _, name := range s.CommCells() {
		cell := commCell{Name: name, Classes: map[string]int{}, Ring: [][4]int64{}, asking: asksNothing}
		if i := slices.IndexFunc(pollers, func(p *poller.Poller) bool { return p.CommCell == name }); i >= 0 {
			cell = s.light(pollers[i])
		}
		cell.Owner, cell.Owned = claimOf(of, name)
		cells = append(cells, cell)
	}
	return cells
}

func claimOf(of cluster.Status, name string) (owner *string, since *time.Time) {
	for _, c := range of.CommCells {
		if c.Name == name {
			return c.Owner, c.Since
		}
	}
	return nil, nil
}

// followedBy is the other member that polls a CommCell; nil: this one does, or nobody.
func (s *Server) followedBy(of cluster.Status, name string) *string {
	if owner, _ := claimOf(of, name); owner != nil && *owner != s.Instance {
		return owner
	}
	return nil
}

const claimsNothing = "members of a newer version are in the cluster: this one polls on what it has, and claims nothing more; upgrade it"

// checkCluster is red while this member could not take anything over. What others poll is in the lines behind it.
func (s *Server) checkCluster(of cluster.Status) []check {
	i := slices.IndexFunc(of.Members, func(m cluster.MemberStatus) bool { return m.Instance == s.Instance })
	switch {
	case of.Trouble != "":
		return []check{{"cluster", red, "cannot take part: " + of.Trouble}}
	case i < 0:
		return []check{{"cluster", red, "has not joined yet"}}
	case of.Members[i].Leaving && len(of.Members[i].CommCells) == 0:
		return []check{{"cluster", red, "was told to leave: takes nothing more until its next start"}}
	case len(of.Newer) > 0 && len(of.Members[i].CommCells) == 0:
		return []check{{"cluster", red, claimsNothing}}
	case !of.Members[i].CaughtUp: // as the others know it: who stops next gives this one nothing
		return []check{{"cluster", red, "has not read the stream to its end yet"}}
	}
	checks := []check{{"cluster", ok, ""}}
	if len(of.Newer) > 0 {
		checks[0] = check{"cluster", note, claimsNothing}
	}
	for _, name := range s.CommCells() {
		if s.pollerOf(name) != nil {
			continue // it has a line of its own
		}
		if owner, _ := claimOf(of, name); owner == nil {
			checks = append(checks, check{"commcell " + name, note, "nobody polls it"})
		} else {
			checks = append(checks, check{"commcell " + name, ok, "followed by " + *owner})
		}
	}
	return checks
}
