package lives

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/testing/modelbroker"
	"jobwatch/internal/testing/slow"
)

// goesOnWithin is what is promised of a relay whose watcher died, or whose destination came back.
const goesOnWithin = 20 * time.Second

// TestGoesOnInTime has something happen to a relay at many moments of its beats and its deliveries, and measures, in
// simulated time, until the next event arrives.
func TestGoesOnInTime(t *testing.T) {
	slow.Test(t, "5 s", "a relay has to go on at whatever moment it is struck")
	for name, happens := range map[string]func(w *relayWorld, two []*relayProcess){
		"the holder is killed, another takes over":  func(_ *relayWorld, two []*relayProcess) { two[0].kill() },
		"the holder is cut off, another takes over": func(_ *relayWorld, two []*relayProcess) { two[0].conn.Cut() },
		"the only one is killed, and started again": func(w *relayWorld, two []*relayProcess) {
			two[1].end()
			two[0].kill()
			two[1] = w.start("c")
		},
		"the holder stops": func(_ *relayWorld, two []*relayProcess) { two[0].end() },
		"the destination comes back": func(w *relayWorld, _ []*relayProcess) {
			w.comesAndGoes(true)
			time.Sleep(10 * time.Minute)
			w.comesAndGoes(false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			longest := time.Duration(0)
			for n := range 20 {
				synctest.Test(t, func(t *testing.T) { longest = max(longest, goesOn(t, uint64(n), happens)) })
			}
			t.Logf("at most %v", longest)
			if longest > goesOnWithin {
				t.Errorf("it goes on after %v", longest)
			}
		})
	}
}

// goesOn gives the longest time that an event was waited for after something happened.
func goesOn(t *testing.T, seed uint64, happens func(w *relayWorld, two []*relayProcess)) time.Duration {
	w := &relayWorld{
		random: rand.New(rand.NewPCG(seed, 20)), told: map[int]int{}, arrived: map[int][]int{}, began: time.Now(), jobs: 20,
		stream: modelbroker.New(modelbroker.Config{Replicated: seed%2 == 1}), healed: true,
	}
	a := w.start("a")
	time.Sleep(time.Second) // it has the lease
	two := []*relayProcess{a, w.start("b")}
	for range 300 {
		w.tell(1 + w.below(w.jobs))
	}
	time.Sleep(time.Duration(2000+w.below(4000)) * time.Millisecond)
	happens(w, two)
	before, began := w.arrivals(), time.Now()
	for w.arrivals() == before && time.Since(began) < time.Minute {
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	for n := 0; n < 600 && !w.complete(); n++ {
		time.Sleep(time.Second)
	}
	for _, p := range two {
		p.end()
	}
	if !w.complete() || len(w.wrong) > 0 {
		t.Errorf("seed %d: %v told, %v arrived: %s", seed, w.told, w.arrived, w.wrong)
	}
	return took
}

func (w *relayWorld) comesAndGoes(away bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away = away
}

func (w *relayWorld) arrivals() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.arrived {
		n += len(all)
	}
	return n
}
