package sim

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
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
