package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/daemon"
)

// printCluster says first what is wrong.
func printCluster(out io.Writer, s cluster.Status, now time.Time) error {
	for _, line := range troubles(s, now) {
		fmt.Fprintln(out, line)
	}
	fmt.Fprintln(out)
	t := newTable(out, "MEMBER", "STATE", "COMMCELLS", "JOBS", "LAST SEEN", "VERSION", "HOST")
	for _, m := range s.Members {
		t.row(m.Instance, stateOf(m), strings.Join(m.CommCells, ", "), strconv.Itoa(m.Tracked), localTime(&m.LastSeen), m.Version, m.Host)
	}
	if err := t.end(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	t = newTable(out, "COMMCELL", "OWNER", "SINCE", "REASON")
	for _, c := range s.CommCells {
		t.row(c.Name, s.Owner(c.Name), localTime(c.Since), reasonOfClaim(c))
	}
	return t.end()
}

func reasonOfClaim(c cluster.CommCellStatus) string {
	if c.Owner == nil {
		return ""
	}
	return string(c.Why)
}

// stateOf is one word for a member.
func stateOf(m cluster.MemberStatus) string {
	switch {
	case !m.Alive:
		return "dead"
	case m.Leaving && len(m.CommCells) > 0:
		return "leaves"
	case m.Leaving:
		return "left"
	case !m.CaughtUp:
		return "reads"
	case len(m.CommCells) > 0:
		return "polls"
	}
	return "ready"
}

// troubles is what somebody who has been woken wants to know, the worst first; where there is nothing, that.
func troubles(s cluster.Status, now time.Time) (lines []string) {
	living, able := 0, 0
	for _, m := range s.Members {
		if m.Alive {
			living++
		}
		if m.Alive && !m.Leaving {
			able++
		}
	}
	if living > 0 {
		now = daemon.LastSign(s) // NATS's clock, by which all are measured
	}
	say := func(format string, values ...any) { lines = append(lines, fmt.Sprintf(format, values...)) }
	if living == 0 {
		say("all members are dead: nothing is polled")
	}
	for _, c := range s.CommCells {
		if c.Owner == nil {
			say("nobody polls %s%s", c.Name, lastOwner(s, c.Name))
		}
	}
	for _, m := range s.Members {
		if !m.Alive {
			say("%s is dead: not heard of for %s", m.Instance, roughly(max(0, now.Sub(m.LastSeen))))
		}
	}
	for _, m := range s.Members {
		switch {
		case !m.Alive:
		case m.Leaving:
			say("%s was told to leave: it takes nothing more until its next start", m.Instance)
		case !m.CaughtUp:
			say("%s has not read the stream to its end yet: others are preferred to it", m.Instance)
		}
		if len(m.Differs) > 0 && m.Alive {
			say("%s is configured differently: %s", m.Instance, strings.Join(m.Differs, ", "))
		}
	}
	lines = append(lines, versions(s)...)
	if able == 1 {
		say("one member alone takes what there is to poll: nobody would replace it")
	}
	if len(lines) == 0 {
		say("%d members live, and each CommCell is polled", living)
	}
	return lines
}

func lastOwner(s cluster.Status, cell string) string {
	for _, m := range s.Members {
		if slices.Contains(m.CommCells, cell) {
			return " since " + m.Instance + " gives no sign of life"
		}
	}
	return ""
}

// versions says which versions live, where that is more than one.
func versions(s cluster.Status) []string {
	of := map[string][]string{}
	for _, m := range s.Members {
		if m.Alive {
			of[m.Version] = append(of[m.Version], m.Instance)
		}
	}
	if len(of) < 2 {
		return nil
	}
	var all []string
	for _, version := range slices.Sorted(maps.Keys(of)) {
		all = append(all, version+" ("+strings.Join(of[version], ", ")+")")
	}
	return []string{"they run different versions: " + strings.Join(all, ", ")}
}
