package cluster

import (
	"maps"
	"strings"
	"time"

	"jobwatch/internal/stream"
)

// A member is dead for another one when it has not been heard of for so many ticks of that one, in which that one's own
// beats have come back from the log: who is paused counts no ticks, and who is cut off gets no beats back. No clock of one
// machine is compared with another's.
const (
	tick       = time.Second
	deathTicks = 6
	deathBeats = 2
)

// board is the bucket as a member has read it, and how long ago by its own ticks.
type board struct {
	me       string
	revision uint64 // up to which it was read
	newest   time.Time
	members  map[string]*seen
	owners   map[string]*owned // by CommCell
	hands    map[JobKey]handed
	newer    map[string]bool // keys whose values are of a layout that this version does not know
	age      int             // own ticks since it was read first
	calm     int             // own ticks since a member came or went, or a CommCell changed hands
	moving   bool            // what changed last was a CommCell that somebody gave away for balance
}

// seen is a member, and its last sign of life.
type seen struct {
	member
	revision uint64
	stored   time.Time // by the broker's clock
	ticks    int       // own ones since
	beats    int       // own ones that were read back since
	awaited  bool      // it was given a moment after an outage since
}

func (s *seen) alive() bool { return s.ticks < deathTicks || s.beats < deathBeats }

// owned is a CommCell's claim.
type owned struct {
	claim
	revision uint64
	stored   time.Time
	vacant   int // own ticks in which nobody who lives owned it
}

type handed struct {
	Hand
	revision uint64
}

func newBoard(me string) *board {
	return &board{
		me: me, members: map[string]*seen{}, owners: map[string]*owned{}, hands: map[JobKey]handed{}, newer: map[string]bool{},
	}
}

// tick lets a second of this member's own time pass.
func (b *board) tick() {
	b.age++
	b.calm++
	for name, s := range b.members {
		was := s.alive()
		if s.ticks++; name == b.me {
			s.ticks = 0
		}
		if was && !s.alive() {
			b.changed(false)
		}
	}
	for _, o := range b.owners {
		if b.living(o.Instance) != nil {
			o.vacant = 0
		} else {
			o.vacant++
		}
	}
}

// take notes what was read, in the order in which it was written.
func (b *board) take(all []stream.Entry) {
	for _, e := range all {
		b.revision = max(b.revision, e.Revision)
		if e.Stored.After(b.newest) {
			b.newest = e.Stored
		}
		switch {
		case strings.HasPrefix(e.Key, memberPrefix):
			b.takeMember(strings.TrimPrefix(e.Key, memberPrefix), e)
		case strings.HasPrefix(e.Key, ownerPrefix):
			b.takeOwner(strings.TrimPrefix(e.Key, ownerPrefix), e)
		case strings.HasPrefix(e.Key, handPrefix):
			b.takeHand(e)
		}
	}
}

func (b *board) takeMember(name string, e stream.Entry) {
	var m member
	before := b.members[name]
	if !decode(e, &m, &m.rest) {
		if before != nil {
			b.changed(false)
		}
		delete(b.members, name)
		delete(b.newer, e.Key)
		return
	}
	if before == nil || !before.alive() || before.Epoch != m.Epoch || before.Leaving != m.Leaving {
		b.changed(false)
	}
	b.members[name] = &seen{member: m, revision: e.Revision, stored: e.Stored}
	if name == b.me {
		for other, s := range b.members {
			if other != b.me {
				s.beats++
			}
		}
	}
	b.note(m.Layout, e.Key)
}

const mostOfClaim = 8 << 10 // bytes; more is none

func (b *board) takeOwner(cell string, e stream.Entry) {
	var c claim
	if len(e.Value) > mostOfClaim || !decode(e, &c, &c.rest) {
		c = claim{} // nobody's
	}
	if before := b.owners[cell]; before == nil || before.Instance != c.Instance {
		b.changed(c.Why == Balance)
	}
	b.owners[cell] = &owned{claim: c, revision: e.Revision, stored: e.Stored}
	b.note(c.Layout, e.Key)
}

func (b *board) takeHand(e stream.Entry) {
	k, ok := parseHandKey(e.Key)
	if !ok {
		return
	}
	if h := Hand(e.Value); h == Tracked || h == Untracked {
		b.hands[k] = handed{h, e.Revision}
		return
	}
	delete(b.hands, k)
}

func (b *board) note(layoutOf int, key string) {
	delete(b.newer, key)
	if layoutOf > layout {
		b.newer[key] = true
	}
}

func (b *board) changed(moved bool) { b.calm, b.moving = 0, moved }

// hearAll gives all a moment to be heard of after an outage of the broker: some connect anew sooner than others. It does so
// once in a silence, or a broker that is slow again and again would put off a death for ever.
func (b *board) hearAll(ticks int) {
	for _, s := range b.members {
		if !s.awaited {
			s.ticks, s.awaited = min(s.ticks, deathTicks-ticks), true
		}
	}
}

// living gives a member that lives, and has not been told to leave; else nil.
func (b *board) living(instance string) *seen {
	if s := b.members[instance]; s != nil && s.alive() && !s.Leaving {
		return s
	}
	return nil
}

// ownedBy are the CommCells that a member owns, with their claims.
func (b *board) ownedBy(instance string) map[string]*owned {
	all := maps.Clone(b.owners)
	maps.DeleteFunc(all, func(_ string, o *owned) bool { return o.Instance != instance })
	return all
}
