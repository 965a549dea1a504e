package web

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/store"
)

// tableJSON is the table as a page reads it.
type tableJSON struct {
	Time    time.Time
	Event   uint64
	Count   int
	Texts   []string
	Columns map[string][]any
}

// spread has numbers and times be themselves, which come as what they are more than others.
func (t *tableJSON) spread() {
	id, start := 0.0, 0.0
	for row := range t.Count {
		id += t.Columns["id"][row].(float64)
		t.Columns["id"][row] = id
		own := 0.0
		if more, told := t.Columns["start"][row].(float64); told {
			start += more
			own = start
			t.Columns["start"][row] = start
		}
		for _, name := range []string{"end", "stateSince", "stalledSince", "noProgressSince"} {
			if more, told := t.Columns[name][row].(float64); told {
				t.Columns[name][row] = own + more
			}
		}
	}
}

// line is a row in words: names and values of what is said of it.
func (t *tableJSON) line(row int) string {
	var words []string
	for _, name := range tableColumns {
		value := t.Columns[name][row]
		if slices.Contains(textColumns[:], name) {
			value = t.Texts[int(value.(float64))]
		}
		if value != nil && value != "" {
			words = append(words, fmt.Sprintf("%s=%v", name, value))
		}
	}
	return strings.Join(words, " ")
}

var tableColumns = slices.Concat([]string{"id", "terminal"}, textColumns[:], numberColumns[:], []string{"percent"})

func (w *world) table(query string) (t tableJSON) {
	w.Helper()
	w.getJSON("/api/v1/table"+query, &t)
	for _, name := range tableColumns {
		if len(t.Columns[name]) != t.Count {
			w.Errorf("%d of %s, want %d", len(t.Columns[name]), name, t.Count)
		}
	}
	if len(t.Columns) != len(tableColumns) {
		w.Errorf("%d columns, want %d", len(t.Columns), len(tableColumns))
	}
	t.spread()
	return t
}

func TestTable(t *testing.T) {
	w := newWorld(t)
	start := time.Unix(1_790_000_000, 0).UTC()
	whole := running(71)
	whole.Agent, whole.Backupset, whole.Subclient, whole.StoragePolicy, whole.MediaAgent = "agent", "set", "sub", "policy", "media"
	whole.Operation, whole.BackupLevel, whole.StartedBy, whole.Reason, whole.ReasonCode, whole.Failures = "Backup", "Full", "eve", `a "reason"`, "19:579", "1 Folders, 0 Files"
	whole.StartTime, whole.SizeOfApplication = &start, new(int64(1)<<40)
	for n := range 7 {
		whole.Machines = append(whole.Machines, job.VM{Name: fmt.Sprintf("vm-%d", n), Reason: []job.Text{"", "no space"}[min(n, 1)]})
	}
	now := time.Now().Truncate(time.Second)
	w.keeps(whole, ended(8, "Completed", now.Add(-25*time.Hour)), ended(9, "Killed", now.Add(-time.Hour)), job.Snapshot{Number: 10, State: "Waiting"})
	w.must(w.store.Track(store.Configured, job.ID{CommCell: "prod", Number: 80}))
	seen := w.table("")
	var lines []string
	for row := range seen.Count {
		lines = append(lines, seen.line(row))
	}
	got := strings.Join(lines, "\n")
	want := fmt.Sprintf(`id=9 terminal=1 commcell=prod state=Killed class=killed client=fall end=%v
id=10 terminal=0 commcell=prod state=Waiting class=queued
id=71 terminal=0 commcell=prod state=Running class=active phase=Backup client=client-71 agent=agent backupset=set subclient=sub policy=policy mediaAgent=media operation=Backup level=Full startedBy=eve reason=a "reason" code=19:579 failures=1 Folders, 0 Files failedVms=vm-1, vm-2, vm-3, vm-4, vm-5 start=1.79e+09 size=1.099511627776e+12 vmsFailed=6 vmsTotal=7 percent=41.5
id=80 terminal=0 commcell=prod class=unknown`, float64(now.Add(-time.Hour).Unix()))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if seen.Texts[0] != "" || time.Since(seen.Time) > time.Minute {
		t.Errorf("the first text is %q, the time %v", seen.Texts[0], seen.Time)
	}
	if n := w.table("?since=48h").Count; n != 5 {
		t.Errorf("within 48 h there are %d", n)
	}
	if n := w.table("?since=5m").Count; n != 3 {
		t.Errorf("within 5 min there are %d", n)
	}
	for _, query := range []string{"since=x", "since=-1h", "since=0s", "since=24"} {
		if code, body := w.get("/api/v1/table?" + query); code != http.StatusBadRequest || !strings.Contains(body, "wants a length of time") {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
}

// The table follows the store: what has changed, what has ended long ago, and what is no longer there.
func TestTableFollowsTheStore(t *testing.T) {
	w := newWorld(t)
	w.keeps(running(1), running(2), running(3))
	if got := w.table(""); got.Count != 3 {
		t.Fatalf("got %d", got.Count)
	}
	w.keeps(ended(1, "Failed", time.Now().Add(-48*time.Hour)), job.Snapshot{Number: 2, State: "Pending"}, running(4))
	w.until("the table shows it", func() bool {
		got := w.table("")
		return got.Count == 3 && strings.Contains(got.line(0), "id=2 terminal=0 commcell=prod state=Pending") &&
			strings.Contains(got.line(1), "id=3 ") && strings.Contains(got.line(2), "id=4 ")
	})
	w.sees(running(4)) // and tells its state and phase
	w.until("the table has the sequence of its last event, sent or not", func() bool {
		got := w.table("")
		return strings.HasSuffix(got.line(2), "sequence=2 percent=41.5")
	})
}

// A line that is opened behind the table's event tells all that is not in the table.
func TestTableSaysFromWhereTheLineGoesOn(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	w.sent()
	last := func() uint64 {
		info, err := w.server.Broker.Info(t.Context())
		w.must(err)
		return info.Last
	}
	w.until("the line has come up to the stream's end", func() bool { return w.table("").Event == last() && last() > 0 })
	w.sees(ended(71, "Failed", time.Now()))
	w.sent()
	w.until("the line has come up to the stream's end", func() bool {
		table := w.table("")
		if table.Event == last() && !strings.Contains(table.line(0), "state=Failed") {
			t.Fatalf("at %d it says %s", table.Event, table.line(0))
		}
		return table.Event == last()
	})
	w.server.Cluster = func() cluster.Status { return cluster.Status{} }
	w.must(w.store.SetCursor(store.Cursor{Sequence: 1}))
	if event, err := w.server.tableEvent(); err != nil || event > 1 && w.cursor() == 1 {
		t.Errorf("what others tell was read up to 1, and the table says %d, %v", event, err)
	}
}

func (w *world) cursor() uint64 {
	c, err := w.store.Cursor()
	w.must(err)
	return c.Sequence
}

// The percent is that of the last answer, though the store keeps none.
func TestTableHasTheNewestPercent(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	further := running(71)
	*further.PercentComplete = 77
	w.sees(further)
	if percents := w.table("").Columns["percent"]; fmt.Sprint(percents) != "[77]" {
		t.Errorf("got %v", percents)
	}
	further.PercentComplete = nil
	w.sees(further)
	w.server.tables.answers = nil
	if percents := w.table("").Columns["percent"]; fmt.Sprint(percents) != "[<nil>]" {
		t.Errorf("got %v", percents)
	}
}

func TestTableIsSentOnce(t *testing.T) {
	w := newWorld(t)
	w.keeps(running(71), ended(72, "Failed", time.Now()))
	_, plain, header := w.ask(http.MethodGet, "/api/v1/table", nil) // Go asks for gzip, and unpacks it
	tag := header.Get("ETag")
	if tag == "" || !json.Valid([]byte(plain)) || header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("%v %s", header, plain)
	}
	w.server.tables.answers = nil // made anew, it is the same
	for _, match := range []string{tag, `"x", ` + tag} {
		code, body, again := w.ask(http.MethodGet, "/api/v1/table", func(r *http.Request) { r.Header.Set("If-None-Match", match) })
		if code != http.StatusNotModified || body != "" || again.Get("ETag") != tag {
			t.Errorf("%s: %d %q %v", match, code, body, again)
		}
	}
	for encoding, want := range map[string]string{"gzip": "gzip", "br, gzip;q=0.5": "gzip", "identity": "", "gzip;q=0": "", "gzip; q=0.00": "", "deflate": ""} {
		_, body, header := w.ask(http.MethodGet, "/api/v1/table", func(r *http.Request) { r.Header.Set("Accept-Encoding", encoding) })
		if got := header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: encoded as %q, want %q", encoding, got, want)
		}
		if want == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(body))
			w.must(err)
			unpacked, err := io.ReadAll(z)
			w.must(err)
			body = string(unpacked)
		}
		if cutTime(body) != cutTime(plain) {
			t.Errorf("%s: got %s, want %s", encoding, body, plain)
		}
	}
	w.keeps(running(73))
	w.until("it has another tag", func() bool {
		code, _, header := w.ask(http.MethodGet, "/api/v1/table", func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
		return code == http.StatusOK && header.Get("ETag") != tag
	})
}

func cutTime(body string) string {
	_, rest, _ := strings.Cut(body, `"event"`)
	return rest
}

// Nothing of the table is kept for nobody, and of many kinds of it a few are.
func TestTableIsDroppedWhenNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := manyJobs(t, 100)
		for n := range time.Duration(20) {
			if _, err := s.tableOf(48*time.Hour + n%10); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		kept := func() (answers, rows int) {
			s.tables.mu.Lock()
			defer s.tables.mu.Unlock()
			return len(s.tables.answers), len(s.tables.rows)
		}
		if answers, rows := kept(); answers != tablesHeld || rows != 100 {
			t.Errorf("%d answers of %d jobs are kept", answers, rows)
		}
		time.Sleep(tableIdle + time.Second)
		if answers, rows := kept(); answers != 0 || rows != 0 {
			t.Error("nobody has looked for 10 minutes, and it is kept")
		}
		if a, err := s.tableOf(48 * time.Hour); err != nil || a.jobs != 100 {
			t.Errorf("asked once more: %v, %v", a, err)
		}
		time.Sleep(tableIdle + time.Second)
	})
}

// manyJobs is a Server of a store with so many simulated jobs.
func manyJobs(t testing.TB, jobs int) *Server {
	st, err := store.Open(storeOfMany(t, t.TempDir(), jobs), event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return &Server{Config: Config{Store: st, Pollers: func() []*poller.Poller { return nil }}, live: newLive(nil)}
}

func BenchmarkTable(b *testing.B) {
	const jobs = 50_000
	heap := func() uint64 {
		runtime.GC()
		var is runtime.MemStats
		runtime.ReadMemStats(&is)
		return is.HeapAlloc
	}
	s := manyJobs(b, jobs)
	before := heap()
	began := time.Now()
	a, err := s.tableOf(tableSince)
	if err != nil || len(s.tables.rows) != jobs {
		b.Fatal(len(s.tables.rows), err)
	}
	first, held := time.Since(began), heap()-before

	for b.Loop() {
		s.tables.answers = nil
		if a, err = s.tableOf(tableSince); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(first.Milliseconds()), "ms/first")
	b.ReportMetric(float64(len(a.zipped))/1e6, "MB-zipped")
	b.ReportMetric(float64(held)/1e6, "MB-held")
	b.ReportAllocs()
}

// Since when a job is in its state, and stalled, is told by the table and by the job alike.
func TestTableSaysSinceWhen(t *testing.T) {
	w := newWorld(t)
	began := time.Now().Truncate(time.Second)
	w.sees(running(71))
	stalls := func(detail string) {
		known, err := w.store.Recall(job.ID{CommCell: "prod", Number: 71})
		w.must(err)
		seen := running(71)
		seen.CommCell = "prod"
		seen.Settle()
		at := began.Add(time.Hour)
		w.must(w.store.Commit(store.PollResult{
			Known: known, Seen: job.Observation{Snapshot: seen, Asked: at, Answered: at}, Changes: []job.Change{{Kind: job.KindWatch, Detail: detail}},
		}))
		w.server.tables.answers = nil
	}
	since := func(name string) (of *time.Time) {
		t.Helper()
		var is wholeJob
		w.getJSON("/api/v1/jobs/prod/71", &is)
		of = map[string]*time.Time{"stateSince": is.StateSince, "stalledSince": is.StalledSince}[name]
		value := w.table("").Columns[name][0]
		if of == nil || value == nil {
			if of != nil || value != nil {
				t.Errorf("%s: the table says %v, the job %v", name, value, of)
			}
			return nil
		}
		if value.(float64) != float64(of.Unix()) {
			t.Errorf("%s: the table says %v, the job %v", name, value, of)
		}
		return of
	}
	if state := since("stateSince"); state == nil || state.Before(began) || time.Since(*state) > time.Minute {
		t.Errorf("in its state since %v", state)
	}
	if stalled := since("stalledSince"); stalled != nil {
		t.Errorf("stalled since %v", stalled)
	}
	stalls(job.DetailStalled)
	if stalled := since("stalledSince"); stalled == nil || !stalled.Equal(began.Add(time.Hour)) {
		t.Errorf("stalled since %v", stalled)
	}
	if state := since("stateSince"); state == nil || state.After(time.Now()) {
		t.Errorf("in its state since %v", state)
	}
	stalls(job.DetailResumed)
	if stalled := since("stalledSince"); stalled != nil {
		t.Errorf("moved again, it is stalled since %v", stalled)
	}
}
