package endtoend

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

// TestClusterPaused takes a watcher away for longer than the others wait: the one that polls most, paused, then cut off from
// NATS, so that it polls on what others have taken over; and the one that polls least, paused. Back again, it takes nothing
// from those that were never away.
func TestClusterPaused(t *testing.T) {
	slow.Test(t, "2 min", "a process is stopped for longer than the others wait for it")
	t.Parallel()
	away := longOr(20*time.Second, time.Minute)
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 4, servers: 1, jobs: 5, arrivals: 0.3, most: int(1.5 * away.Seconds())})
	w.start()
	w.settled()
	paused, goesOn := sends(syscall.SIGSTOP), sends(syscall.SIGCONT)
	all := w.without(w.busiest(0), away, paused, goesOn)
	all = append(all, w.without(w.busiest(0), away, func(m *member) { m.wire.close() }, func(m *member) { m.wire.cut() })...)
	all = append(all, w.without(w.idlest(), away, paused, goesOn)...)
	if longest := w.table("taken over from one that is away", all); longest > promised(takesOver) {
		t.Errorf("a takeover took %v, promised are %v", longest, takesOver)
	}
	w.finale()
}

func sends(s os.Signal) func(*member) { return func(m *member) { m.signal(s) } }

// without takes a member away for a time, and sees that while it is away and when it is back nobody takes a CommCell from
// another than it.
func (w *clusterWorld) without(m *member, lasts time.Duration, away, back func(*member)) (all []takeover) {
	w.t.Helper()
	cells, before := w.cellsOf(m), w.takenFromDead()
	at := time.Now()
	away(m)
	if len(cells) > 0 {
		all = w.taken(cells, m, at, false)
	}
	w.pass(at.Add(lasts))
	back(m)
	w.joined(m)
	w.pass(time.Now().Add(lasts / 2)) // for it to take what it should not
	w.settled()
	stir(cells, at)
	if got := w.takenFromDead() - before; got != len(cells) {
		w.t.Errorf("%d CommCells were taken from who was thought dead, and only the %d of %s were to be", got, len(cells), m.name)
	}
	return all
}

// idlest is the member that polls fewest CommCells.
func (w *clusterWorld) idlest() *member {
	return slices.MinFunc(w.members, func(a, b *member) int { return cmp.Compare(len(w.cellsOf(a)), len(w.cellsOf(b))) })
}

// takenFromDead is how many CommCells members have taken from others that they thought dead.
func (w *clusterWorld) takenFromDead() (n int) {
	w.t.Helper()
	for _, m := range w.members {
		text := m.metric(`cluster_takeovers_total{reason="death"}`)
		count, err := strconv.Atoi(text)
		if err != nil {
			w.t.Fatalf("%s: cluster_takeovers_total: %q", m.name, text)
		}
		n += count
	}
	return n
}

// TestClusterWithoutNATS takes NATS away from all, for about as long as a member is missed and for longer, and later the bucket.
func TestClusterWithoutNATS(t *testing.T) {
	slow.Test(t, "2 min", "a real server is away for longer than members wait for each other")
	t.Parallel()
	away := longOr(40*time.Second, 2*time.Minute)
	w := newClusterWorld(t, clusterPlan{seed: seeds(t)[0], members: 3, commCells: 4, servers: 1, jobs: 5, arrivals: 0.3, most: longOr(24, 72)})
	w.start()
	owners := w.settled()
	at := time.Now()
	for _, lasts := range longOr([]time.Duration{8 * time.Second, away}, []time.Duration{8 * time.Second, 12 * time.Second, away}) {
		w.one.stop()
		w.pass(time.Now().Add(lasts))
		w.one.start()
		w.pass(time.Now().Add(longOr(takesOver/2, takesOver)))
		w.staysWith(owners, at)
	}
	w.saysWhoPolls()

	at = time.Now()
	w.deleteBucket()
	w.until("the bucket is made anew, and names who polls", func() bool { return w.bucketNames(len(w.cells)) })
	w.settled()
	stir(w.cells, at)
	w.saysWhoPolls()
	took := time.Since(at)
	t.Logf("the bucket was deleted: %.1f s later all was as before", took.Seconds())
	if took > promised(time.Minute) {
		t.Errorf("that took %v, promised is a minute", took)
	}
	w.finale()
}

// staysWith checks that since a moment each CommCell was polled all the time, by its owner alone.
func (w *clusterWorld) staysWith(owners []int, since time.Time) {
	w.t.Helper()
	for n, c := range w.cells {
		last := since
		for _, a := range c.since(since) {
			if a.who != owners[n] {
				w.t.Fatalf("%s asked %s, %v after NATS went away first, though %s polls that", w.members[a.who].name, c.name, a.at.Sub(since), w.members[owners[n]].name)
			}
			if a.list {
				if a.at.Sub(last) > promised(still) {
					w.t.Errorf("%s was not polled for %v", c.name, a.at.Sub(last))
				}
				last = a.at
			}
		}
		if silent := time.Since(last); silent > promised(still) {
			w.t.Errorf("%s has not been polled for %v", c.name, silent)
		}
	}
}

// bucketName is the stream below the members' bucket.
const bucketName = "KV_JOBS_cluster"

func (w *clusterWorld) deleteBucket() {
	w.t.Helper()
	js, end := w.connect()
	defer end()
	if err := js.DeleteStream(w.t.Context(), bucketName); err != nil {
		w.t.Fatal(err)
	}
}

// bucketNames says whether the bucket holds so many owners.
func (w *clusterWorld) bucketNames(owners int) bool {
	js, end := w.connect()
	defer end()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	bucket, err := js.Stream(ctx, bucketName)
	if err != nil {
		return false
	}
	for _, c := range w.cells[:owners] {
		if _, err := bucket.GetLastMsgForSubject(ctx, fmt.Sprintf("$KV.JOBS_cluster.owner.%s", c.name)); err != nil {
			return false
		}
	}
	return true
}
