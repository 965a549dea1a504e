package relay

import (
	"fmt"
	"time"
)

// Grouping has more than Over jobs of a group, with events within a window, told as one. A window begins with the time
// of its first event, so that neither a crash nor a backlog changes it.
type Grouping struct {
	By     string // client, subclient, commcell; client_group: no event says one
	Within time.Duration
	Over   int
}

// mostJobs are told in one message.
const mostJobs = 100

// group is an open window.
type group struct {
	name  string
	ends  time.Time
	items []*item
	jobs  map[string]bool
}

// intoWindow puts an item into the window of its group; false: it has none.
func (s *session) intoWindow(q *queue, i *item) bool {
	parsed, err := i.event.Parsed()
	if err != nil {
		return false
	}
	g := q.open
	if g == nil {
		name := s.groupOf(i.event)
		if name == "" {
			return false
		}
		g = s.groups[name]
		if g == nil {
			g = &group{name: name, ends: parsed.Time.Add(s.Group.Within), jobs: map[string]bool{}}
			s.groups[name] = g
		}
	}
	if parsed.Time.After(g.ends) {
		s.close(g)
		return s.intoWindow(q, i)
	}
	g.items = append(g.items, i)
	g.jobs[q.key] = true
	q.open = g
	return true
}

func (s *session) groupOf(e *Event) string {
	if e.Job.IsCommCell() {
		return ""
	}
	data, err := e.JobData()
	if err != nil {
		return ""
	}
	switch s.Group.By {
	case "client":
		return string(data.Job.Client)
	case "subclient":
		if data.Job.Subclient == "" {
			return ""
		}
		return fmt.Sprintf("%s / %s", data.Job.Client, data.Job.Subclient)
	case "commcell":
		return e.Job.CommCell
	default:
		return ""
	}
}

// closeWindows closes those that are over, once all that was told meanwhile is here, and says when the next one is.
func (s *session) closeWindows(now time.Time) time.Duration {
	wake := time.Second
	full := len(s.held) >= s.window*3/4
	more := s.behind > 0 && s.paused == ""
	for _, g := range s.groups {
		left := g.ends.Sub(now)
		switch {
		case full, left <= 0 && !more:
			s.close(g)
		case left > 0:
			wake = min(wake, left)
		}
	}
	return wake
}

// close tells the jobs of a window: few singly, many as one. Those of which something waits already are told behind that.
func (s *session) close(g *group) {
	delete(s.groups, g.name)
	free := map[string]bool{}
	for key := range g.jobs {
		q := s.queue(key)
		q.open = nil
		if len(q.items) == 0 && q.blocked == 0 && !q.busy {
			free[key] = true
		}
	}
	if len(free) <= s.Group.Over {
		clear(free)
	}
	var parts []*part
	of := map[string]*part{} // by job: its events are not told beside each other
	for _, i := range g.items {
		q := s.queue(s.key(i.event))
		if !free[q.key] {
			s.append(q, i)
			continue
		}
		p := of[q.key]
		if p == nil {
			if len(parts) == 0 || len(parts[len(parts)-1].jobs) == mostJobs {
				parts = append(parts, &part{})
			}
			p = parts[len(parts)-1]
			p.jobs, of[q.key] = append(p.jobs, q), p
		}
		p.items = append(p.items, i)
	}
	for _, p := range parts {
		s.asOne(g.name, p)
	}
}

// part is what is told as one.
type part struct {
	items []*item
	jobs  []*queue
}

// asOne queues events of several jobs as one delivery. What comes later of those jobs waits for it.
func (s *session) asOne(name string, p *part) {
	one := &queue{key: fmt.Sprintf("%s from %s", name, p.items[0].event.ID), group: name, items: p.items}
	for _, q := range p.jobs {
		q.blocked++
		one.members = append(one.members, q.key)
	}
	s.queues[one.key] = one
	s.offer(one)
}

// dissolve has the jobs of a group that is refused told singly: one event of it may be what is not taken.
func (s *session) dissolve(one *queue) {
	delete(s.uneasy, one)
	delete(s.refused, one.key)
	singly := map[*queue][]*item{}
	for _, i := range one.items {
		q := s.queue(s.key(i.event))
		singly[q] = append(singly[q], i)
	}
	for q, items := range singly {
		q.items = append(items, q.items...)
	}
	one.items, one.trouble = nil, nil
	s.told(one)
}

// told ends a delivery of several jobs as one.
func (s *session) told(one *queue) {
	delete(s.queues, one.key)
	for _, key := range one.members {
		if q := s.queues[key]; q != nil {
			q.blocked--
			s.offer(q)
		}
	}
	one.members = nil
}
