package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

const (
	soakSpeed  = 200 // simulated seconds in a second
	soakMinute = 2000
	soakLong   = 10 * time.Minute
	soakSlack  = 1 << 20 // pages that a transaction under way has not given back yet
)

// TestSoak lets jobs live at 200 times the speed of life: all of them are told to their ends and forgotten, and what
// the watcher keeps does not grow. JOBWATCH_SOAK is how long it lasts; from ten minutes on memory is judged too.
func TestSoak(t *testing.T) {
	slow.Test(t, "1 min", "jobs begin, end and are forgotten by the thousand: what grows without end shows only then")
	lasts := soakTime(t)
	s := newSoak(t, lasts)
	s.start()
	half := s.measure(lasts / 2)
	end := s.measure(lasts)
	s.wait("every job's end is seen", func() bool { return ends(s.sim.Served()) == s.jobs })
	s.wait("all is sent", func() bool { return s.stat().Unsent == 0 })
	s.judge()
	s.wait("what has ended is forgotten", func() bool { return s.stat().Jobs == 0 })
	s.stop()
	t.Logf("%s, %d jobs, %d of them with a number that had been another's", lasts, s.jobs, s.jobs-numbersOf(s.sim.Served()))
	t.Logf("at half time %s", half)
	t.Logf("at the end   %s", end)
	if end.kept > 2*half.kept {
		t.Error("twice as many jobs are kept at the end as at half time")
	}
	if 2*end.used > 3*half.used+soakSlack {
		t.Error("the store holds half as much again at the end as at half time")
	}
	if end.file > 2*half.file {
		t.Error("the store file has more than doubled in the second half; one doubling is a step of its growth")
	}
	if lasts >= soakLong && 10*end.memory > 11*half.memory {
		t.Error("memory has grown by a tenth in the second half")
	}
}

func soakTime(t *testing.T) time.Duration {
	text := os.Getenv("JOBWATCH_SOAK")
	if text == "" {
		return time.Minute
	}
	lasts, err := time.ParseDuration(text)
	if err != nil || lasts < time.Minute {
		t.Fatalf("JOBWATCH_SOAK: %q, want a duration of at least 1m", text)
	}
	return lasts
}

// soak is a world in which jobs come all the time, and go.
type soak struct {
	*world
	lasts time.Duration
	jobs  int
	file  string
}

// newSoak has the watcher keep finished jobs for a tenth of the time, and the CommServe for longer; numbers that the
// watcher has forgotten come back.
func newSoak(t *testing.T, lasts time.Duration) *soak {
	keep := lasts / 10
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	s, clock := &soak{lasts: lasts}, &lifeClock{}
	clock.run(soakSpeed)
	config := sim.Config{
		Seed: seed, Clock: clock.now, Speed: soakSpeed, Jobs: 20, Most: int(soakMinute * lasts.Minutes()), Arrivals: soakMinute / 60. / soakSpeed,
		Keep: 4 * keep * soakSpeed, Oddities: 0.02,
	}
	s.jobs = config.Jobs + config.Most
	s.world = newWorld(t, seed, sim.New(config), clock.turnedBy)
	s.clock = clock
	s.file = filepath.Join(s.dir, "watcher.db")
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	every := `schedule: "@every 1s"`
	short := every + "\n    keep_finished: " + keep.String() + "\n    discover: {finished_within: " + keep.String() + "}"
	sent := keep
	if lasts < soakLong {
		sent = 0 // what has been sent is let go of once a minute
	}
	soaked := strings.NewReplacer(every, short, "store: {", "store: {keep_sent: "+sent.String()+", ").Replace(string(text))
	if err := os.WriteFile(s.config, []byte(soaked), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// life is a job that is not another with its number.
type life struct {
	number int64
	began  time.Time
}

func ends(record []sim.Served) int {
	ended := map[life]bool{}
	for _, a := range record {
		if a.Whole && a.Finished {
			ended[life{a.JobID, a.Began}] = true
		}
	}
	return len(ended)
}

func numbersOf(record []sim.Served) int {
	numbers := map[int64]bool{}
	for _, a := range record {
		numbers[a.JobID] = true
	}
	return len(numbers)
}

// wait is patient, and asks seldom: the record is long.
func (s *soak) wait(what string, holds func() bool) {
	s.t.Helper()
	for left := s.clock.patience(s.lasts + 5*time.Minute); !holds(); time.Sleep(500 * time.Millisecond) {
		if !left() {
			s.t.Fatalf("%s\nwaited in vain: %s; %d of %d jobs' ends seen, %+v",
				tail(s.said.String()), what, ends(s.sim.Served()), s.jobs, s.stat())
		}
	}
}
