package endtoend

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"jobwatch/internal/failpoint"
	"jobwatch/internal/sim"
)

// torment is something that goes wrong, and how it is made good again.
type torment struct {
	name       string
	of         string // what it befalls: two of one at a time do not
	weight     int
	begin, end func(*torture, *victim)
}

const diskFull = "disk full"

// torments are all of them.
func torments() []torment {
	all := []torment{
		{"NATS killed with SIGKILL", "NATS", 4, natsDown((*natsProcess).kill), natsUp},
		{"NATS stopped", "NATS", 4, natsDown((*natsProcess).stop), natsUp},
		{"NATS paused with SIGSTOP", "NATS", 4, func(x *torture, _ *victim) { x.nats.pause() }, func(x *torture, _ *victim) { x.nats.resume() }},
		{"NATS restarted on an older store", "NATS", 4, natsDown((*natsProcess).kill), natsSetBack},
		{"NATS restarted on an emptied store", "NATS", 2, natsDown((*natsProcess).kill), natsEmptied},
		{"acknowledgements swallowed for longer than the duplicate window", "wire", 4, swallow, pass},
		{"connection cut within what NATS sends", "wire", 2, wire(`{"type": "limit_data", "attributes": {"bytes": %d}}`, 30000), pass},
		{"connection cut within what the watcher sends", "wire", 2, wire(`{"type": "limit_data", "stream": "upstream", "attributes": {"bytes": %d}}`, 60000), pass},
		{"connection reset", "wire", 2, wire(`{"type": "reset_peer", "attributes": {"timeout": %d}}`, 200), pass},
		{"connection slow", "wire", 1, wire(`{"type": "latency", "attributes": {"latency": %d, "jitter": 20}}`, 100), pass},
		{"connection narrow", "wire", 1, wire(`{"type": "bandwidth", "attributes": {"rate": %d}}`, 300), pass},
		{"what NATS sends in slices", "wire", 1, wire(`{"type": "slicer", "attributes": {"average_size": %d, "size_variation": 1, "delay": 10}}`, 100), pass},
		{"watcher paused with SIGSTOP", "watcher", 4, pauseWatcher, nothing},
		{diskFull, "disk", 4, fillDisk, clearDisk},
		{"writes to the store refused", "disk", 4, limitFiles, freeFiles},
	}
	for _, kind := range sim.FaultKinds() {
		all = append(all, torment{"CommServe: " + string(kind), "CommServe", 1, commServe(fault(kind, often(kind))), heal})
	}
	return append(all, torment{"CommServe: all of them", "CommServe", 4, commServe(mixed("", 0.01)...), heal})
}

// draw takes one or two torments out of a bag in which each lies as often as it weighs. An empty bag is filled anew:
// so all of them come about.
func (x *torture) draw() (drawn []torment) {
	for range 1 + x.random.IntN(2) {
		if len(x.bag) == 0 {
			for _, each := range x.table {
				for range each.weight {
					x.bag = append(x.bag, each)
				}
			}
			x.random.Shuffle(len(x.bag), func(i, j int) { x.bag[i], x.bag[j] = x.bag[j], x.bag[i] })
		}
		last := len(x.bag) - 1
		if len(drawn) == 0 || drawn[0].of != x.bag[last].of {
			drawn = append(drawn, x.bag[last])
			x.bag = x.bag[:last]
		}
	}
	return drawn
}

func nothing(*torture, *victim) {}

// natsDown takes NATS down. Now and then what it holds then is kept, to be the older store later.
func natsDown(down func(*natsProcess)) func(*torture, *victim) {
	return func(x *torture, _ *victim) {
		down(x.nats)
		if x.nats.old == "" || x.random.IntN(3) == 0 {
			x.nats.save()
		}
	}
}

func natsUp(x *torture, _ *victim) { x.nats.start() }

func natsSetBack(x *torture, _ *victim) {
	x.nats.setBack()
	x.nats.start()
}

// natsEmptied has the stream made anew, by the administrator or by the watcher.
func natsEmptied(x *torture, _ *victim) {
	x.nats.empty()
	if x.random.IntN(2) == 0 {
		x.proxy.close()
		x.nats.start()
		x.makeStream()
		x.proxy.cut()
		return
	}
	x.nats.start()
	x.progress(1 + x.random.IntN(20))
	x.makeStream()
}

// swallow lets acknowledgements get lost, and now and then until the watcher has given one up and sent its event again.
func swallow(x *torture, v *victim) {
	x.proxy.swallow()
	if x.random.IntN(6) == 0 {
		x.missAcknowledgement(v)
	}
}

func (x *torture) missAcknowledgement(v *victim) {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && v.alive(); {
		if strings.Contains(v.said.String(), "not acknowledged") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// wire has new connections suffer from one of toxiproxy's toxics.
func wire(toxic string, most int) func(*torture, *victim) {
	return func(x *torture, _ *victim) { x.proxy.cut(fmt.Sprintf(toxic, 1+x.random.IntN(most))) }
}

func pass(x *torture, _ *victim) { x.proxy.cut() }

// pauseWatcher is over before any of its requests would be given up.
func pauseWatcher(x *torture, v *victim) {
	if !v.alive() {
		return
	}
	v.signal(syscall.SIGSTOP)
	time.Sleep(time.Duration(x.random.IntN(int(300 * time.Millisecond))))
	v.signal(syscall.SIGCONT)
}

func commServe(faults ...sim.Fault) func(*torture, *victim) {
	return func(x *torture, _ *victim) {
		for _, f := range faults {
			if f.Kind == sim.Hang {
				f.Next = 1 + x.random.IntN(3)
			}
			x.sim.Fault(f)
		}
	}
}

func heal(x *torture, _ *victim) { x.sim.Heal() }

// chooseCrash gives the environment of a life that is to end at a point, which every other one is.
func (x *torture) chooseCrash() []string {
	if x.random.IntN(2) == 0 {
		return nil
	}
	point := x.points[x.random.IntN(len(x.points))]
	most := 20
	if point == failpoint.Discovery || point == failpoint.Renewal || point == failpoint.Adoption {
		most = 3
	}
	return []string{fmt.Sprintf("%s=%s:%d", crashVariable, point, 1+x.random.IntN(most))}
}
