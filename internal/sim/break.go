package sim

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// instead gives the answer that a fault puts in place of the right one, if it is of that sort.
func (s *Sim) instead(req *request, broken *strike) (answer, bool) {
	if broken == nil {
		return answer{}, false
	}
	switch broken.Kind {
	case ErrorFlat:
		return refused(http.StatusInternalServerError, `{"errorMessage":"The database is busy.","errorCode":2}`), true
	case ErrorNested:
		return refused(http.StatusInternalServerError, `{"error":{"errorMessage":"See the web service's log.","errorCode":500}}`), true
	case Unavailable:
		a := refused(http.StatusServiceUnavailable, `{"errorMessage":"The service restarts.","errorCode":503}`)
		a.retry = strconv.Itoa(max(1, int(broken.Delay.Seconds())))
		return a, true
	case LoginPage:
		return answer{status: http.StatusOK, content: "text/html; charset=utf-8", body: []byte(loginPage)}, true
	case ErrorDocument:
		return ok([]byte(`{"error":{"errList":[{"errorCode":587,"errLogMessage":"The request could not be processed."}]}}`)), true
	case OtherJob:
		return s.otherJob(req), true
	}
	return answer{}, false
}

const loginPage = "<!DOCTYPE html>\n<html><head><title>Command Center</title></head>" +
	"<body><form method=\"post\"><input name=\"username\"><input name=\"password\" type=\"password\"></form></body></html>\n"

// otherJob answers for the next job. Where there is none, one is made up.
func (s *Sim) otherJob(req *request) answer {
	at := s.config.Clock()
	m, found := s.jobs.another(req.id, at)
	if !found {
		m, _ = newLive(s.config, life(s.config.Seed, req.id+1).shifted(at)).moment(at)
	}
	if req.op == OpSummary {
		return ok(page([]moment{m}, 1))
	}
	return ok(m.details(nil))
}

// deliver writes an answer as a fault lets it. It is http.ErrAbortHandler when the connection has to break.
func (s *strike) deliver(w http.ResponseWriter, r *http.Request, a answer) error {
	switch {
	case s.is(Hang):
		<-r.Context().Done()
		return http.ErrAbortHandler
	case s.is(CutShort):
		return cut(w, a, s.dice, true)
	case s.is(CutChunked):
		return cut(w, a, s.dice, false)
	case s.is(Slow):
		wait(r.Context(), s.Delay)
	}
	// Asked only before: a client that has its answer may be gone a moment later.
	if r.Context().Err() != nil {
		return http.ErrAbortHandler
	}
	return write(w, a, a.body, true)
}

// cut writes the beginning of an answer, at most all but its last byte.
func cut(w http.ResponseWriter, a answer, dice uint64, sized bool) error {
	some := a.body[:dice%uint64(len(a.body))]
	if err := write(w, a, some, sized); err != nil {
		return err
	}
	return http.ErrAbortHandler
}

// write hands some of an answer's body to the network. Sized says whether Content-Length tells all of it.
func write(w http.ResponseWriter, a answer, some []byte, sized bool) error {
	h := w.Header()
	h.Set("Content-Type", a.content)
	if a.retry != "" {
		h.Set("Retry-After", a.retry)
	}
	if sized {
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	if _, err := w.Write(some); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// wait takes d, less if the client gives up.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
