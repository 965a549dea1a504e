package lives

import (
	"fmt"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
)

// action is what may happen next.
type action uint8

const (
	release action = iota // a call goes on
	move                  // a job does
	crash
	start
	cut
	restore
	arrive // a message that was late
	forget
	age
	recreate
	pass // time

	standStill // a process is stopped, as by SIGSTOP
	goOn
	stopCleanly
	leaveCluster
	deleteBucket
	sayByHand
	loseFile
)

type option struct {
	weight  int
	do      action
	call    *call
	how     verdict
	watcher *watcher
	job     int64
}

const calm = 1000 // the weight of a call that goes on as it should

// options are all that may happen next.
func (w *world) options() []option {
	calls := w.calls()
	var all []option
	add := func(o option) {
		if o.weight > 0 {
			all = append(all, o)
		}
	}
	for _, c := range calls {
		add(option{weight: calm, do: release, call: c})
	}
	for _, x := range w.watchers {
		if x.process == nil && !w.script {
			add(option{weight: 300, do: start, watcher: x})
		}
	}
	if len(calls) == 0 {
		add(option{weight: 30, do: pass})
	}
	if w.healed {
		return all
	}
	for _, c := range calls {
		w.troubles(c, add)
	}
	w.accidents(len(calls) > 0, add)
	if w.shared() {
		w.clusterAccidents(add)
	}
	return all
}

// troubles are how a call may fail.
func (w *world) troubles(c *call, add func(option)) {
	k := &w.knobs
	trouble := func(weight int, how verdict) { add(option{weight: weight, do: release, call: c, how: how}) }
	switch c.what {
	case "list":
		trouble(k.asks, fails)
		trouble(k.asks, timesOut)
		trouble(k.asks, refuses)
	case "details":
		trouble(k.asks, fails)
		trouble(k.asks, timesOut)
		trouble(k.asks, refuses)
		trouble(k.asks, anotherJob)
		trouble(k.miss, unknown)
		trouble(k.stale, stale)
		trouble(k.later, answersLater)
	case "store":
		trouble(k.disk, fails)
		trouble(k.disk, lost)
		trouble(k.crash, crashBefore)
		trouble(k.crash, crashAfter)
	case "Publish":
		trouble(k.request, fails)
		trouble(k.lateMessage, late)
		trouble(k.occupied, busy)
	case "published":
		trouble(k.lostAck, lost)
	case "Info", "Last", "At", "Each", "Scan", "Since", "Get", "Entries":
		trouble(k.request, fails)
	case "Put", "Delete":
		trouble(k.request, fails)
		trouble(k.lostAck, lost)
	}
}

// accidents are what happens beside the calls.
func (w *world) accidents(callsWait bool, add func(option)) {
	k := &w.knobs
	for number := range w.serve.jobs {
		if now, begun := w.serve.of(int64(number+1), 0); !begun || !now.ended {
			add(option{weight: k.move, do: move, job: int64(number + 1)})
		}
	}
	for _, x := range w.watchers {
		switch {
		case x.process == nil:
		case x.cut:
			add(option{weight: 50, do: restore, watcher: x})
		default:
			add(option{weight: k.cut, do: cut, watcher: x})
		}
		if x.process != nil {
			add(option{weight: k.crash, do: crash, watcher: x})
		}
	}
	if len(w.late) > 0 {
		add(option{weight: 200, do: arrive})
	}
	add(option{weight: k.forget, do: forget})
	add(option{weight: k.age, do: age})
	add(option{weight: k.recreate, do: recreate})
	if callsWait {
		add(option{weight: k.wait, do: pass})
	}
}

// take lets it happen.
func (w *world) take(o option) {
	x := o.watcher
	switch o.do {
	case release:
		w.release(o.call, o.how)
	case move:
		now := w.serve.moves(o.job, w.random)
		w.say("   job %d is now: %v", o.job, &now)
	case crash:
		w.crash(x)
	case start:
		w.say("%s  starts", x.name)
		w.start(x)
	case cut:
		x.away = time.Now()
		w.say("%s  is cut from the broker", x.name)
		x.cut = true
		x.process.conn.Cut()
	case restore:
		w.say("%s  can reach the broker", x.name)
		x.cut, x.away = false, time.Now()
		x.process.conn.Restore()
	case arrive:
		w.arrives()
	case forget, age, recreate:
		w.loses(o.do)
	case pass:
		w.passes()
	default:
		w.befalls(o)
	}
}

func (w *world) release(c *call, how verdict) {
	if how == stale {
		w.back = 1 + w.random.IntN(3)
	}
	w.board.changed = w.board.changed || c.what == "Put" && c.writesClaim()
	if how != goes && w.shared() {
		c.process.watcher.away = time.Now()
	}
	if w.telling {
		if !quiet(c, how) {
			w.say("%s  %s%s", c.process.watcher.name, w.words(c), verdicts[how])
		}
	}
	w.gate.release(c, how)
}

// passes lets time pass: to the next call, where none waits.
func (w *world) passes() {
	select {
	case <-w.gate.comes:
	default:
	}
	if len(w.calls()) > 0 {
		d := []time.Duration{2 * time.Second, 6 * time.Second, 40 * time.Second, 3 * time.Minute}[w.random.IntN(4)]
		for _, x := range w.watchers {
			x.away = time.Now().Add(d)
		}
		w.say("   %v pass", d)
		time.Sleep(d)
		return
	}
	select {
	case <-w.gate.comes:
	case <-time.After(w.atMost()):
	}
}

// atMost is how long a call is waited for.
func (w *world) atMost() time.Duration {
	if w.script {
		return 100 * time.Millisecond
	}
	return time.Minute
}

// crash ends a process, if that has not happened yet, and may do away with its file.
func (w *world) crash(x *watcher) {
	w.say("%s  CRASHES", x.name)
	x.leaving = false
	for _, c := range w.gate.calls() {
		if c.process == x.process && c.what == "Publish" && w.knobs.lateMessage > 0 && w.random.IntN(2) == 0 {
			w.late = append(w.late, c.message)
		}
	}
	w.stop(x.process)
	reopened := w.random.IntN(8) == 0
	w.lies.crashed(w, x)
	if w.knobs.loseStore > 0 {
		w.losesStore(x)
	}
	if reopened { // what the file holds is read again
		x.close()
	}
}

// losesStore loses a crashed watcher's file, puts an older copy in its place, or makes a copy.
func (w *world) losesStore(x *watcher) {
	switch at := w.random.IntN(100); {
	case at < w.knobs.loseStore/3:
		w.say("%s  its file is lost", x.name)
		x.holds(storetest.Content{})
	case at >= w.knobs.loseStore:
		x.copied = x.content()
	case x.copied != nil:
		w.say("%s  its file is an older copy", x.name)
		x.holds(*x.copied)
	}
}

func (w *world) arrives() {
	m := w.late[0]
	w.late = w.late[1:]
	_, _, err := w.stream.Store(m)
	w.say("   %s arrives late (%v)", w.named(m), err)
}

// loses has the stream lose something.
func (w *world) loses(how action) {
	held := w.stream.Messages()
	n := 1 + w.random.IntN(4)
	switch {
	case how == recreate:
		w.say("   the stream is deleted")
		w.stream.Delete()
		w.aged = nil
		return
	case len(held) == 0:
		return
	case how == forget:
		n = min(n, len(held))
		w.say("   the stream forgets its last %d", n)
		w.late = nil // what is under way is lost, too: it could follow another message in the place of one forgotten
		w.forgotten = append(w.forgotten, held[len(held)-n:]...)
		w.stream.Forget(n)
	default:
		n = min(n, len(held))
		w.say("   the stream lets go of its first %d", n)
		w.aged = append(w.aged, held[:n]...)
		w.noteUnheard(held[:n])
		w.stream.Age(n)
		return
	}
	if w.random.IntN(3) == 0 {
		return
	}
	for _, x := range w.watchers { // as it is when a server is restored
		if x.process != nil && !x.cut {
			x.process.conn.Cut()
			x.process.conn.Restore()
		}
	}
}

// noteUnheard notes the events that still wait for their acknowledgement: a stream that lets go of one before it comes
// gets it again, and nobody can know better.
func (w *world) noteUnheard(gone []stream.Message) {
	for _, m := range gone {
		e, err := event.Parse(m.Data)
		if err != nil {
			continue
		}
		id, _ := e.JobID()
		for _, x := range w.watchers {
			if x.process == nil {
				w.unacknowledged[e.ID] = true
			} else if holds, _ := x.process.store.Holds(id, e); holds {
				w.unacknowledged[e.ID] = true
			}
		}
	}
}

// words say what a call is.
func (w *world) words(c *call) string {
	switch c.what {
	case "details":
		return fmt.Sprintf("asks about %d", c.job)
	case "answer":
		return fmt.Sprintf("the answer about %d comes", c.job)
	case "list":
		return "asks for the list"
	case "store":
		return "commits"
	case "Publish":
		return "publishes " + w.named(c.message)
	case "published":
		return "is acknowledged " + w.named(c.message)
	}
	return c.what + " " + c.filter
}

// named gives a message in words, its random epoch replaced.
func (w *world) named(m stream.Outgoing) string {
	e, err := event.Parse(m.Data)
	if err != nil {
		return "a foreign message"
	}
	return fmt.Sprintf("%s #%d %s (behind %d)", w.alias(m.ID), e.Number(), describe(e), m.ExpectLast)
}
