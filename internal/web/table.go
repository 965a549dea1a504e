package web

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/store"
)

const (
	tableSince   = 24 * time.Hour
	tablesHeld   = 4                // answers kept, each for another since
	tableIdle    = 10 * time.Minute // that nobody has asked for it: all is dropped
	zipLevel     = 5                // 7% smaller than the fastest one, for 30 ms more of 50,000 jobs
	progressWait = 15 * time.Second // percents may be so old: nothing else shows that they have changed
)

// table holds the jobs as the page's table shows them, while somebody looks. 50,000 jobs take some 20 MB.
type table struct {
	mu      sync.Mutex
	rows    map[job.ID]*tableRow // of the last answer that was made; guarded by mu, as the rest is
	answers map[time.Duration]*tableAnswer
	idle    *time.Timer
}

// tableAnswer is the answer to one since.
type tableAnswer struct {
	version, jobs int // of the store then
	event         uint64
	made          time.Time
	tag           string
	zipped        []byte
}

// showTable answers with all unfinished jobs and those that ended within ?since=, in columns.
func (s *Server) showTable(w http.ResponseWriter, r *http.Request) {
	since, err := length(r.URL.Query(), "since", tableSince)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	a, err := s.tableOf(since)
	if err != nil {
		s.broken(w, err)
		return
	}
	s.storeFault.isNews("")
	h := w.Header()
	h.Set("ETag", a.tag)
	h.Set("Content-Type", "application/json; charset=utf-8")
	if slices.Contains(strings.Split(strings.ReplaceAll(r.Header.Get("If-None-Match"), " ", ""), ","), a.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if acceptsGzip(r) {
		h.Set("Content-Encoding", "gzip")
		_, _ = w.Write(a.zipped)
		return
	}
	if plain, err := gzip.NewReader(bytes.NewReader(a.zipped)); err == nil { // it is our own
		_, _ = io.Copy(w, plain)
	}
}

// acceptsGzip reads Accept-Encoding. Who does not name gzip gets none.
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.ReplaceAll(coding, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.TrimRight(q, "0") != "q=" && strings.TrimRight(q, "0") != "q=0."
		}
	}
	return false
}

// tableOf gives the answer held, where it still holds, or is younger than making one for so many jobs allows.
func (s *Server) tableOf(since time.Duration) (*tableAnswer, error) {
	t := &s.tables
	t.mu.Lock()
	defer t.mu.Unlock()
	t.used()
	held := t.answers[since]
	if held != nil && time.Since(held.made) < time.Duration(held.jobs)*outlineWait {
		return held, nil
	}
	event, err := s.tableEvent() // before the jobs are read: what is told meanwhile may come once more
	if err != nil {
		return nil, err
	}
	version := s.Store.Version()
	if held != nil && held.version == version && held.event == event && time.Since(held.made) < progressWait {
		return held, nil
	}
	a := &tableAnswer{version: version, event: event, made: time.Now()}
	rows, err := t.read(s.Store, since, a)
	if err != nil {
		return nil, err
	}
	a.write(rows, s.percents())
	t.keep(since, a)
	return a, nil
}

// tableEvent is the sequence up to which all events of the stream are in the store. A member of a cluster has what others
// tell from the stream, some time after they told it.
func (s *Server) tableEvent() (uint64, error) {
	event := s.live.last()
	if s.Cluster == nil {
		return event, nil
	}
	read, err := s.Store.Cursor()
	if read.Sequence == store.Invalidated {
		return 0, err
	}
	return min(event, read.Sequence), err
}

// read gives the rows in their order. Only what has changed since the last time is parsed.
func (t *table) read(st *store.Store, since time.Duration, a *tableAnswer) ([]*tableRow, error) {
	cutoff := a.made.Add(-since).UnixNano()
	rows, held := make([]*tableRow, 0, len(t.rows)), make(map[job.ID]*tableRow, len(t.rows))
	err := st.Walk(func(r store.Entry) error {
		a.jobs++
		if r.Terminal && r.End < cutoff {
			return nil
		}
		row := t.rows[r.ID]
		if row == nil || row.mark != r.Mark() {
			var err error
			if row, err = newTableRow(r); err != nil {
				return fmt.Errorf("job %s: %w", r.ID, err)
			}
		}
		rows, held[row.id] = append(rows, row), row
		return nil
	})
	if err == nil {
		t.rows = held
	}
	return rows, err
}

func (a *tableAnswer) write(rows []*tableRow, percent func(*tableRow) float64) {
	var out bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&out, zipLevel) // a level that there is
	w := tableWriter{zip: zip, sum: new(maphash.Hash)}
	w.sum.SetSeed(tagSeed)
	_, _ = fmt.Fprintf(zip, `{"time":%q,`, a.made.UTC().Format(time.RFC3339Nano))
	w.buffer = fmt.Appendf(w.buffer, `"event":%d,"count":%d,`, a.event, len(rows))
	w.rows(rows, percent)
	w.buffer = append(w.buffer, '}', '\n')
	w.flush(0)
	_ = zip.Close()
	a.zipped, a.tag = bytes.Clone(out.Bytes()), fmt.Sprintf(`"%016x"`, w.sum.Sum64())
}

// tagSeed makes the tags those of this process: no other may take one for its own.
var tagSeed = maphash.MakeSeed()

// percents gives the newest that is known of each job.
func (s *Server) percents() func(*tableRow) float64 {
	pollers := map[string]*poller.Poller{}
	for _, p := range s.Pollers() {
		pollers[p.CommCell] = p
	}
	return func(r *tableRow) float64 {
		p := pollers[r.id.CommCell]
		if r.terminal || p == nil {
			return r.percent
		}
		now, known := p.Progress(r.id.Number)
		switch {
		case !known:
			return r.percent
		case now.Percent == nil:
			return math.NaN()
		}
		return *now.Percent
	}
}

// keep keeps an answer, in place of the oldest where there are many.
func (t *table) keep(since time.Duration, a *tableAnswer) {
	if t.answers == nil {
		t.answers = map[time.Duration]*tableAnswer{}
	}
	t.answers[since] = a
	for len(t.answers) > tablesHeld {
		oldest := since
		for other, of := range t.answers {
			if of.made.Before(t.answers[oldest].made) {
				oldest = other
			}
		}
		delete(t.answers, oldest)
	}
}

// used puts off that all is dropped.
func (t *table) used() {
	if t.idle != nil && t.idle.Stop() {
		t.idle.Reset(tableIdle)
		return
	}
	t.idle = time.AfterFunc(tableIdle, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.rows, t.answers, t.idle = nil, nil, nil
	})
}
