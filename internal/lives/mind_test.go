package lives

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
)

// mind is what a process of the small world remembers beside its store and what waits at the gate. Of its two loops that
// is what they have read and heard since they were last at rest: the poller when it asks, the publisher when nothing
// waits, or anew when it begins a run of events. While they are at rest nothing that they remember matters.
type mind struct {
	mu                sync.Mutex
	poller, publisher strings.Builder   // guarded by mu
	committed         bool              // a transaction has ended since the poller's part was written
	revision          uint64            // of what the poller knows
	before, stored    uint64            // of a publish: the last of the stream before it; where it stands now, 0: it was refused
	places            map[uint64]string // acknowledged, by stream sequence
	publishing        int               // the last publish that has come to the gate
	inRun             bool              // an event was just acknowledged: the next may be of the same run
	from              uint64            // the last of the stream when the run began
}

var theJob = job.ID{CommCell: "prod", Number: 1}

// knows gives what the store says of the job now, but for how often that has changed.
func (p *process) knows() string {
	known, err := p.store.Recall(theJob)
	if err != nil {
		panic(err)
	}
	sent, err := p.store.Sent(theJob)
	if err != nil {
		panic(err)
	}
	text := fmt.Sprint(known)
	return fmt.Sprintf("%s %v\n", text[:strings.LastIndexByte(text[:strings.LastIndexByte(text, ' ')], ' ')], sent)
}

// looksAt notes that the poller has got an answer.
func (p *process) looksAt(n int) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	p.mind.revision = p.store.Revision(theJob)
	fmt.Fprintf(&p.mind.poller, "sees %d, knowing %s", n, p.knows())
}

// reads notes that the publisher reads the stream, and what it knows then.
func (p *process) reads(what string) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	if what == "Last" { // it begins to settle a job, and whatever it has done is done
		p.mind.publisher.Reset()
	}
	fmt.Fprintf(&p.mind.publisher, "%s of %s, knowing %s", what, p.world.streamText(), p.knows())
}

// wakes notes that a call goes on.
func (p *process) wakes(c *call, how verdict) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	p.mind.inRun = false
	switch c.what {
	case "details":
		p.mind.poller.Reset()
		return
	case "store":
		p.mind.committed = true
		if p.publishes(p.world.gate.calls()) {
			return // it was the poller's
		}
	case "Publish":
		p.mind.before = p.world.lastSequence()
		return
	case "published":
		p.mind.inRun = how == goes && p.mind.stored > 0
		if p.mind.inRun {
			p.mind.acknowledged(p.mind.stored, c.message.ID)
		}
	}
	fmt.Fprintf(&p.mind.publisher, "%s %d\n", c.what, how)
}

// hasPublished notes what came of a publish.
func (p *process) hasPublished(id string) {
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	p.mind.stored = 0
	if last := p.world.lastSequence(); last > p.mind.before {
		p.mind.stored = last
	}
	fmt.Fprintf(&p.mind.publisher, "%s at %d\n", id, p.mind.stored)
}

// acknowledged notes a place, as the publisher does: where another event had it, the stream has gone back.
func (m *mind) acknowledged(at uint64, id string) {
	if before := m.places[at]; m.places == nil || before != "" && before != id {
		m.places = map[uint64]string{}
	}
	m.places[at] = id
}

// begins says whether a publish is the first of a run.
func (m *mind) begins(c *call) bool {
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
	p.mind.mu.Lock()
	defer p.mind.mu.Unlock()
	if p.mind.committed && p.mind.poller.Len() > 0 { // what it has committed was refused, or it waits for its turn
		p.mind.revision = p.store.Revision(theJob)
		p.mind.poller.WriteString("knowing " + p.knows())
	}
	p.mind.committed = false
	writes := p.store.Gathered()
	asks := slices.ContainsFunc(calls, func(c *call) bool { return c.process == p && c.what == "details" })
	if asks {
		p.mind.poller.Reset()
	} else {
		writes--
	}
	begins := slices.ContainsFunc(calls, func(c *call) bool { return c.process == p && c.what == "Publish" && p.mind.begins(c) })
	if begins || writes == 0 && !p.publishes(calls) {
		p.mind.publisher.Reset()
		p.mind.from = p.world.lastSequence()
	}
	if begins {
		fmt.Fprintf(&p.mind.publisher, "a run of %s\n", p.outbox())
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

// hears gives what the process may have heard of another since its run began, which messages it knows for its own, and
// whether what the poller knows is still so.
func (p *process) hears() string {
	var text strings.Builder
	sent, err := p.store.Sent(theJob)
	if err != nil {
		panic(err)
	}
	heard := uint64(0)
	for _, m := range p.world.stream.Messages() {
		switch {
		case p.store.Minted(m.ID):
			fmt.Fprintf(&text, "its own: %d\n", m.Sequence)
		case m.Sequence > max(p.mind.from, sent.Stream):
			heard = m.Sequence
		}
	}
	for _, at := range slices.Sorted(maps.Keys(p.mind.places)) {
		fmt.Fprintf(&text, "place %d=%s\n", at, p.mind.places[at])
	}
	current := p.mind.poller.Len() > 0 && p.mind.revision == p.store.Revision(theJob)
	fmt.Fprintf(&text, "hears %d, current: %v\n", heard, current)
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
