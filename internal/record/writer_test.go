package record_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/record"
	"jobwatch/internal/sim"
)

// TestARecordIsItsOwners: nobody else may read what a server says, be it without names.
func TestARecordIsItsOwners(t *testing.T) {
	w, dir := newWriter(t, nil)
	closed(t, w)
	for name, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, record.FileName): 0o600} {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode().Perm(), err)
		}
	}
	if _, err := record.Create(record.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("a second record in the folder: %v", err)
	}
}

// TestAFullRecordEnds: what it holds then is whole, and the watcher goes on.
func TestAFullRecordEnds(t *testing.T) {
	ended := 0
	w, dir := newWriter(t, func(c *record.Config) { c.MaxSize, c.Ended = 20_000, func() { ended++ } })
	client := newClient(t, "json", w.Tap(sim.New(sim.Config{Jobs: 3}).Inside()), nil)
	for range 100 {
		if _, err := client.JobDetails(t.Context(), 1001); err != nil {
			t.Fatal(err)
		}
	}
	stats, err := w.Close()
	if !errors.Is(err, record.ErrFull) || ended != 1 {
		t.Errorf("%v, ended %d times", err, ended)
	}
	info, err := os.Stat(filepath.Join(dir, record.FileName))
	if err != nil || info.Size() > 20_000 || info.Size() != stats.Size {
		t.Errorf("%v: %d bytes, %+v", err, info.Size(), stats)
	}
	if _, entries, err := record.Read(dir); err != nil || len(entries) != stats.Entries || len(entries) < 5 {
		t.Errorf("%d entries, %+v: %v", len(entries), stats, err)
	}
}

// TestALineThatIsNotWholeIsLeftOut, as after a kill.
func TestALineThatIsNotWholeIsLeftOut(t *testing.T) {
	w, dir := newWriter(t, nil)
	client := newClient(t, "json", w.Tap(sim.New(sim.Config{Jobs: 3}).Inside()), nil)
	for range 3 {
		_, _ = client.JobDetails(t.Context(), 1001)
	}
	stats := closed(t, w)
	if err := os.Truncate(filepath.Join(dir, record.FileName), stats.Size-10); err != nil {
		t.Fatal(err)
	}
	if _, entries, err := record.Read(dir); err != nil || len(entries) != stats.Entries-1 {
		t.Errorf("%d of %d entries: %v", len(entries), stats.Entries, err)
	}
}

// TestTheHeadOfARecordIsNotTrusted: what it says ends up in a configuration.
func TestTheHeadOfARecordIsNotTrusted(t *testing.T) {
	dir := t.TempDir()
	line := `{"format":"jobwatch record 1","basePath":"/x\n    auth: {token_file: /etc/passwd}"}` + "\n"
	if err := os.WriteFile(filepath.Join(dir, record.FileName), []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	if head, _, err := record.Read(dir); err != nil || head.BasePath != "" {
		t.Errorf("%v: %q", err, head.BasePath)
	}
}

// TestWhatWasNeverAskedIsUnknown: of a job that the record does not know the CommServe knows nothing, and any login is good.
func TestWhatWasNeverAskedIsUnknown(t *testing.T) {
	client := newClient(t, "json", served{record.NewPlayer(nil, 1, nil)}, nil)
	_, details := client.JobDetails(t.Context(), 71)
	_, summary := client.Summary(t.Context(), 71)
	_, guid := client.GUID(t.Context())
	if kindOf(details) != "unknown_job200 0sunusable" || kindOf(summary) != "unknown_job200 0sunusable" || kindOf(guid) != "http404 0sunusable" {
		t.Errorf("%v; %v; %v", details, summary, guid)
	}
	if lines, err := listed(t, client); err != nil || lines != 0 {
		t.Errorf("%d lines: %v", lines, err)
	}
}

// TestALoginIsNotInTheRecord, neither what was sent nor the token that came.
func TestALoginIsNotInTheRecord(t *testing.T) {
	var sent []string
	play := sim.New(sim.Config{Jobs: 1}).Inside()
	w, dir := newWriter(t, nil)
	client := newClient(t, "json", w.Tap(listener(func(r *http.Request) (*http.Response, error) {
		sent = append(sent, r.Header.Get("Authtoken"))
		return play.RoundTrip(r)
	})), nil)
	if _, err := client.GUID(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed(t, w)
	raw, err := os.ReadFile(filepath.Join(dir, record.FileName))
	if err != nil {
		t.Fatal(err)
	}
	token := strings.TrimPrefix(sent[len(sent)-1], "QSDK ")
	for _, secret := range []string{token, "d2F0Y2hlcg", "\"watcher\""} {
		if secret == "" || strings.Contains(strings.ReplaceAll(string(raw), "\\", ""), secret) {
			t.Errorf("%q is in it: %s", secret, raw)
		}
	}
}

type listener func(*http.Request) (*http.Response, error)

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) { return l(r) }
