package poller

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/config"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// account notes when reads and writes come.
type account struct {
	http.RoundTripper
	mu    sync.Mutex
	spent map[bool][]time.Time // is it a write
}

func (a *account) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	write := r.Method != http.MethodGet
	a.spent[write] = append(a.spent[write], time.Now())
	a.mu.Unlock()
	return a.RoundTripper.RoundTrip(r)
}

// most is the largest number within any hour.
func (a *account) most(write bool) (most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := 0
	for i, at := range a.spent[write] {
		for at.Sub(a.spent[write][first]) >= time.Hour {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// saas is the CommCell of the settings that docs/operating.md recommends.
func saas(t *testing.T) config.CommCell {
	docs, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(docs), "```yaml\ncommcells:\n  - name: metallic")
	text, _, closed := strings.Cut(after, "```")
	if !found || !closed {
		t.Fatal("docs/operating.md has no settings for metallic")
	}
	c, err := config.Parse("watcher.yaml", []byte("commcells:\n  - name: metallic"+text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.CommCells[0]
}

// TestSettingsForSaaS runs the settings of docs/operating.md for seven hours, with as many jobs as it says, at a CommServe
// where POST JobDetails is a write.
func TestSettingsForSaaS(t *testing.T) {
	slow.Test(t, "2 s", "seven simulated hours within the quota of a service")
	synctest.Test(t, func(t *testing.T) {
		cell := saas(t)
		schedule, err := config.ParseSchedule(cell.Schedule)
		if err != nil {
			t.Fatal(err)
		}
		play := sim.New(sim.Config{})
		const jobs = 10 * 6
		for i := range int64(jobs) {
			at := time.Duration(i) * 6 * time.Minute
			play.Add(sim.Job{ID: 1000 + i, Steps: []sim.Step{
				{At: at, State: "Running", Phase: "Scan"},
				{At: at + 9*time.Minute, State: "Running", Phase: "Backup"},
				{At: at + 31*time.Minute, State: "Running", Phase: "Archive Index"},
				{At: at + 44*time.Minute, State: "Completed"},
			}})
		}
		spent := &account{RoundTripper: play.Inside(), spent: map[bool][]time.Time{}}
		client, err := commvault.New(commvault.Config{CommCell: "prod", URL: cell.URL, Username: "watcher", Password: "watcher", Transport: spent})
		if err != nil {
			t.Fatal(err)
		}
		b := newBench(t, func(c *Config) {
			c.Source, c.Feed, c.FeedEvery, c.Schedule = client, client, cell.FeedEvery, schedule
			c.Sweep, c.FullRefresh, c.Concurrency, c.RateLimit = Sweep(cell.Sweep), cell.FullRefresh, cell.Concurrency, cell.RateLimit
			c.FinishedWithin, c.StallAfter, c.LostAfter = cell.Discover.FinishedWithin, cell.StallAfter, cell.LostAfter
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- b.Run(ctx) }()
		time.Sleep(7 * time.Hour)
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if reads, writes := spent.most(false), spent.most(true); reads > 30+1 || writes > 60 {
			t.Errorf("%d reads and %d writes within an hour; docs/operating.md says 30 and 55", reads, writes)
		}
		completed := 0
		for _, told := range b.drain() {
			if strings.HasSuffix(told, "→ Completed") {
				completed++
			}
		}
		if completed != jobs {
			t.Errorf("%d of %d jobs told to their end", completed, jobs)
		}
	})
}
