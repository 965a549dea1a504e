package cluster

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"
)

const (
	startTicks = 2  // of a board before a member claims what nobody ever had: others start at the same moment
	leaveTicks = 5  // before what a member that was told to leave has not given away is taken
	calmTicks  = 60 // without a change before a CommCell is moved
	moveTicks  = 30 // the same, after a move
)

// situation is what a member knows of itself.
type situation struct {
	cells    map[string]bool // CommCell of its configuration => its CommServe answers
	polls    map[string]bool // that it polls now
	caughtUp bool
	leaving  bool
}

// plan is what a member does next.
type plan struct {
	claims map[string]Reason
	gives  map[string]gift // CommCells to give away
}

type gift struct {
	to  string // empty: to whoever is next
	why Reason
}

// decide says what a member does, from what it has read and what it knows of itself. It asks nobody, and changes nothing.
func (b *board) decide(s situation) plan {
	p := plan{claims: map[string]Reason{}, gives: map[string]gift{}}
	var leave []string
	for cell := range b.ownedBy(b.me) {
		switch _, follows := s.cells[cell]; {
		case s.leaving, !follows:
			leave = append(leave, cell)
		case !s.polls[cell]: // it was this instance's before it started again
			p.claims[cell] = Start
		}
	}
	p.gives = b.giveAll(leave)
	if s.leaving {
		return p
	}
	if len(b.newer) > 0 {
		return p
	}
	b.claims(s, p.claims)
	if len(p.claims) == 0 && len(p.gives) == 0 {
		if cell, to := b.move(s); cell != "" {
			p.gives[cell] = gift{to, Balance}
		}
	}
	return p
}

// claims are the CommCells of nobody that are this member's to take now: the first in rank at once, the second a tick
// later. That two take one at once costs nothing but a refusal.
func (b *board) claims(s situation, into map[string]Reason) {
	if !s.caughtUp && b.anyCaughtUp() {
		return
	}
	loads := b.loads()
	for _, cell := range slices.Sorted(maps.Keys(s.cells)) {
		o := b.owners[cell]
		if o == nil {
			o = &owned{vacant: b.age - startTicks}
		}
		if o.Instance == b.me || b.living(o.Instance) != nil {
			continue
		}
		order := b.candidates(cell, loads)
		if len(order) > 0 {
			loads[order[0]] += weightOf(o)
		}
		rank := slices.Index(order, b.me)
		if why := b.whyVacant(o); s.polls[cell] && o.Term == 0 { // the bucket is new, and this member polls on
			into[cell] = why
		} else if rank >= 0 && (o.Next == b.me || o.vacant > rank+b.waits(o)) {
			into[cell] = why
		}
	}
}

// whyVacant says why nobody owns a CommCell.
func (b *board) whyVacant(o *owned) Reason {
	switch last := b.members[o.Instance]; {
	case o.Term == 0:
		return Start
	case o.Instance == "":
		return cmp.Or(o.Why, Handover)
	case last != nil && last.Leaving:
		return Handover
	}
	return Death
}

// waits is how many ticks its owner is given to give a CommCell away.
func (b *board) waits(o *owned) int {
	if last := b.members[o.Instance]; last != nil && last.alive() && last.Leaving {
		return leaveTicks
	}
	return 0
}

// able gives the members that may claim. Who finds what a newer version has written claims nothing.
func (b *board) able() map[string]*seen {
	all, newest := map[string]*seen{}, 0
	for _, s := range b.members {
		newest = max(newest, s.Layout)
	}
	for _, o := range b.owners {
		newest = max(newest, o.Layout)
	}
	for name := range b.members {
		if m := b.living(name); m != nil && m.Layout >= newest {
			all[name] = m
		}
	}
	return all
}

func (b *board) anyCaughtUp() bool {
	for _, m := range b.able() {
		if m.CaughtUp {
			return true
		}
	}
	return false
}

// candidates are those who may take a CommCell, the best first: who has the least to do. Among equals a hash decides,
// which is the same for all.
func (b *board) candidates(cell string, loads map[string]int) []string {
	most := b.anyCaughtUp()
	var all []string
	for name, m := range b.able() {
		if m.CaughtUp != most {
			continue
		}
		if _, follows := m.Settings[cell]; follows {
			all = append(all, name)
		}
	}
	slices.SortFunc(all, func(x, y string) int {
		return cmp.Or(cmp.Compare(loads[x], loads[y]), cmp.Compare(drawn(cell, x), drawn(cell, y)), cmp.Compare(x, y))
	})
	return all
}

// best is to whom a CommCell is given; empty: there is nobody.
func (b *board) best(cell string, loads map[string]int) string {
	for _, name := range b.candidates(cell, loads) {
		if name != b.me {
			return name
		}
	}
	return ""
}

// giveAll spreads CommCells over the others.
func (b *board) giveAll(cells []string) map[string]gift {
	gifts, loads := map[string]gift{}, b.loads()
	for _, cell := range slices.Sorted(slices.Values(cells)) {
		to := b.best(cell, loads)
		gifts[cell] = gift{to, Handover}
		if o := b.owners[cell]; o != nil {
			loads[to] += weightOf(o)
		}
	}
	return gifts
}

func drawn(cell, instance string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(cell + " " + instance))
	return h.Sum64()
}

// perCommCell is what a CommCell weighs beside the jobs tracked of it: its Job list and its feed are read in any case.
const perCommCell = 10

func weightOf(o *owned) int { return o.Tracked + perCommCell }

// loads say what each living member has to do.
func (b *board) loads() map[string]int {
	loads := map[string]int{}
	for _, o := range b.owners {
		if b.living(o.Instance) != nil {
			loads[o.Instance] += weightOf(o)
		}
	}
	return loads
}

// move says which CommCell this member gives to whom, where it has the most to do of all. One is moved only if that takes
// a twentieth off, and would not be undone by jobs that come and go; none whose CommServe does not answer: a login that is
// refused at each member locks the account.
func (b *board) move(s situation) (cell, to string) {
	if b.calm < calmTicks && (b.calm < moveTicks || !b.moving) {
		return "", ""
	}
	loads, gain := b.loads(), 0
	for name, load := range loads {
		if load > loads[b.me] || load == loads[b.me] && name < b.me {
			return "", ""
		}
	}
	for _, c := range slices.Sorted(maps.Keys(b.ownedBy(b.me))) {
		if answers := s.cells[c]; !answers {
			continue
		}
		other := b.best(c, loads)
		if other == "" {
			continue
		}
		w, gap := weightOf(b.owners[c]), loads[b.me]-loads[other]
		less := min(w, gap-w)
		if 2*gap >= 3*w && 20*less >= loads[b.me] && less > gain {
			cell, to, gain = c, other, less
		}
	}
	return cell, to
}
