package endtoend

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// herd is a CommServe with many jobs that do nothing but run on. Its answers are the sim's, of one
// job, with another number put in: so it costs little beside whoever asks.
type herd struct {
	jobs    int64 // numbered from firstOfHerd on
	details []byte
	line    []byte

	lists   atomic.Int64 // times that the Job list was read from its start
	answers atomic.Int64 // of JobDetails
}

// firstOfHerd has as many digits as the last of a herd.
const firstOfHerd = 10_000_001

func newHerd(b *testing.B, jobs int64) *herd { return newHerdAt(b, jobs, "Backup") }

// newHerdAt is a herd in a phase.
func newHerdAt(b *testing.B, jobs int64, phase string) *herd {
	play := sim.New(sim.Config{NoRecord: true})
	play.Add(sim.Job{ID: firstOfHerd, Client: "fall.example.com", Steps: []sim.Step{
		{State: "Running", Phase: phase},
		{At: 1000 * time.Hour, State: "Completed"},
	}})
	list := simAnswer(b, play, http.MethodGet, "/Job?jobCategory=Active&jobFilter=", "")
	_, line, _ := bytes.Cut(list, []byte(`"jobs":[`))
	return &herd{
		jobs: jobs, line: bytes.TrimSuffix(line, []byte("]}")),
		details: simAnswer(b, play, http.MethodPost, "/JobDetails", `{"jobId":`+firstNumber+`}`),
	}
}

var firstNumber = strconv.Itoa(firstOfHerd)

func simAnswer(b *testing.B, play http.Handler, method, path, body string) []byte {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authtoken", "QSDK sim")
	w := httptest.NewRecorder()
	play.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"jobId":`+firstNumber) {
		b.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

// ServeHTTP answers POST JobDetails and GET Job.
func (h *herd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r.Method == http.MethodGet {
		h.list(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	number := bytes.Trim(body, `{"jobId:}`)
	_, _ = w.Write(bytes.ReplaceAll(h.details, []byte(firstNumber), number))
	h.answers.Add(1)
}

func (h *herd) list(w http.ResponseWriter, r *http.Request) {
	offset, _ := strconv.ParseInt(r.Header.Get("offset"), 10, 64)
	limit, _ := strconv.ParseInt(r.Header.Get("limit"), 10, 64)
	if offset == 0 {
		h.lists.Add(1)
	}
	page := fmt.Appendf(nil, `{"totalRecordsWithoutPaging":%d,"jobs":[`, h.jobs)
	for i := offset; i < min(offset+limit, h.jobs); i++ {
		if i > offset {
			page = append(page, ',')
		}
		page = append(page, bytes.ReplaceAll(h.line, []byte(firstNumber), fmt.Append(nil, firstOfHerd+i))...)
	}
	_, _ = w.Write(append(page, "]}"...))
}
