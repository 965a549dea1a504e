package poller_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/metrics"
	"jobwatch/internal/poller"
	"jobwatch/internal/sim"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
)

// BenchmarkPoll asks for one job after the other, whose every answer differs in its elapsed time, and beside it
// the same server the same with a bare net/http client. The allocations of both hold the server's.
func BenchmarkPoll(b *testing.B) { benchmarkTick(b, 100, 1) }

// BenchmarkTick polls many running jobs, and beside it asks the same server the same with a bare net/http client
// of the same concurrency: `of_bare` is the ratio of the two rates, in the same run.
func BenchmarkTick(b *testing.B) {
	for _, jobs := range []int64{1000, 10_000} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) { benchmarkTick(b, jobs, 8) })
	}
}

func benchmarkTick(b *testing.B, jobs int64, concurrency int) {
	server := httptest.NewServer(runningJobs(jobs))
	defer server.Close()
	st, err := store.Open(filepath.Join(b.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	meter := metrics.New("bench").CommCell("prod")
	p := newSweeper(b, server.URL, st, meter, jobs, concurrency)
	poll := func() error { return p.Cycle(b.Context()) }
	if err := poll(); err != nil { // the first tells each job's state
		b.Fatal(err)
	}
	writes := 0
	storetest.Hook(st, func(failpoint.Point) error { writes++; return nil })

	var watcher, bare cost
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency}}
	defer client.CloseIdleConnections()
	for b.Loop() {
		watcher.of(b, poll)
		bare.of(b, func() error { return askBarely(client, server.URL, jobs, concurrency) })
	}
	polls := float64(b.N) * float64(jobs)
	b.ReportMetric(float64(watcher.took.Nanoseconds())/polls, "ns/poll")
	b.ReportMetric(float64(bare.took.Nanoseconds())/polls, "bare-ns/poll")
	b.ReportMetric(bare.took.Seconds()/watcher.took.Seconds(), "of_bare")
	b.ReportMetric(float64(watcher.allocs)/polls, "allocs/poll")
	b.ReportMetric(float64(bare.allocs)/polls, "bare-allocs/poll")
	b.ReportMetric(float64(watcher.bytes)/polls, "B/poll")
	b.ReportMetric(float64(bare.bytes)/polls, "bare-B/poll")
	if writes > 0 {
		b.Fatalf("%d writes, though nothing changed", writes)
	}
}

// cost is what something has taken, all together.
type cost struct {
	took          time.Duration
	allocs, bytes uint64
}

func (c *cost) of(b *testing.B, work func() error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	if err := work(); err != nil {
		b.Fatal(err)
	}
	c.took += time.Since(start)
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
	c.bytes += after.TotalAlloc - before.TotalAlloc
}

// runningJobs are jobs that do nothing but run on.
func runningJobs(jobs int64) *sim.Sim {
	cs := sim.New(sim.Config{NoRecord: true})
	for number := int64(1); number <= jobs; number++ {
		cs.Add(sim.Job{ID: number, Steps: []sim.Step{
			{State: "Running", Phase: "Backup"},
			{At: 1000 * time.Hour, State: "Completed"},
		}})
	}
	return cs
}

func newSweeper(b *testing.B, url string, st *store.Store, meter *metrics.CommCell, jobs int64, concurrency int) *poller.Poller {
	log := slog.New(slog.DiscardHandler)
	client, err := commvault.New(commvault.Config{
		CommCell: "prod", URL: url, Token: "QSDK sim", Concurrency: concurrency, Log: log, Observe: meter.Request,
	})
	if err != nil {
		b.Fatal(err)
	}
	schedule, err := cron.ParseStandard("@every 30s")
	if err != nil {
		b.Fatal(err)
	}
	numbers := make([]int64, jobs)
	for i := range numbers {
		numbers[i] = int64(i + 1)
	}
	if err := st.Configure("prod", numbers); err != nil {
		b.Fatal(err)
	}
	return poller.New(poller.Config{
		CommCell: "prod", Source: client, Store: st, Schedule: schedule, Concurrency: concurrency, Log: log,
		Meter: meter,
	})
}

// askBarely is what any client of the API must do: send the requests, read the answers.
func askBarely(client *http.Client, url string, jobs int64, concurrency int) error {
	var next atomic.Int64
	var group errgroup.Group
	for range concurrency {
		group.Go(func() error {
			for number := next.Add(1); number <= jobs; number = next.Add(1) {
				if err := askBarelyFor(client, url, number); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func askBarelyFor(client *http.Client, url string, number int64) error {
	request, err := http.NewRequest(http.MethodPost, url+"/JobDetails", bytes.NewReader(fmt.Appendf(nil, `{"jobId":%d}`, number)))
	if err != nil {
		return err
	}
	request.Header.Set("Authtoken", "QSDK sim")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n < 100 {
		return fmt.Errorf("job %d: %d bytes, %w", number, n, err)
	}
	return nil
}
