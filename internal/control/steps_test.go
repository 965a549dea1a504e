package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/progress"
)

// TestSteps has a watcher say through the socket how far it is.
func TestSteps(t *testing.T) {
	w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
	client := w.open(t)
	var seen []string
	ctx := progress.With(t.Context(), func(s progress.Step) { seen = append(seen, s.What) })
	if bytes, err := client.Backup(ctx, filepath.Join(t.TempDir(), "copy.db")); err != nil || bytes == 0 {
		t.Error(bytes, err)
	}
	if v, err := client.Verify(ctx); err != nil || v.Path != w.path {
		t.Error(v, err)
	}
	want := "copying the store, checking the copy, copying the store, reading the copy"
	if got := strings.Join(seen, ", "); got != want {
		t.Errorf("seen is %s, want %s", got, want)
	}
	_, err := client.Backup(ctx, "copy.db")
	refuses(t, err, "no absolute path")
}

// TestStepsEnd has what comes behind steps be an answer, a refusal, nothing, or no steps come at all.
func TestStepsEnd(t *testing.T) {
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"done": {inSteps(func(ctx context.Context, _ *http.Request) (any, error) {
			is := progress.Of(ctx, "copying", progress.Bytes, 4)
			is(2)
			is(4)
			return backup{4}, nil
		}), "copying 0 of 4; 4 bytes, <nil>"},
		"refused": {inSteps(func(ctx context.Context, _ *http.Request) (any, error) {
			progress.Of(ctx, "copying", "", 0)
			return nil, errors.New("the disk is full")
		}), "copying 0 of 0; 0 bytes, the disk is full"},
		"refused at once": {inSteps(func(context.Context, *http.Request) (any, error) {
			return nil, errors.New("exists")
		}), "; 0 bytes, exists"},
		"killed": {inSteps(func(ctx context.Context, _ *http.Request) (any, error) {
			progress.Of(ctx, "copying", "", 0)
			panic(http.ErrAbortHandler)
		}), "copying 0 of 0; 0 bytes, a.sock: the running watcher has ended before it was done: unexpected EOF"},
		"of a version before": {func(w http.ResponseWriter, _ *http.Request) { answer(w, backup{4}, nil) }, "; 4 bytes, <nil>"},
	} {
		server := httptest.NewServer(row.answer)
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		}
		client := &Client{path: "a.sock", http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
		seen := ""
		ctx := progress.With(t.Context(), func(s progress.Step) { seen += fmt.Sprintf("%s %d of %d", s.What, s.Done, s.Total) })
		bytes, err := client.Backup(ctx, "/copy.db")
		if got := fmt.Sprintf("%s; %d bytes, %v", seen, bytes, err); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
		client.http.CloseIdleConnections()
		server.Close()
	}
}
