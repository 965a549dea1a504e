package endtoend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// sharedCell is a CommCell that several watchers may ask. The name of its CommServe leads each of them to another address of this
// machine, so that it knows who asks although they all have the same configuration.
type sharedCell struct {
	name string
	port string
	sim  *sim.Sim

	mu   sync.Mutex
	asks []ask // guarded by mu

	stirred []doubt
}

// ask is one request.
type ask struct {
	at   time.Time
	who  int
	list bool  // for the Job list: only who polls the CommCell asks for that
	job  int64 // for this one's details
}

// loopback is the address to which a watcher is led.
func loopback(who int) string { return fmt.Sprintf("127.0.0.%d", who+1) }

func newSharedCell(t *testing.T, name string, play *sim.Sim, watchers int) *sharedCell {
	c := &sharedCell{name: name, sim: play}
	for _, l := range listenToAll(t, watchers) {
		_, c.port, _ = net.SplitHostPort(l.Addr().String())
		who := len(c.asks)
		c.asks = append(c.asks, ask{}) // counts
		srv := &http.Server{Handler: c.noting(who)}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
	}
	c.asks = nil
	return c
}

// listenToAll listens at one port of all addresses.
func listenToAll(t *testing.T, watchers int) (all []net.Listener) {
	for range 100 {
		_, port, _ := net.SplitHostPort(keptAddress(t))
		for who := range watchers {
			l, err := net.Listen("tcp", net.JoinHostPort(loopback(who), port))
			if err != nil {
				break
			}
			all = append(all, l)
		}
		if len(all) == watchers {
			return all
		}
		for _, l := range all {
			_ = l.Close()
		}
		all = nil
	}
	t.Fatal("no port is free at all addresses")
	return nil
}

func (c *sharedCell) noting(who int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var details struct{ JobID int64 }
		_ = json.Unmarshal(body, &details)
		c.mu.Lock()
		c.asks = append(c.asks, ask{time.Now(), who, isList(r), details.JobID})
		c.mu.Unlock()
		c.sim.ServeHTTP(w, r)
	})
}

// since are the requests from a moment on.
func (c *sharedCell) since(at time.Time) []ask {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asks[c.firstFrom(at):])
}

// between are the requests from one moment to another.
func (c *sharedCell) between(from, to time.Time) []ask {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.asks[c.firstFrom(from):c.firstFrom(to)])
}

// firstFrom is where the requests from a moment on begin.
func (c *sharedCell) firstFrom(at time.Time) int {
	n, _ := slices.BinarySearchFunc(c.asks, at, func(a ask, at time.Time) int { return a.at.Compare(at) })
	return n
}

// quiet is how long nobody else may have asked.
const quiet = 3 * time.Second

// polls says who was the last to ask for the Job list; -1: nobody.
func (c *sharedCell) polls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range slices.Backward(c.asks) {
		if a.list {
			return a.who
		}
	}
	return -1
}

// alone says whether a watcher polls the CommCell, and nobody else has asked it anything for a while.
func (c *sharedCell) alone(who int) bool {
	now := time.Now()
	others := slices.ContainsFunc(c.since(now.Add(-quiet)), func(a ask) bool { return a.who != who })
	earlier := slices.ContainsFunc(c.between(now.Add(-2*still), now.Add(-quiet)), func(a ask) bool { return a.who == who })
	return !others && earlier && c.polls() == who
}

// settled waits until each CommCell is polled by one watcher alone, and says by whom.
func (w *clusterWorld) settled() (owners []int) {
	w.t.Helper()
	w.until("each CommCell is polled by one watcher alone", func() bool {
		owners = nil
		for _, c := range w.cells {
			owners = append(owners, c.polls())
			if !c.alone(c.polls()) {
				return false
			}
		}
		return true
	}, w.lately)
	return owners
}

// lately says who has asked what lately.
func (w *clusterWorld) lately() string {
	var b strings.Builder
	for _, c := range w.cells {
		fmt.Fprintf(&b, "%s:", c.name)
		for _, a := range c.between(time.Now().Add(-quiet), time.Now()) {
			if a.list {
				fmt.Fprintf(&b, " %s %s", a.at.Format("05.000"), w.members[a.who].name)
			}
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// cellsOf are those that a member was the last to poll.
func (w *clusterWorld) cellsOf(m *member) (cells []*sharedCell) {
	for _, c := range w.cells {
		if c.polls() == m.who {
			cells = append(cells, c)
		}
	}
	return cells
}

// busiest is the member that polls most CommCells, the first from a number on where several do.
func (w *clusterWorld) busiest(from int) *member {
	var most *member
	for n := range w.members {
		m := w.members[(from+n)%len(w.members)]
		if m.child != nil && (most == nil || len(w.cellsOf(m)) > len(w.cellsOf(most))) {
			most = m
		}
	}
	return most
}

// takeover is how a CommCell has gone from one member to another.
type takeover struct {
	cell     *sharedCell
	from, to int
	took     time.Duration
}

// taken waits until others than a member poll its CommCells; where it may itself, it counts as one.
func (w *clusterWorld) taken(cells []*sharedCell, from *member, at time.Time, itself bool) (all []takeover) {
	w.t.Helper()
	w.until("its CommCells are polled by others", func() bool {
		all = nil
		for _, c := range cells {
			asks := c.since(at)
			n := slices.IndexFunc(asks, func(a ask) bool { return a.list && (itself || a.who != from.who) })
			if n < 0 {
				return false
			}
			all = append(all, takeover{c, from.who, asks[n].who, asks[n].at.Sub(at)})
		}
		return true
	}, w.lately)
	stir(cells, at)
	return all
}

// table shows takeovers, and how long the longest took.
func (w *clusterWorld) table(what string, all []takeover) (longest time.Duration) {
	w.t.Helper()
	var b strings.Builder
	took := []time.Duration{}
	for _, each := range all {
		fmt.Fprintf(&b, "\n  %-4s %s → %s %6.2f s", each.cell.name, w.members[each.from].name, w.members[each.to].name, each.took.Seconds())
		took = append(took, each.took)
	}
	if slices.Sort(took); len(took) == 0 {
		w.t.Fatalf("%s: none", what)
	}
	w.t.Logf("%s: %d, median %.2f s, longest %.2f s%s", what, len(took), took[len(took)/2].Seconds(), took[len(took)-1].Seconds(), b.String())
	return took[len(took)-1]
}

// still is how long one who polls may not ask for the list.
const still = quiet

// span is a time in which a watcher polled a CommCell.
type span struct{ from, to time.Time }

// spans are the times in which a watcher polled the CommCell.
func (c *sharedCell) spans(who int) (all []span) {
	for _, a := range c.since(time.Time{}) {
		if !a.list || a.who != who {
			continue
		}
		if last := len(all) - 1; last >= 0 && a.at.Sub(all[last].to) < still {
			all[last].to = a.at
			continue
		}
		all = append(all, span{a.at, a.at})
	}
	return all
}

// twice is the longest time in which two polled one CommCell.
func (w *clusterWorld) twice() (longest time.Duration, cell string) {
	for _, c := range w.cells {
		for n := range w.members {
			for other := range n {
				for _, a := range c.spans(n) {
					for _, b := range c.spans(other) {
						both := earliest(a.to, b.to).Sub(latest(a.from, b.from))
						if both > longest {
							longest, cell = both, fmt.Sprintf("%s by %s and %s", c.name, w.members[other].name, w.members[n].name)
						}
					}
				}
			}
		}
	}
	return longest, cell
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// chain is who polled a CommCell from shortly before a moment on, and when others came.
func (w *clusterWorld) chain(c *sharedCell, since time.Time) string {
	var b strings.Builder
	who := -1
	for _, a := range c.since(since.Add(-still)) {
		if !a.list || a.who == who {
			continue
		}
		if who != -1 {
			fmt.Fprintf(&b, " → %.1fs ", a.at.Sub(since).Seconds())
		}
		who = a.who
		b.WriteString(w.members[who].name)
	}
	return b.String()
}

func seededBy(seed int64) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 0)) }

// asksOf says who asked for a job's details, each time that it was another than before.
func (c *sharedCell) asksOf(job int64) string {
	var b strings.Builder
	who := -1
	for _, a := range c.since(time.Time{}) {
		if a.job == job && a.who != who {
			fmt.Fprintf(&b, "\n  from %s on w%d", a.at.UTC().Format("04:05.000"), a.who+1)
			who = a.who
		}
	}
	return b.String()
}
