package sim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Op is one operation of the API.
type Op string

// The operations that are played. Whatever else is asked for is not found.
const (
	OpLogin      Op = "Login"
	OpLogout     Op = "Logout"
	OpJobDetails Op = "JobDetails"
	OpList       Op = "Job"      // GET Job
	OpJobs       Op = "Jobs"     // POST Jobs
	OpSummary    Op = "Job/{id}" // GET Job/1248
	OpCommServ   Op = "CommServ"
	OpNone       Op = "not found"
)

// request is what was asked, read to its end: only then does net/http notice that a client gave up.
type request struct {
	*http.Request
	op   Op
	id   int64 // the job that JobDetails or a summary is asked of, else 0
	body []byte

	commCellID int64 // as JobDetails was told, else 0
}

// answer is what goes out, unless a fault comes between.
type answer struct {
	status  int
	content string // Content-Type
	retry   string // Retry-After
	body    []byte
	told    *Served // what a whole answer of JobDetails tells, else nil
}

const jsonContent = "application/json; charset=utf-8"

func ok(body []byte) answer { return answer{status: http.StatusOK, content: jsonContent, body: body} }

func refused(status int, body string) answer {
	return answer{status: status, content: jsonContent, body: []byte(body)}
}

// ServeHTTP answers under every base path: /webconsole/api/, /SearchSvc/CVWebService.svc/, /.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := time.Now()
	req, readErr := read(r)
	s.record.count(req.op)
	broken := s.faults.next(req.op, req.id)
	reply := s.reply(req, readErr, broken)
	err := broken.deliver(w, r, reply)
	if req.op == OpJobDetails && !s.config.NoRecord {
		s.record.keep(served(req.id, asked, reply, broken, err))
	}
	if errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler) // net/http's way to break a connection off
	}
}

// maxRequest is far above any request of this API.
const maxRequest = 64 << 10

func read(r *http.Request) (*request, error) {
	req := &request{Request: r}
	req.op, req.id = route(r.Method, r.URL.Path)
	var err error
	if req.body, err = io.ReadAll(io.LimitReader(r.Body, maxRequest)); err != nil || req.op != OpJobDetails {
		return req, err
	}
	var wanted struct {
		JobID    int64 `json:"jobId"`
		CommCell struct {
			ID int64 `json:"commCellId"`
		} `json:"commcell"`
	}
	err = json.Unmarshal(req.body, &wanted)
	req.id, req.commCellID = wanted.JobID, wanted.CommCell.ID
	return req, err
}

func route(method, path string) (Op, int64) {
	before, last := "", strings.TrimSuffix(path, "/")
	if i := strings.LastIndexByte(last, '/'); i >= 0 {
		before, last = last[:i], last[i+1:]
	}
	switch op := Op(last); {
	case method == http.MethodPost && (op == OpLogin || op == OpLogout || op == OpJobDetails || op == OpJobs):
		return op, 0
	case method == http.MethodGet && (op == OpList || op == OpCommServ):
		return op, 0
	case method == http.MethodGet && strings.HasSuffix("/"+before, "/Job"):
		if id, err := strconv.ParseInt(last, 10, 64); err == nil {
			return OpSummary, id
		}
	}
	return OpNone, 0
}

// reply is the answer that belongs to a request, or what a fault puts in its place.
func (s *Sim) reply(req *request, readErr error, broken *strike) answer {
	if broken.is(TokenRevoked) {
		s.sessions.revoke(token(req.Request))
		return unauthorized
	}
	if instead, is := s.instead(req, broken); is {
		return instead
	}
	switch {
	case req.op == OpLogin:
		return s.login(req.body)
	case !s.authorized(token(req.Request)):
		return unauthorized
	case readErr != nil:
		return refused(http.StatusBadRequest, `{"errorMessage":"The request is no JSON that could be read.","errorCode":2}`)
	}
	return s.operate(req)
}

func (s *Sim) operate(req *request) answer {
	switch req.op {
	case OpLogout:
		s.sessions.revoke(token(req.Request))
		return answer{status: http.StatusOK, content: "text/plain", body: []byte("User logged out")}
	case OpJobDetails:
		return s.jobDetails(req)
	case OpList:
		return s.list(listQuery(req.Request))
	case OpJobs:
		return s.jobsPost(req.body)
	case OpSummary:
		return s.summary(req.id)
	case OpCommServ:
		return s.commServ()
	}
	return refused(http.StatusNotFound, `{"error":{"errorMessage":"There is no such operation.","errorCode":404}}`)
}

func (s *Sim) jobDetails(req *request) answer {
	m, known := s.jobs.find(req.id, s.config.Clock())
	if !known || req.commCellID != 0 && req.commCellID != s.config.CommCellID {
		return ok([]byte(unknown[uint64(req.id)%uint64(len(unknown))]))
	}
	a := ok(m.details(make([]byte, 0, 2048)))
	a.told = m.told()
	return a
}

// unknown holds what CommServes were seen to say of a job that they do not know, one for each job.
var unknown = []string{
	`{}`,
	`{"job":null}`,
	`null`,
	`{"error":{"errList":[{"errorCode":2,"errLogMessage":"No job has this id."}]}}`,
}

func (s *Sim) commServ() answer {
	return ok(append(object{
		"hostName": "commserve.example.com", "currentSPVersion": 36, "releaseName": "11.36",
		"timeZone": "UTC", "commcell": object{
			"commCellName": "commserve", "commCellId": s.config.CommCellID, "csGUID": s.config.GUID,
		},
	}.open(), '}'))
}
