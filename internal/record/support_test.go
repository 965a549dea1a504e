package record_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/poller"
	"jobwatch/internal/record"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
)

// served reaches a handler without a network, in the caller's goroutine, so that all of it can run on simulated time.
type served struct{ http.Handler }

func (s served) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	asked := r.Clone(r.Context())
	asked.GetBody = nil
	w := httptest.NewRecorder()
	aborted := s.serve(w, asked)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if aborted && w.Body.Len() == 0 {
		return nil, io.EOF
	}
	response := w.Result()
	response.Request = r
	if aborted {
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(w.Body.Bytes()), brokenOff{}))
	}
	return response, nil
}

func (s served) serve(w http.ResponseWriter, r *http.Request) (aborted bool) {
	defer func() {
		if fault := recover(); fault != nil {
			err, _ := fault.(error)
			if aborted = errors.Is(err, http.ErrAbortHandler); !aborted {
				panic(fault)
			}
		}
	}()
	s.ServeHTTP(w, r)
	return false
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func newWriter(t *testing.T, edit func(*record.Config)) (w *record.Writer, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "record")
	c := record.Config{Dir: dir, URL: "https://cs.example.com/webconsole/api", Asked: "json", Schedule: "@every 5s", Version: "test"}
	if edit != nil {
		edit(&c)
	}
	w, err := record.Create(c)
	if err != nil {
		t.Fatal(err)
	}
	return w, dir
}

func closed(t *testing.T, w *record.Writer) record.Stats {
	t.Helper()
	stats, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// player plays a record.
func player(t *testing.T, dir string) http.RoundTripper {
	t.Helper()
	_, entries, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return served{record.NewPlayer(entries, 1, nil)}
}

func newClient(t *testing.T, format string, transport http.RoundTripper, edit func(*commvault.Config)) *commvault.Client {
	t.Helper()
	c := commvault.Config{
		CommCell: "prod", URL: "https://cs.example.com/webconsole/api", Format: format, Username: "watcher", Password: "watcher",
		Transport: transport, Timeout: 10 * time.Second,
	}
	if edit != nil {
		edit(&c)
	}
	client, err := commvault.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// lived are the events that a watcher tells of a CommServe in some time, by job, each job's in order.
func lived(t *testing.T, client *commvault.Client, forSo time.Duration) (all []event.Event) {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	storetest.NoSync(st)
	schedule, err := cron.ParseStandard("@every 5s")
	if err != nil {
		t.Fatal(err)
	}
	p := poller.New(poller.Config{
		CommCell: "prod", Source: client, Store: st, Schedule: schedule, Discover: true, FinishedWithin: time.Hour, Timeout: 10 * time.Second,
		Identify: client.GUID, Feed: client, FeedEvery: 10 * time.Second, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithTimeout(t.Context(), forSo)
	defer cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	ids, err := st.Waiting()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range slices.Clone(ids) {
		for {
			due, err := st.Due(id)
			if err != nil {
				t.Fatal(err)
			}
			if len(due.Rows) == 0 {
				break
			}
			e, err := event.Parse(due.Rows[0].Event)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
			if err := st.Acknowledge(id, e, uint64(len(all))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}
