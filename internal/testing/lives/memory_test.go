package lives

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/publish/publishtest"
	"jobwatch/internal/store/storetest"
)

// memory is what a process of the small world remembers beside its store and what waits at the gate. Of its two loops that
// is what they have read and received since they were last at rest: the poller when it asks, the publisher when nothing
// waits, or when it begins a run of events. While they are at rest nothing that they remember matters.
type memory struct {
	mu                sync.Mutex
	poller, publisher strings.Builder // guarded by mu
	version           int             // of the store when it was last read, and
	knows             string          // what it said of the job
	recalled          string          // what the poller knows of the job while it asks
	revision          uint64          // of that
	before, stored    uint64          // of a publish: the last of the stream before it; where it stands now, 0: it was refused
	pollerFirst       bool            // where both loops wait for a transaction, the poller's comes first
	publishing        int             // the last publish that has come to the gate
	inRun             bool            // an event was just acknowledged: the next may be of the same run
	from              uint64          // the last of the stream when the run began
	cut               bool            // the connection that the publisher goes by is lost
}

var theJob = job.ID{CommCell: "prod", Number: 1}

// knows gives what the store says of the job now.
func (p *process) knows() string {
	version := p.store.Version()
	if p.memory.version == version {
		return p.memory.knows
	}
	sent, err := p.store.Acknowledged(theJob)
	if err != nil {
		panic(err)
	}
	p.memory.version, p.memory.knows = version, fmt.Sprintf("%s %v\n", p.known(), sent)
	return p.memory.knows
}

// known gives what the poller knows of the job when it asks, but for how often that has changed.
func (p *process) known() string {
	known, err := p.store.Recall(theJob)
	if err != nil {
		panic(err)
	}
	text := fmt.Sprint(known)
	return text[:strings.LastIndexByte(text[:strings.LastIndexByte(text, ' ')], ' ')]
}

// recalls notes that the poller has read what is known of the job, and is about to ask.
func (p *process) recalls() {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	p.memory.revision, p.memory.recalled = storetest.Revision(p.store, theJob), p.known()
}

// looksAt notes that the poller has got an answer.
func (p *process) looksAt(n int) {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	fmt.Fprintf(&p.memory.poller, "sees %d, knowing %s\n", n, p.memory.recalled)
}

// reads notes that the publisher reads the stream, and what it knows then.
func (p *process) reads(what string) {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	p.memory.cut = p.memory.cut && what != "Ready"
	if what == "Last" { // it begins to settle a job, and whatever it has done is done
		p.memory.publisher.Reset()
	}
	fmt.Fprintf(&p.memory.publisher, "%s of %s, knowing %s", what, p.world.streamText(), p.knows())
}

// wakes notes that a call goes on.
func (p *process) wakes(c *call, how verdict) {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	p.memory.inRun = false
	switch c.what {
	case "details":
		p.memory.poller.Reset()
		return
	case "store":
		if p.publishes(p.world.gate.calls()) {
			return // it was the poller's
		}
	case "Publish":
		p.memory.before = p.world.lastSequence()
		return
	case "published":
		p.memory.inRun = how == goes && p.memory.stored > 0
	}
	fmt.Fprintf(&p.memory.publisher, "%s %d\n", c.what, how)
}

// hasPublished notes what came of a publish.
func (p *process) hasPublished(id string) {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	p.memory.stored = 0
	if last := p.world.lastSequence(); last > p.memory.before {
		p.memory.stored = last
	}
	fmt.Fprintf(&p.memory.publisher, "%s at %d\n", id, p.memory.stored)
}

// begins says whether a publish is the first of a run.
func (m *memory) begins(c *call) bool {
	comes := c.arrived != m.publishing
	m.publishing = c.arrived
	return comes && !m.inRun
}

// publishes says whether a publish of the process is under way.
func (p *process) publishes(calls []*call) bool {
	return slices.ContainsFunc(calls, func(c *call) bool { return c.process == p && (c.what == "Publish" || c.what == "published") })
}

// rests notes which loops are at rest.
func (p *process) rests(calls []*call) {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	writes := storetest.Waiting(p.store)
	asks := slices.ContainsFunc(calls, func(c *call) bool { return c.process == p && c.what == "details" })
	if asks {
		p.memory.poller.Reset()
		if p.memory.revision != storetest.Revision(p.store, theJob) {
			p.memory.poller.WriteString("asks, knowing " + p.memory.recalled + "\n")
		}
	} else {
		writes--
	}
	if asks || writes == 0 {
		p.memory.pollerFirst = !asks
	}
	begins := slices.ContainsFunc(calls, func(c *call) bool { return c.process == p && c.what == "Publish" && p.memory.begins(c) })
	if begins || writes == 0 && !p.publishes(calls) {
		p.memory.publisher.Reset()
		p.memory.from = p.world.lastSequence()
	}
	if begins {
		fmt.Fprintf(&p.memory.publisher, "a run of %s\n", p.outbox())
	}
}

// outbox names what waits to be published.
func (p *process) outbox() (ids []string) {
	due, err := p.store.Due(theJob)
	if err != nil {
		panic(err)
	}
	for _, row := range due.Rows {
		id, _, err := event.Address("", theJob, row.Event)
		if err != nil {
			panic(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// received gives what the process may have received of another since its run began, which messages it knows for its own, and
// whether what the poller knows is still so.
func (p *process) received() string {
	var text strings.Builder
	sent, err := p.store.Acknowledged(theJob)
	if err != nil {
		panic(err)
	}
	for _, id := range p.outbox() {
		if p.store.Minted(id) {
			fmt.Fprintf(&text, "its own: %s\n", id)
		}
	}
	last := uint64(0)
	for _, m := range p.world.stream.Messages() {
		switch {
		case p.store.Minted(m.ID):
			fmt.Fprintf(&text, "its own: %d\n", m.Sequence)
		case m.Sequence > max(p.memory.from, sent.Stream):
			last = m.Sequence
		}
	}
	positions := publishtest.Positions(p.publisher)
	for _, at := range slices.Sorted(maps.Keys(positions)) {
		fmt.Fprintf(&text, "position %d=%s\n", at, positions[at])
	}
	current := p.memory.poller.Len() > 0 && p.memory.revision == storetest.Revision(p.store, theJob)
	fmt.Fprintf(&text, "received %d, current: %v, poller first: %v, cut: %v\n", last, current, p.memory.pollerFirst, p.memory.cut)
	return text.String()
}

func (w *world) lastSequence() uint64 {
	all := w.stream.Messages()
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Sequence
}

func (w *world) streamText() string {
	var text strings.Builder
	for _, m := range w.stream.Messages() {
		fmt.Fprintf(&text, "%d=%s ", m.Sequence, m.ID)
	}
	return text.String()
}
