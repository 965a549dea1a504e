package daemon

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/config"
	"jobwatch/internal/sim"
)

// TestRecordingLeavesNothingBehind: what it learns of jobs by name has no file that a kill could leave.
func TestRecordingLeavesNothingBehind(t *testing.T) {
	server := httptest.NewServer(sim.New(sim.Config{Jobs: 3, NoRecord: true}))
	defer server.Close()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var requests atomic.Int64
	hear := func(next http.RoundTripper) http.RoundTripper {
		return heard(func(r *http.Request) (*http.Response, error) {
			if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
				t.Errorf("%v: %v", left, err)
			}
			if requests.Add(1) == 5 {
				cancel()
			}
			return next.RoundTrip(r)
		})
	}
	cell := config.CommCell{Name: "prod", URL: server.URL + "/webconsole/api", Schedule: "@every 1s", Timeout: 10 * time.Second, Concurrency: 2}
	cell.Auth.Token, cell.Discover.Enabled, cell.Discover.FinishedWithin = "QSDK sim", true, time.Hour
	if err := Record(ctx, cell, hear, slog.New(slog.DiscardHandler)); err != nil || requests.Load() < 5 {
		t.Errorf("%d requests: %v", requests.Load(), err)
	}
}

type heard func(*http.Request) (*http.Response, error)

func (h heard) RoundTrip(r *http.Request) (*http.Response, error) { return h(r) }
