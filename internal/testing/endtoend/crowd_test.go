package endtoend

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestCrowd has a watcher that may ask eight at once meet a CommServe that bears two: it is refused seldom in the
// end, and misses nothing.
func TestCrowd(t *testing.T) {
	slow.Test(t, "8 s", "a CommServe that bears few requests at once is asked by the real program")
	var now atomic.Int64
	play := sim.New(sim.Config{Bears: 2, Clock: func() time.Duration { return time.Duration(now.Load()) }})
	play.Fault(sim.Fault{Kind: sim.Slow, Rate: 1, Delay: 30 * time.Millisecond}) // or answers are too fast to meet
	for number := int64(1); number <= outageJobs; number++ {
		play.Add(sim.Job{ID: number, Client: fmt.Sprintf("client-%d", number), Steps: []sim.Step{
			{State: "Running", Phase: "Scan"},
			{At: 2 * time.Second, State: "Running", Phase: "Backup"},
			{At: 4 * time.Second, State: "Completed"},
		}})
	}
	w := newWorld(t, 1, play)
	w.edit(`"@every 1s"`, `"@every 1s"
    sweep: details`)
	w.start()
	w.seen("Running", "Scan")
	settled := len(play.Served())
	w.progress(8 * outageJobs)
	if asked, refused := tooMany(play.Served()[settled:]); refused > asked/20 {
		t.Errorf("%d of %d requests are refused", refused, asked)
	}
	now.Store(int64(2 * time.Second))
	w.seen("Running", "Backup")
	now.Store(int64(4 * time.Second))
	w.seen("Completed", "")
	w.judge()
	w.stop()
	if _, refused := tooMany(play.Served()); refused == 0 {
		t.Error("none was refused")
	}
	if got, want := len(w.read()), outageJobs*(2+2); got != want {
		t.Errorf("%d events, want %d", got, want)
	}
}

func tooMany(answers []sim.Served) (asked, refused int) {
	for _, a := range answers {
		if a.Fault == sim.TooMany {
			refused++
		}
	}
	return len(answers), refused
}
