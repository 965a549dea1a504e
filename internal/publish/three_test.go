package publish

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
	"jobwatch/internal/testing/threeservers"
)

// fleet is a watcher at a cluster of three servers, whose jobs go on all the time.
type fleet struct {
	*threeservers.Servers
	*watcher
	t      *testing.T
	broker *stream.Broker

	mu      sync.Mutex
	changes int
	told    map[int64][]string // what was committed of each job, in order
}

const fleetJobs = 20

func newFleet(t *testing.T) *fleet {
	w := &world{t: t, dir: t.TempDir()}
	f := &fleet{t: t, Servers: threeservers.Start(t), watcher: w.watcher("a.db"), told: map[int64][]string{}}
	f.broker = stream.New(stream.Config{URL: f.URLs(), Replicas: 3, Name: "watcher", CheckEvery: time.Second})
	run(t, f.broker.Run)
	run(t, f.publisher(f.broker).Run)
	f.sends("at first")
	run(t, f.goOn)
	return f
}

// goOn has every job change its state every half second.
func (f *fleet) goOn(ctx context.Context) error {
	tick := time.NewTicker(500 * time.Millisecond / fleetJobs)
	defer tick.Stop()
	for {
		if err := f.change(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (f *fleet) change() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	number, state := int64(f.changes%fleetJobs+1), fmt.Sprint("State ", f.changes/fleetJobs)
	f.changes++
	f.told[number] = append(f.told[number], state)
	return f.commits(number, job.Text(state), "")
}

// sends waits until what has been seen by now is in the stream.
func (f *fleet) sends(when string) {
	f.t.Helper()
	began := time.Now()
	if err := f.change(); err != nil {
		f.t.Fatal(err)
	}
	seen := time.Now()
	threeservers.Until(f.t, "it is sent "+when, func() bool {
		oldest, err := f.store.OldestUnsent()
		return err == nil && (oldest.IsZero() || oldest.After(seen))
	})
	f.t.Logf("%s: sent after %v", when, time.Since(began).Round(time.Millisecond))
}

// judge holds the stream against what was committed: each event once, in order, none more.
func (f *fleet) judge() {
	f.t.Helper()
	f.mu.Lock() // no job goes on
	defer f.mu.Unlock()
	threeservers.Until(f.t, "all is sent", func() bool { return f.store.Unsent() == 0 })
	f.AwaitWhole()
	var got map[int64][]string
	var err error
	threeservers.Until(f.t, "the stream can be read", func() bool { // just healed, its servers may be unavailable for a moment
		got, err = f.read()
		return err == nil
	})
	events := 0
	for number, want := range f.told {
		if events += len(want); !slices.Equal(got[number], want) {
			f.t.Errorf("job %d: the stream tells\n%q, seen was\n%q", number, got[number], want)
		}
	}
	if len(got) != len(f.told) {
		f.t.Errorf("the stream tells of %d jobs, want %d", len(got), len(f.told))
	}
	f.t.Logf("%d events of %d jobs", events, len(got))
}

func (f *fleet) read() (got map[int64][]string, err error) {
	got = map[int64][]string{}
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	if _, err := f.broker.Ready(ctx); err != nil {
		return nil, err
	}
	_, err = f.broker.Scan(ctx, 0, func(m stream.Message) error {
		e, err := event.Parse(m.Data)
		if err != nil {
			return err
		}
		data, err := e.Job()
		if err != nil {
			return err
		}
		number := data.Job.Number
		got[number] = append(got[number], string(data.Change.To))
		if int(e.Number()) != len(got[number]) {
			f.t.Errorf("job %d: sequence %d stands in place %d", number, e.Number(), len(got[number]))
		}
		return nil
	})
	return got, err
}

// TestThreeServers: whatever becomes of one of the three, publishing goes on, and the stream tells what was seen, each event
// once and in order.
func TestThreeServers(t *testing.T) {
	slow.Test(t, "40 s", "three real servers, one of which is lost, cut off or restarted: they elect a leader in 4 to 9 s")
	t.Parallel()
	for name, befalls := range map[string]func(f *fleet){
		"the stream's leader is lost": func(f *fleet) {
			gone := f.Leader("JOBS")
			f.Stop(gone)
			f.sends("without its leader")
			f.Restart(gone)
		},
		"the client's server is lost": func(f *fleet) {
			gone := f.Of("watcher")
			f.Stop(gone)
			f.sends("through another server")
			if f.Of("watcher") == gone {
				f.t.Error("the client is where it was")
			}
			f.Restart(gone)
		},
		"the stream's leader is cut off": func(f *fleet) {
			f.CutOff(f.Leader("JOBS"))
			f.sends("while its leader is cut off")
			f.Heal()
		},
		"the client's server is cut off": func(f *fleet) {
			f.Lead((f.Of("watcher")+1)%3, "JOBS")
			f.CutOff(f.Of("watcher"))
			f.sends("while its server is cut off")
			f.Heal()
		},
		"the client's server, which leads the stream, is cut off": func(f *fleet) {
			f.Lead(f.Of("watcher"), "JOBS")
			f.CutOff(f.Of("watcher"))
			f.sends("while its server is cut off")
			f.Heal()
		},
		"one after the other is restarted": func(f *fleet) {
			for i := range 3 {
				f.Stop(i)
				f.sends(fmt.Sprint("without server ", i+1))
				f.Restart(i)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			befalls(f)
			f.sends("afterwards")
			f.judge()
		})
	}
}
