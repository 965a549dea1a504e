package web

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/testing/slow"
)

// keeps puts jobs into the store as if they had been seen long ago, and sees to no event.
func (w *world) keeps(jobs ...job.Snapshot) {
	w.Helper()
	for _, s := range jobs {
		s.CommCell = "prod"
		s.Settle()
		known, err := w.store.Recall(s.JobID())
		w.must(err)
		w.must(w.store.Commit(store.PollResult{Known: known, Seen: job.Observation{Snapshot: s, Asked: time.Now(), Answered: time.Now()}}))
	}
}

func TestJobsActiveFirst(t *testing.T) {
	w := newWorld(t)
	now := time.Now().Truncate(time.Second)
	w.keeps(
		ended(1, "Completed", now.Add(-5*time.Hour)), ended(2, "Failed", now.Add(-50*time.Hour)), running(3), running(4),
		job.Snapshot{Number: 5, State: "Waiting", Client: "fall"}, job.Snapshot{Number: 6, State: "Pending"}, ended(7, "Killed", now.Add(-2*time.Hour)),
		ended(8, "Completed w/ one or more errors", now.Add(-time.Hour)), ended(9, "Completed", now.Add(-time.Minute)),
		job.Snapshot{Number: 10, State: "Failed"}, // its end is not told, but seen just now
	)
	w.must(w.store.Track(store.Configured, job.ID{CommCell: "prod", Number: 80}))
	const all = "4 3 6 5 80 10 8 7 2 9 1"
	numbers := func(query string) (string, jobsPage) {
		t.Helper()
		var page jobsPage
		w.getJSON("/api/v1/jobs?order=active_first"+query, &page)
		return strings.ReplaceAll(strings.Split(ids(page)+" →", " →")[0], "prod/", ""), page
	}
	for _, row := range []struct{ query, want string }{
		{"", all},
		{"&ended_within=24h", "4 3 6 5 80 10 8 7 9 1"},
		{"&class=failed&class=killed&class=partial", "10 8 7 2"},
		{"&class=active&limit=1", "4"},
		{"&class=unknown", "80"},
		{"&client=FALL", "5 8 7 2 9 1"},
		{"&client=fall&limit=2", "5 8"},
		{"&commcell=prod&limit=3", "4 3 6"},
		{"&commcell=test", ""},
	} {
		if got, _ := numbers(row.query); got != row.want {
			t.Errorf("%s: got %q, want %q", row.query, got, row.want)
		}
	}
	for limit := 1; limit <= 11; limit++ {
		for _, query := range []string{"", "&client=fall"} {
			want, _ := numbers(query)
			var got []string
			for after := ""; ; {
				some, page := numbers(fmt.Sprintf("%s&limit=%d%s", query, limit, after))
				got = append(got, strings.Fields(some)...)
				if page.Next == nil {
					break
				}
				after = "&after=" + url.QueryEscape(*page.Next)
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s, %d at a time: got %q, want %q", query, limit, got, want)
			}
		}
	}
	for _, query := range []string{"order=latest", "order=active_first&after=prod/71", "order=active_first&after=done.-.prod/1", "order=active_first&after=failed.x.prod/1"} {
		if code, body := w.get("/api/v1/jobs?" + query); code != http.StatusBadRequest || !strings.Contains(body, "wants") {
			t.Errorf("%s: got %d %s, want 400", query, code, body)
		}
	}
}

// Counts are of all jobs, whatever of them an answer shows.
func TestCountsAreOfAllJobs(t *testing.T) {
	slow.Test(t, "2 s", "the counts of more jobs than a page or an answer holds")
	w := newWorld(t)
	for n := range int64(1500) {
		w.must(w.store.Track(store.Discovered, job.ID{CommCell: "prod", Number: n + 1}))
	}
	w.keeps(running(5001), running(5002), running(5003), ended(7, "Failed", time.Now()), ended(5004, "Killed", time.Now()))
	want := map[string]int{"active": 3, "queued": 0, "held": 0, "succeeded": 0, "partial": 0, "failed": 1, "killed": 1, "unknown": 1499}
	for _, path := range []string{"/api/v1/jobs", "/api/v1/jobs?limit=1", "/api/v1/jobs?class=failed&order=active_first", "/api/v1/jobs?commcell=none"} {
		var page jobsPage
		w.getJSON(path, &page)
		if got := page.Counts; got.All != 1504 || fmt.Sprint(got.Classes) != fmt.Sprint(want) {
			t.Errorf("%s: got %+v, want %v", path, got, want)
		}
	}
	w.keeps(ended(5001, "Completed", time.Now()))
	w.until("the status says so", func() bool {
		var s status
		w.getJSON("/api/v1/status", &s)
		return s.Jobs.Classes["active"] == 2 && s.Jobs.Classes["succeeded"] == 1 && s.Jobs.All == 1504
	})
}

// A store that cannot be read is logged once, however often a page asks.
func TestABrokenStoreIsLoggedOnce(t *testing.T) {
	var log strings.Builder
	w := newWorld(t, func(c *Config) {
		broken, err := store.Open(filepath.Join(t.TempDir(), "watcher.db"), event.NewMinter(nil))
		if err == nil {
			err = broken.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		c.Store, c.Log = broken, slog.New(slog.NewTextHandler(&log, nil))
	})
	for range 3 {
		if code, _ := w.get("/api/v1/jobs"); code != http.StatusInternalServerError {
			t.Errorf("got %d", code)
		}
	}
	if n := strings.Count(log.String(), "the store cannot be read"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
}

// What a request of the page costs where there are many jobs.
func BenchmarkPageOfMany(b *testing.B) {
	st, err := store.Open(filepath.Join(b.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	storetest.NoSync(st)
	const jobs = 100_000
	for n := range int64(jobs) {
		s := ended(n+1, "Completed", time.Now().Add(-time.Duration(n)*time.Second))
		if n%1000 == 0 {
			s = running(n + 1)
		}
		s.CommCell = "prod"
		s.Settle()
		if err := st.Commit(store.PollResult{Seen: job.Observation{Snapshot: s, Asked: time.Now()}}); err != nil {
			b.Fatal(err)
		}
	}
	s := &Server{Config: Config{Store: st, Pollers: func() []*poller.Poller { return nil }}}
	var counting, listing []time.Duration
	for b.Loop() {
		s.outline.made = time.Time{}
		start := time.Now()
		if counts, _, err := s.outline.read(st); err != nil || counts.Classes["active"] != 100 {
			b.Fatal(counts, err)
		}
		counted := time.Now()
		if page, err := s.pageActiveFirst(b.Context(), selection{limit: pageLimit}); err != nil || len(page.Jobs) != pageLimit {
			b.Fatal(len(page.Jobs), err)
		}
		counting, listing = append(counting, counted.Sub(start)), append(listing, time.Since(counted))
	}
	slices.Sort(counting)
	slices.Sort(listing)
	b.ReportMetric(float64(counting[len(counting)/2].Milliseconds()), "ms/count")
	b.ReportMetric(float64(listing[len(listing)/2].Milliseconds()), "ms/page")
}
