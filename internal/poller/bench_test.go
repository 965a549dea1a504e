package poller_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/metrics"
	"jobwatch/internal/poller"
	"jobwatch/internal/sim"
	"jobwatch/internal/store"
)

const (
	sweepJobs        = 5000
	sweepConcurrency = 8
)

// BenchmarkSweep polls 5,000 running jobs, whose every answer differs in its elapsed time, and beside
// it asks the same server the same with a bare net/http client of the same concurrency: `of bare` is
// the ratio of the two rates, in the same run.
func BenchmarkSweep(b *testing.B) {
	server := httptest.NewServer(runningJobs())
	defer server.Close()
	st, err := store.Open(filepath.Join(b.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	meters := metrics.New("bench")
	p := newSweeper(b, server.URL, st, meters.CommCell("prod"))
	poll := func() time.Duration {
		start := time.Now()
		if err := p.Poll(b.Context()); err != nil {
			b.Fatal(err)
		}
		return time.Since(start)
	}
	poll() // the first tells each job's state
	writes := 0
	st.Fault = func(store.Point) error { writes++; return nil }

	var sweeps, bare time.Duration
	for b.Loop() {
		sweeps += poll()
		bare += askBarely(b, server.URL)
	}
	polls := float64(b.N * sweepJobs)
	b.ReportMetric(polls/sweeps.Seconds(), "polls/s")
	b.ReportMetric(polls/bare.Seconds(), "bare/s")
	b.ReportMetric(bare.Seconds()/sweeps.Seconds(), "of_bare")
	b.ReportMetric(float64(writes)/polls, "writes/poll")
	want := strconv.FormatFloat(polls, 'g', -1, 64)
	if got := unchanged(meters); got != want {
		b.Fatalf("%s polls unchanged, want %s", got, want)
	}
}

// unchanged reads the count of unchanged polls as Prometheus does.
func unchanged(m *metrics.Metrics) string {
	page := httptest.NewRecorder()
	m.Handler().ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	_, count, _ := strings.Cut(page.Body.String(), `jobwatch_polls_total{commcell="prod",result="unchanged"} `)
	count, _, _ = strings.Cut(count, "\n")
	return count
}

// runningJobs are jobs that do nothing but run on.
func runningJobs() *sim.Sim {
	cs := sim.New(sim.Config{NoRecord: true})
	for number := int64(1); number <= sweepJobs; number++ {
		cs.Add(sim.Job{ID: number, Steps: []sim.Step{
			{State: "Running", Phase: "Backup"},
			{At: 1000 * time.Hour, State: "Completed"},
		}})
	}
	return cs
}

func newSweeper(b *testing.B, url string, st *store.Store, meter *metrics.CommCell) *poller.Poller {
	log := slog.New(slog.DiscardHandler)
	client, err := commvault.New(commvault.Config{
		CommCell: "prod", URL: url, Token: "QSDK sim", Concurrency: sweepConcurrency, Log: log, Observe: meter.Request,
	})
	if err != nil {
		b.Fatal(err)
	}
	schedule, err := cron.ParseStandard("@every 30s")
	if err != nil {
		b.Fatal(err)
	}
	numbers := make([]int64, sweepJobs)
	for i := range numbers {
		numbers[i] = int64(i + 1)
	}
	if err := st.Configure("prod", numbers); err != nil {
		b.Fatal(err)
	}
	return poller.New(poller.Config{
		CommCell: "prod", Source: client, Store: st, Schedule: schedule, Concurrency: sweepConcurrency, Log: log,
		Meter: meter,
	})
}

// askBarely is what any client of the API must do: send the request, read the answer.
func askBarely(b *testing.B, url string) time.Duration {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: sweepConcurrency}}
	defer client.CloseIdleConnections()
	start := time.Now()
	var group errgroup.Group
	group.SetLimit(sweepConcurrency)
	for number := 1; number <= sweepJobs; number++ {
		group.Go(func() error {
			request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url+"/JobDetails",
				bytes.NewReader(fmt.Appendf(nil, `{"jobId":%d}`, number)))
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
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
