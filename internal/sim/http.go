package sim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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
	OpRenewLogin Op = "RenewLoginToken"
	OpRenewPair  Op = "V4/AccessToken/Renew"
	OpJobDetails Op = "JobDetails"
	OpList       Op = "Job"      // GET Job
	OpJobs       Op = "Jobs"     // POST Jobs
	OpSummary    Op = "Job/{id}" // GET Job/1248
	OpCommServ   Op = "CommServ"
	OpEvents     Op = "Events" // GET Events: the feed
	OpNone       Op = "not found"
)

// roots are the elements that an answer in XML is.
var roots = map[Op]string{
	OpLogin:      "DM2ContentIndexing_CheckCredentialResp",
	OpRenewLogin: "DM2ContentIndexing_RenewLoginTokenResp",
	OpJobDetails: "JobManager_JobDetailResponse",
	OpList:       "JobManager_JobListResponse",
	OpJobs:       "JobManager_JobListResponse",
	OpSummary:    "JobManager_JobListResponse",
	OpCommServ:   "App_GetCommServPropertiesResponse",
	OpEvents:     "EVGui_GetEventsResponse",
}

// ServeHTTP answers under every base path: /webconsole/api/, /SearchSvc/CVWebService.svc/, /.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked := time.Now()
	req, readErr := read(r)
	s.record.count(req.op)
	broken := tooCrowded
	if s.crowd.enter() {
		defer s.crowd.leave()
		broken = s.faults.next(req.op, req.id)
	}
	reply := s.reply(req, readErr, broken)
	reply.write(req)
	broken.spoil(req, &reply)
	err := broken.deliver(w, r, reply)
	if req.op == OpJobDetails && !s.config.NoRecord {
		s.record.keep(served(req.id, asked, reply, broken, err))
	}
	if s.config.Log != nil {
		s.config.Log(line(req, &reply, broken))
	}
	if errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler) // net/http's way to break a connection off
	}
}

// line says in some words what became of a request.
func line(req *request, a *answer, broken *strike) string {
	said := string(req.op)
	if req.id != 0 {
		said += " " + strconv.FormatInt(req.id, 10)
	}
	said += fmt.Sprintf(": %d, %d bytes", a.status, len(a.body))
	if broken != nil {
		said += ", " + string(broken.Kind)
	}
	return said
}

// reply is the answer that belongs to a request, or what a fault puts in its place.
func (s *Sim) reply(req *request, readErr error, broken *strike) answer {
	if broken.is(TokenRevoked) {
		s.sessions.revoke(token(req.Request))
		return unauthorized
	}
	if instead, is := broken.instead(req); is {
		return instead
	}
	switch {
	case req.op == OpLogin:
		return s.login(req.body, broken)
	case req.op == OpRenewLogin:
		return s.renewLogin(req.body)
	case req.op == OpRenewPair:
		return s.renewPair(req.body)
	case !s.authorized(token(req.Request)):
		return unauthorized
	case readErr != nil:
		return refused(http.StatusBadRequest, complaint("The request could not be read.", 2))
	}
	return s.operate(req, broken)
}

func (s *Sim) operate(req *request, broken *strike) answer {
	switch req.op {
	case OpLogout:
		s.sessions.revoke(token(req.Request))
		return plain(http.StatusOK, "text/plain", "User logged out")
	case OpJobDetails:
		return s.jobDetails(req, broken)
	case OpList:
		return s.list(listQuery(req.Request), broken)
	case OpJobs:
		return s.jobsPost(req.body, broken)
	case OpSummary:
		return s.summary(req, broken)
	case OpCommServ:
		return s.commServ()
	case OpEvents:
		return s.feed(readFeedQuery(req.Request))
	default:
		return noSuchOperation
	}
}

var noSuchOperation = refused(http.StatusNotFound, nested("There is no such operation.", 404))

func (s *Sim) jobDetails(req *request, broken *strike) answer {
	if req.showAttempt && s.config.Old {
		return tooOld[uint64(req.id)%uint64(len(tooOld))]
	}
	m, known := s.asked(req, broken)
	if !known || req.commCellID != 0 && req.commCellID != s.config.CommCellID {
		return ok(unknown[uint64(req.id)%uint64(len(unknown))])
	}
	if !req.showAttempt {
		m.tries = 0
	}
	a := ok(m.details)
	a.told = m.told()
	return a
}

// tooOld holds ways to refuse a request that asks for attempts, one for each job.
var tooOld = []answer{
	refused(http.StatusBadRequest, complaint("Unknown member showAttempt.", 2)),
	refused(http.StatusInternalServerError, nested("Unknown member showAttempt.", 500)),
	ok(listed("Unknown member showAttempt.", 5)),
}

// unknown holds what CommServes were seen to say of a job that they do not know, one for each job.
var unknown = []doc{
	func(*writer) {},
	func(w *writer) { w.null("job") },
	nil,
	listed("No job has this id.", 2),
}

func (s *Sim) commServ() answer {
	return ok(func(w *writer) {
		w.text("hostName", "commserve.example.com")
		w.number("currentSPVersion", 36)
		w.text("releaseName", "11.36")
		w.text("timeZone", "UTC")
		w.object("commcell", func() {
			w.text("commCellName", "commserve")
			w.number("commCellId", s.config.CommCellID)
			w.text("csGUID", s.config.GUID)
		})
	})
}

// request is what was asked, read to its end: only then does net/http notice that a client gave up.
type request struct {
	*http.Request
	op   Op
	id   int64 // the job that JobDetails or a summary is asked of, else 0
	body []byte
	xml  bool // the answer is to be XML

	commCellID  int64 // as JobDetails was told, else 0
	showAttempt bool
}

// maxRequest is far above any request of this API.
const maxRequest = 64 << 10

func read(r *http.Request) (*request, error) {
	req := &request{Request: r}
	req.op, req.id = route(r.Method, r.URL.Path)
	var err error
	req.body, err = io.ReadAll(io.LimitReader(r.Body, maxRequest))
	req.xml = wantsXML(r.Header.Get("Accept"), req.body)
	if err != nil || req.op != OpJobDetails {
		return req, err
	}
	return req, req.readJob()
}

// wantsXML leaves it to the request's own format where Accept names none.
func wantsXML(accept string, body []byte) bool {
	switch {
	case strings.Contains(accept, "json"):
		return false
	case strings.Contains(accept, "xml"):
		return true
	}
	return isXML(body)
}

func isXML(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// readJob reads which job JobDetails is asked of, in both formats.
func (req *request) readJob() error {
	var wanted struct {
		XMLName  xml.Name `json:"-" xml:"JobManager_JobDetailRequest"`
		JobID    int64    `json:"jobId" xml:"jobId,attr"`
		Attempts bool     `json:"showAttempt" xml:"showAttempt,attr"`
		CommCell struct {
			ID int64 `json:"commCellId" xml:"commCellId,attr"`
		} `json:"commcell" xml:"commcell"`
	}
	decode := json.Unmarshal
	if isXML(req.body) {
		decode = xml.Unmarshal
	}
	err := decode(req.body, &wanted)
	req.id, req.commCellID, req.showAttempt = wanted.JobID, wanted.CommCell.ID, wanted.Attempts
	return err
}

// basePaths are where web servers of several releases have the API.
var basePaths = []string{"/webconsole/api", "/commandcenter/api", "/SearchSvc/CVWebService.svc", "/WebServerCore", ""}

// route finds the operation under a base path. Under any other there is none, as on a real web server.
func route(method, path string) (Op, int64) {
	rest := strings.TrimSuffix(path, "/")
	for _, base := range basePaths {
		if under, is := strings.CutPrefix(rest, base+"/"); is {
			return operation(method, under)
		}
	}
	return OpNone, 0
}

var posts = []Op{OpLogin, OpLogout, OpRenewLogin, OpRenewPair, OpJobDetails, OpJobs}

func operation(method, name string) (Op, int64) {
	switch op := Op(name); {
	case method == http.MethodPost && slices.Contains(posts, op):
		return op, 0
	case method == http.MethodGet && (op == OpList || op == OpCommServ || op == OpEvents):
		return op, 0
	case method == http.MethodGet && strings.HasPrefix(name, "Job/"):
		if id, err := strconv.ParseInt(name[len("Job/"):], 10, 64); err == nil {
			return OpSummary, id
		}
	}
	return OpNone, 0
}
