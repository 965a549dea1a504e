package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/web/page"
)

// scene is the API behind the page as a play: what a real watcher comes to in hours, and at once. Whether a watcher's
// own API is so, the tests with a world see.
type scene struct {
	*testing.T
	url    string
	server *httptest.Server

	mu      sync.Mutex // guards the rest
	rows    []sceneRow
	machine map[string][]job.VM
	status  map[string]any
	told    []map[string]any
	lines   map[chan string]bool
	opened  int // lines, ever
	tables  int // that were asked for
	answers map[string]any
	asked   []string // of the events told before
	config  Configuration

	lineWaits chan struct{} // nil, or a line says nothing until it is closed
	tableSent func()        // nil, or called when a table is made, before it is sent
}

type sceneRow struct {
	job.Snapshot
	since, stalled time.Time
	still          time.Time // since when it makes no progress
	failedVMs      string
	sequence       int // of its last event
}

func newScene(t *testing.T, rows ...sceneRow) *scene {
	s := &scene{T: t, rows: rows, machine: map[string][]job.VM{}, lines: map[chan string]bool{}, answers: map[string]any{},
		config: Configuration{"/etc/jobwatch/watcher.yaml", time.Now(), "commcells:\n- name: prod\n  auth:\n    token: (not shown)\n"}, status: map[string]any{
			"version": "test", "ready": true, "checks": []check{{"store", ok, ""}, {"nats", ok, ""}}, "unsent": 0, "relays": []Relay{}, "members": []any{},
			"outbox": map[string]any{"unsent": 0, "oldest": nil, "stopped": 0, "refusal": "", "refusals": []any{}}, "store": map[string]any{"bytes": 48 << 20, "free": 31_000_000_000},
			"nats": map[string]any{"server": "nats-1.example.com:4222", "version": "2.12.1", "since": time.Now().Add(-9 * time.Hour), "reconnects": 2, "roundTripMillis": 0.83}, "started": time.Now().Add(-30 * time.Hour),
			"readers": []any{map[string]any{"name": "mail", "filter": "jobs.*.*.*.failure.>", "pending": 14, "ackPending": 2, "paused": false, "kind": "relay", "delivered": 0, "ackFloor": 0, "begins": nil, "beginsAt": time.Now().Add(-72 * time.Hour)}, map[string]any{"name": "siem", "filter": "jobs.>", "pending": 0, "ackPending": 0, "paused": false, "kind": "other", "delivered": 1000, "ackFloor": 1000, "begins": 1, "beginsAt": nil}},
		}}
	s.answersFor("prod", true, 0)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/table", s.table)
	mux.HandleFunc("GET /api/v1/live", s.live)
	mux.HandleFunc("GET /api/v1/status", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, s.statusNow()) })
	mux.HandleFunc("GET /api/v1/told", s.back)
	mux.HandleFunc("GET /api/v1/jobs/{commcell}/{id}", s.job)
	mux.HandleFunc("GET /api/v1/jobs/{commcell}/{id}/events", s.events)
	mux.HandleFunc("GET /api/v1/jobs/{commcell}/{id}/answer", s.answer)
	mux.HandleFunc("GET /api/v1/config", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, _ = fmt.Fprint(w, s.text(s.config))
	})
	mux.HandleFunc("GET /api/v1/build", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, s.text(build{Version: "test", Commit: "0123456789abcdef", Time: new(time.Now()), Modified: true, Go: "go1.26", Platform: "linux/amd64", Modules: []module{{"example.com/one", "v1.2.3"}}}))
	})
	for _, path := range []string{"/readyz", "/metrics", "/api/v1/jobs"} {
		mux.HandleFunc("GET "+path, func(http.ResponseWriter, *http.Request) {})
	}
	mux.Handle("GET /", page.Handler())
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header(), r.URL.Path)
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.server.CloseClientConnections()
		s.server.Close()
	})
	s.url = s.server.URL + "/"
	return s
}

// answersFor has a CommCell answer, or none of the last cycles got an answer.
func (s *scene) answersFor(name string, up bool, silent int) {
	ring, delays := [][4]int64{}, [][4]int64{}
	for i := range 120 {
		answered := int64(40)
		if i >= 120-silent {
			answered = 0
		}
		if i%3 == 0 {
			delays = append(delays, [4]int64{time.Now().Unix() - int64(120-i)*30, 12_000 + int64(i%5)*900, 29_000, 4})
		}
		ring = append(ring, [4]int64{time.Now().Unix() - int64(120-i)*30, 400 + int64(i%7)*90, 40, answered})
	}
	cell := map[string]any{
		"name": name, "owner": nil, "up": up, "since": time.Now().Add(-4 * time.Hour), "answered": time.Now().Add(-2 * time.Second), "tracked": map[string]int{"active": 2, "queued": 1},
		"nextTick": time.Now().Add(20 * time.Second), "tickSeconds": 0.9, "ticks": 4000, "ticksSkipped": 0, "requestLimit": 8, "ring": ring, "schedule": "@every 30s", "unfinished": 3,
		"limits": limits{AtOnce: 6, Ceiling: 8, Rate: 2.25, Wanted: 5}, "quota": quota{Limit: 1000, Period: 3600, Spent: 417}, "requests": map[string]int{"200": 160_000, "429": 3, "timeout": 12},
		"delay": delay{12.5, 29, 1000}, "delays": delays,
	}
	if !up {
		cell["reason"], cell["failure"] = "connection refused", "no_answer"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cells, _ := s.status["commcells"].([]map[string]any)
	cells = slices.DeleteFunc(slices.Clone(cells), func(c map[string]any) bool { return c["name"] == name })
	s.status["commcells"] = append(cells, cell)
}

// goesSilent has some of a CommCell's last 120 cycles get no answer.
func (s *scene) goesSilent(name string, from, to int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cell := range s.status["commcells"].([]map[string]any) {
		for i := from; cell["name"] == name && i < to; i++ {
			cell["ring"].([][4]int64)[i][3] = 0
		}
	}
}

func (s *scene) text(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		s.Error(err)
	}
	return string(text)
}

func (s *scene) statusNow() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := counts{len(s.rows), map[string]int{}}
	for _, class := range classes {
		all.Classes[class] = 0
	}
	ended, stalled := map[string]int{}, 0
	for _, r := range s.rows {
		all.Classes[string(r.StateClass)]++
		if r.Terminal {
			ended[string(r.StateClass)]++
		} else if !r.stalled.IsZero() {
			stalled++
		}
	}
	s.status["stream"] = map[string]any{"name": "JOBS", "messages": len(s.told), "bytes": 9 << 20, "first": 1, "last": len(s.told), "maxAge": 2_592_000}
	s.status["jobs"], s.status["jobs24h"], s.status["stalled"], s.status["time"] = all, ended, stalled, time.Now()
	return s.text(s.status)
}

func (s *scene) table(w http.ResponseWriter, _ *http.Request) {
	text := s.tableNow()
	if s.tableSent != nil {
		s.tableSent()
	}
	_, _ = fmt.Fprint(w, text)
}

func (s *scene) tableNow() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables++
	words, places := []string{""}, map[string]int{"": 0}
	text := func(t string) int {
		if _, known := places[t]; !known {
			places[t] = len(words)
			words = append(words, t)
		}
		return places[t]
	}
	columns := map[string][]any{}
	var number, start int64 // of the row above
	for _, r := range s.rows {
		after := func(at *time.Time, than int64) any { // as the table tells times
			if at == nil || at.IsZero() {
				return nil
			}
			return at.Unix() - than
		}
		begun, own := after(r.StartTime, start), int64(0)
		if begun != nil {
			start = r.StartTime.Unix()
			own = start
		}
		terminal := 0
		if r.Terminal {
			terminal = 1
		}
		for name, value := range map[string]any{
			"commcell": text(r.CommCell), "id": r.Number - number, "state": text(string(r.State)), "class": text(string(r.StateClass)), "terminal": terminal, "phase": text(string(r.Phase)),
			"client": text(string(r.Client)), "agent": text(string(r.Agent)), "backupset": text(string(r.Backupset)), "subclient": text(string(r.Subclient)), "policy": text(string(r.StoragePolicy)),
			"mediaAgent": text(string(r.MediaAgent)), "operation": text(string(r.Operation)), "level": text(string(r.BackupLevel)), "startedBy": text(string(r.StartedBy)), "reason": text(string(r.Reason)),
			"code": text(string(r.ReasonCode)), "failures": text(string(r.Failures)), "failedVms": text(r.failedVMs), "start": begun, "end": after(r.EndTime, own),
			"stateSince": after(&r.since, own), "stalledSince": after(&r.stalled, own), "percent": r.PercentComplete, "size": r.SizeOfApplication, "vmsFailed": nil, "vmsTotal": nil, "sequence": r.sequence, "noProgressSince": after(&r.still, own),
		} {
			if v := r.VMs; v != nil && name == "vmsFailed" {
				value = v.Failed
			} else if v != nil && name == "vmsTotal" {
				value = v.Total
			}
			columns[name] = append(columns[name], value)
		}
		number = r.Number
	}
	return s.text(map[string]any{"time": time.Now(), "event": len(s.told), "count": len(s.rows), "texts": words, "columns": columns})
}

func (s *scene) live(w http.ResponseWriter, r *http.Request) {
	line := make(chan string, 1000)
	s.mu.Lock()
	s.opened++
	s.lines[line] = true
	if from, err := strconv.Atoi(r.URL.Query().Get("from")); err == nil {
		for i := max(from, 1); i <= len(s.told); i++ {
			line <- s.message(i)
		}
	}
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.lines, line)
		s.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	if s.lineWaits != nil {
		select {
		case <-s.lineWaits:
		case <-r.Context().Done():
		}
	}
	for tick := time.NewTicker(time.Second); ; {
		_, _ = fmt.Fprintf(w, "event: status\ndata: %s\n\n", s.statusNow())
		w.(http.Flusher).Flush()
		select {
		case text := <-line:
			_, _ = fmt.Fprint(w, text)
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}

// tells sends an event, after which the job is as in it. One with a sequence of its own waited until now: the job is as
// it is.
func (s *scene) tells(r sceneRow, change map[string]any, severity string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Settle()
	i := slices.IndexFunc(s.rows, func(old sceneRow) bool { return old.JobID() == r.JobID() })
	switch {
	case r.sequence > 0:
	case i < 0:
		r.sequence = 1
		s.rows = append(s.rows, r)
	default:
		r.sequence = s.rows[i].sequence + 1
		s.rows[i] = r
	}
	at, given := change["observedAt"].(time.Time)
	if !given {
		at = time.Now()
		change["observedAt"] = at
	}
	event := map[string]any{"id": fmt.Sprint("e", len(s.told)), "time": at, "sequence": fmt.Sprintf("%020d", r.sequence), "data": map[string]any{"change": change, "severity": severity, "job": r.Snapshot}}
	s.told = append(s.told, event)
	for line := range s.lines {
		line <- s.message(len(s.told))
	}
}

func (s *scene) message(sequence int) string {
	return fmt.Sprintf("event: event\nid: %d\ndata: %s\n\n", sequence, s.text(s.told[sequence-1]))
}

func (s *scene) job(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, row := range s.rows {
		if name := row.JobID().String(); name == r.PathValue("commcell")+"/"+r.PathValue("id") {
			var shown map[string]any
			if err := json.Unmarshal([]byte(s.text(row.Snapshot)), &shown); err != nil {
				s.Error(err)
			}
			shown["machines"], shown["snapshotAt"], shown["stateSince"], shown["tracked"] = s.machine[name], row.since, row.since, "discovered"
			if !row.stalled.IsZero() {
				shown["stalledSince"] = row.stalled
			}
			_, _ = fmt.Fprint(w, s.text(shown))
			return
		}
	}
	refuse(w, http.StatusNotFound, "is not known here")
}

func (s *scene) events(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := []map[string]any{}
	for i, event := range s.told {
		data := event["data"].(map[string]any)
		of := data["job"].(job.Snapshot)
		change := data["change"].(map[string]any)
		if of.JobID().String() == r.PathValue("commcell")+"/"+r.PathValue("id") {
			found = append(found, map[string]any{"sequence": i + 1, "subject": fmt.Sprintf("jobs.%s.%d.%s.%s.%s", of.CommCell, of.Number, strings.ReplaceAll(string(of.Client), ".", "%2E"), change["kind"], change["detail"]), "event": event})
		}
	}
	_, _ = fmt.Fprint(w, s.text(map[string]any{"events": found, "more": false}))
}

// back has 100 events a page, and takes note of what else was asked for.
func (s *scene) back(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	before, err := strconv.Atoi(query.Get("before"))
	if err != nil || before > len(s.told)+1 {
		before = len(s.told) + 1
	}
	query.Del("before")
	s.asked = append(s.asked, query.Encode())
	page := map[string]any{"events": []any{}, "first": 1, "next": nil}
	for before--; before > 0 && len(page["events"].([]any)) < 100; before-- {
		page["events"] = append(page["events"].([]any), map[string]any{"sequence": before, "subject": fmt.Sprint("jobs.told.", before), "event": s.told[before-1]})
	}
	if before > 0 {
		page["next"] = before + 1
	}
	_, _ = fmt.Fprint(w, s.text(page))
}

func (s *scene) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Header.Get("X-Requested-With") == "" {
		refuse(w, http.StatusForbidden, "it may be another site's page")
		return
	}
	if answer, known := s.answers[r.PathValue("commcell")+"/"+r.PathValue("id")]; known {
		_, _ = fmt.Fprint(w, s.text(map[string]any{"askedAt": time.Now(), "answeredAt": time.Now(), "answer": answer}))
		return
	}
	refuse(w, http.StatusConflict, "another member polls it")
}

// count gives how many lines are open, how many ever were, and how often the table was asked for.
func (s *scene) count() (open, opened, tables int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines), s.opened, s.tables
}

// of is a job of the scene, that has been in its state for a while.
func of(number int64, state, client string, since time.Duration, edits ...func(*sceneRow)) sceneRow {
	at := time.Now().Add(-since)
	r := sceneRow{since: at, Snapshot: job.Snapshot{
		CommCell: "prod", Number: number, State: job.Text(state), Client: job.Text(client), Agent: "Windows File System", Subclient: "default", Operation: "Backup", BackupLevel: "Incremental",
		StoragePolicy: "daily-to-disk", MediaAgent: "ma-01", StartedBy: "admin", StartTime: new(at.Add(-10 * time.Minute).Truncate(time.Second)),
	}}
	r.Settle()
	if r.Terminal {
		r.EndTime = &at
	} else if r.StateClass == "active" {
		r.Phase, r.PercentComplete = "Backup", new(float64(number%90))
	}
	for _, edit := range edits {
		edit(&r)
	}
	r.Settle()
	return r
}
