package sim

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// instead gives the answer that a fault puts in place of the right one, if it is of that sort.
func (s *strike) instead(req *request) (answer, bool) {
	if s == nil {
		return answer{}, false
	}
	switch s.Kind {
	case ErrorFlat:
		return refused(s.Code, complaint("The database is busy.", 2)), true
	case ErrorNested:
		return refused(s.Code, nested("See the web service's log.", int64(s.Code))), true
	case ErrorPage:
		return plain(s.Code, htmlContent, gatewayPage(s.Code)), true
	case Unavailable, TooMany:
		return s.later(), true
	case LoginPage:
		return plain(http.StatusOK, htmlContent, loginPage), true
	case ErrorDocument:
		return ok(listed("The request could not be processed.", 587)), true
	case ErrorForeign:
		return refused(s.Code, foreign[s.dice%uint64(len(foreign))]), true
	case AccessDenied:
		return refused(s.Code, complaint("Access denied", 5)), true
	case Empty:
		return plain(http.StatusOK, jsonContent, ""), true
	case EmptyObject:
		return ok(func(*writer) {}), true
	case Null:
		return ok(nil), true
	case Doctype:
		return plain(http.StatusOK, xmlContent, entityBomb), true
	case Redirect:
		return s.elsewhere(req), true
	default:
		return answer{}, false
	}
}

// later asks the client to come again.
func (s *strike) later() answer {
	a := refused(s.Code, complaint("The service is busy.", int64(s.Code)))
	if s.Delay > 0 {
		a.header = map[string]string{"Retry-After": strconv.Itoa(max(1, int(s.Delay.Seconds())))}
	}
	return a
}

// elsewhere redirects, as newer releases do from webconsole to commandcenter.
func (s *strike) elsewhere(req *request) answer {
	to := s.Location
	if to == "" {
		to = "/commandcenter/api/" + path.Base(req.URL.Path)
		if req.op == OpSummary {
			to = "/commandcenter/api/Job/" + path.Base(req.URL.Path)
		}
	}
	a := plain(s.Code, htmlContent, gatewayPage(s.Code))
	a.header = map[string]string{"Location": to}
	return a
}

const htmlContent = "text/html; charset=utf-8"

const loginPage = "<!DOCTYPE html>\n<html><head><title>Command Center</title></head>" +
	"<body><form method=\"post\"><input name=\"username\"><input name=\"password\" type=\"password\"></form></body></html>\n"

func gatewayPage(code int) string {
	title := strconv.Itoa(code) + " " + http.StatusText(code)
	return "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n</body>\r\n</html>\r\n"
}

// asked is the job that a request is about, as a fault lets it be seen.
func (s *Sim) asked(req *request, broken *strike) (moment, bool) {
	at := s.config.Clock()
	switch {
	case broken.is(UnknownJob):
		return moment{}, false
	case broken.is(OtherJob):
		return s.otherJob(req.id, at), true
	case broken.is(Stale):
		return s.jobs.stale(req.id, at, time.Duration(float64(broken.Delay)*s.config.Speed))
	}
	m, known := s.jobs.find(req.id, at)
	switch {
	case !known, m.Mute && req.op == OpJobDetails && broken.is(BrokenState): // there is no state to break
	case broken.is(BrokenReason), broken.is(BrokenState):
		m.breakText(broken.Kind)
	}
	return m, known
}

// otherJob is the next job. Where there is none, one is made up.
func (s *Sim) otherJob(id int64, at time.Duration) moment {
	m, found := s.jobs.another(id, at)
	if !found {
		m, _ = newLive(s.config, life(s.config, id+1).shifted(at)).moment(at)
	}
	return m
}

// latin1 is the byte of a u umlaut, which is no UTF-8.
const latin1 = "\xfc"

func (m *moment) breakText(kind FaultKind) {
	step := *m.step
	m.step = &step
	if kind == BrokenState {
		step.State = step.State[:len(step.State)/2] + latin1 + step.State[len(step.State)/2:]
		return
	}
	if step.Reason == "" {
		step.Reason = "Warten auf Medien f" + latin1 + "r den Auftrag"
		return
	}
	step.Reason += " " + latin1
}

// deliver writes an answer as a fault lets it. It is http.ErrAbortHandler when the connection has to break.
func (s *strike) deliver(w http.ResponseWriter, r *http.Request, a answer) error {
	switch {
	case s.is(Hang):
		<-r.Context().Done()
		return http.ErrAbortHandler
	case s.is(CutShort):
		return a.cut(w, s.dice, true)
	case s.is(CutChunked):
		return a.cut(w, s.dice, false)
	case s.is(Slow):
		wait(r.Context(), s.Delay)
	}
	// Asked only before: a client that has its answer may be gone a moment later.
	if r.Context().Err() != nil {
		return http.ErrAbortHandler
	}
	return a.send(w, a.body, true)
}

// cut writes the beginning of an answer, at most all but its last byte.
func (a *answer) cut(w http.ResponseWriter, dice uint64, sized bool) error {
	some := a.body[:dice%uint64(max(1, len(a.body)))]
	if err := a.send(w, some, sized); err != nil {
		return err
	}
	return http.ErrAbortHandler
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

const (
	bombSize  = 17 << 20 // above the 16 MiB that a careful client reads
	bombDepth = 10_000
)

// spaces follow a document without harm to it: only a limit can refuse them.
var spaces = sync.OnceValue(func() []byte { return bytes.Repeat([]byte(" "), bombSize) })

// packedSpaces are the same as a member of a gzip file of several.
var packedSpaces = sync.OnceValue(func() []byte { return pack(spaces()) })

func pack(plain []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(plain) // a Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

// spoil makes of a whole document what a fault wants of it.
func (s *strike) spoil(req *request, a *answer) {
	if s == nil {
		return
	}
	switch s.Kind {
	case CutDocument:
		a.body = a.body[:s.dice%uint64(max(1, len(a.body)))]
	case Huge:
		a.body = append(a.body, spaces()...)
	case GzipBomb:
		a.body = append(pack(a.body), packedSpaces()...)
		a.header = map[string]string{"Content-Encoding": "gzip"}
	case Deep:
		a.body = deep(a.body, req.xml)
	default: // the others spoil something else
	}
}

// deep nests far down in one more member of the document.
func deep(body []byte, isXML bool) []byte {
	if isXML {
		nest := strings.Repeat("<a>", bombDepth) + strings.Repeat("</a>", bombDepth)
		return fmt.Appendf(nil, "%s<deep>%s%s</deep>", xmlProlog, bytes.TrimPrefix(body, []byte(xmlProlog)), nest)
	}
	nest := strings.Repeat("[", bombDepth) + strings.Repeat("]", bombDepth)
	if !bytes.HasSuffix(body, []byte("}")) || len(body) < 3 {
		return []byte(nest)
	}
	return fmt.Appendf(nil, `%s,"deep":%s}`, body[:len(body)-1], nest)
}

// entityBomb would grow to some gigabytes in a parser that follows its entities.
var entityBomb = func() string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n<!DOCTYPE bomb [\n<!ENTITY a0 \"aaaaaaaaaa\">\n")
	for i := range 9 {
		fmt.Fprintf(&b, "<!ENTITY a%d \"%s\">\n", i+1, strings.Repeat(fmt.Sprintf("&a%d;", i), 10))
	}
	b.WriteString("]>\n<JobManager_JobDetailResponse><job><jobDetail><progressInfo state=\"&a9;\"/></jobDetail></job></JobManager_JobDetailResponse>\n")
	return b.String()
}()
