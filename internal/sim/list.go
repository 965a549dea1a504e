package sim

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// wanted is what a request for a list asks for.
type wanted struct {
	active, finished bool
	within           time.Duration // how long ago a finished job may have ended
	types            func(Kind) bool
	offset, limit    int
}

const (
	defaultLimit  = 100
	defaultWithin = 365 * 24 * time.Hour
)

// listQuery reads GET Job. Without a jobFilter it is backups only, with an empty one all.
func listQuery(r *http.Request) wanted {
	q := r.URL.Query()
	return wanted{
		active:   !strings.EqualFold(q.Get("jobCategory"), "Finished"),
		finished: !strings.EqualFold(q.Get("jobCategory"), "Active"),
		within:   within(q.Get("completedJobLookupTime")),
		types:    typeFilter(q.Get("jobFilter"), q.Has("jobFilter")),
		offset:   integer(r.Header.Get("offset")),
		limit:    integer(r.Header.Get("limit")),
	}
}

func integer(text string) int {
	n, _ := strconv.Atoi(text) // what is no number is not said
	return n
}

func within(seconds string) time.Duration {
	n, err := strconv.Atoi(seconds)
	if err != nil {
		return defaultWithin
	}
	return time.Duration(n) * time.Second
}

func typeFilter(names string, given bool) func(Kind) bool {
	if given && names == "" {
		return func(Kind) bool { return true }
	}
	if !given {
		names = "Backup"
	}
	return func(k Kind) bool {
		for name := range strings.SplitSeq(names, ",") {
			if strings.EqualFold(strings.TrimSpace(name), category(k)) {
				return true
			}
		}
		return false
	}
}

// category is the name by which jobFilter means a kind. The CommServe's own backup is a backup.
func category(k Kind) string {
	switch k {
	case Restore:
		return "Restore"
	case Verification:
		return "Admin"
	default:
		return "Backup"
	}
}

// jobsPost reads POST Jobs; an empty object is a request for everything.
func (s *Sim) jobsPost(body []byte, broken *strike) answer {
	var given struct {
		Category int `json:"category"` // 0 all, 1 active, 2 finished
		Paging   struct {
			Offset int `json:"offset"`
			Limit  int `json:"limit"`
		} `json:"pagingConfig"`
		Filter struct {
			Within    *int64 `json:"completedJobLookupTime"` // seconds
			HideAdmin bool   `json:"hideAdminJobs"`
		} `json:"jobFilter"`
	}
	if err := json.Unmarshal(body, &given); err != nil {
		return refused(http.StatusBadRequest, complaint("The request is no JSON that could be read.", 2))
	}
	w := wanted{
		active: given.Category != 2, finished: given.Category != 1, within: defaultWithin,
		types:  func(k Kind) bool { return !given.Filter.HideAdmin || k != Verification },
		offset: given.Paging.Offset, limit: given.Paging.Limit,
	}
	if given.Filter.Within != nil {
		w.within = time.Duration(*given.Filter.Within) * time.Second
	}
	return s.list(w, broken)
}

// list answers with a page of the jobs as they are now, by their numbers: whoever turns the pages while
// jobs come and go sees some twice, and others not at all.
func (s *Sim) list(w wanted, broken *strike) answer {
	at := s.config.Clock()
	var found []moment
	for _, m := range s.jobs.known(at) {
		if w.has(&m, s.config.wall(at)) {
			found = append(found, m)
		}
	}
	if w.limit <= 0 {
		w.limit = defaultLimit
	}
	from := min(max(w.offset, 0), len(found))
	return ok(broken.page(found[from:min(from+w.limit, len(found))], len(found)))
}

// page is a list's page, as a fault lets it be.
func (s *strike) page(some []moment, of int) doc {
	switch {
	case s.is(ShortPage):
		some = some[:len(some)/2]
	case s.is(PageTotal):
		of = len(some)
	}
	return page(some, of)
}

func (w *wanted) has(m *moment, now time.Time) bool {
	switch {
	case !w.types(m.Kind):
		return false
	case m.done:
		return w.finished && now.Sub(m.ending()) <= w.within
	}
	return w.active
}

// summary answers GET Job/<id>; of an unknown job with a list of none.
func (s *Sim) summary(req *request, broken *strike) answer {
	m, known := s.asked(req, broken)
	if !known {
		return ok(page(nil, 0))
	}
	return ok(page([]moment{m}, 1))
}

// page is a list's answer: some jobs of how many. Without any the member jobs is missing, not empty.
func page(some []moment, of int) doc {
	return func(w *writer) {
		w.number("totalRecordsWithoutPaging", int64(of))
		if len(some) == 0 {
			return
		}
		w.list("jobs", len(some), func(i int) {
			w.object("jobSummary", func() { some[i].line(w) })
		})
	}
}

// summaryInfo is what a list says of a job that does not change.
func (l *live) summaryInfo(w *writer) {
	m := manners[l.Kind]
	w.number("jobId", l.ID)
	w.number("jobStartTime", l.config.wall(l.steps[0].At).Unix())
	w.text("jobType", m.jobType)
	w.number("opType", m.opType)
	w.text("localizedOperationName", m.operation)
	w.text("appTypeName", m.agent)
	w.number("commcellId", l.config.CommCellID)
	w.number("vsaParentJobID", l.Parent)
	w.word("isVisible", true)
	w.number("isPreemptable", 1)
	w.number("alertColorLevel", 0)
	w.number("errorType", 0)
	l.summaryLevel(w)
	l.summaryObjects(w)
}

// summaryLevel has a word that is misspelt as by Commvault.
func (l *live) summaryLevel(w *writer) {
	if l.hasClient() {
		w.text("destClientName", l.Client)
		w.text("backupSetName", "defaultBackupSet")
	}
	switch {
	case !l.isBackup():
		w.enum("backupLevel", 0, "NONE")
		return
	case l.isFull():
		w.enum("backupLevel", 1, "FULL")
	default:
		w.enum("backupLevel", 2, "INCREMANTAL")
	}
	w.text("backupLevelName", l.level())
	w.text("localizedBackupLevelName", l.level())
	w.text("subclientName", "default")
}

func (l *live) summaryObjects(w *writer) {
	l.subclient(w)
	w.object("userName", func() {
		w.number("userId", 1)
		w.text("userName", "admin")
	})
	if l.isBackup() {
		l.storagePolicy(w)
	}
	if l.hasClient() {
		w.list("clientGroups", 1, func(int) {
			w.number("_type_", 28)
			w.number("clientGroupId", 2)
			w.text("clientGroupName", "Servers")
		})
	}
}

// line is a job's jobSummary. It says status where the details say state, and numbers where they say
// texts; of reasons it has the pending one only.
func (m *moment) line(w *writer) {
	w.text("status", m.State)
	w.text("localizedStatus", m.State)
	w.text("statusColor", m.color())
	w.text("currentPhaseName", m.listedPhase())
	w.percent("percentComplete", m.listedPercent())
	w.number("lastUpdateTime", m.updated().Unix())
	w.number("jobElapsedTime", m.seconds())
	w.number("sizeOfApplication", m.doneBytes())
	w.number("totalNumOfFiles", max(0, m.fileCount()))
	w.ratio("percentSavings", m.listedSavings())
	w.number("totalFailedFolders", m.folders)
	w.number("totalFailedFiles", m.files)
	w.text("pendingReason", m.Reason)
	w.text("pendingReasonErrorCode", m.Code)
	w.number("jobSubmitErrorCode", m.submitError())
	w.word("isAged", m.neverStarted())
	if m.done {
		w.number("jobEndTime", m.ending().Unix())
	}
	w.put(m.summary)
}

func (m *moment) neverStarted() bool { return strings.EqualFold(m.State, "Failed to Start") }

func (m *moment) submitError() int64 {
	if m.neverStarted() {
		return 14
	}
	return 0
}

// listedPercent is 100 at the end, also of a job that never started.
func (m *moment) listedPercent() int {
	if m.done {
		return 100
	}
	return m.percent()
}

func (m *moment) listedPhase() string {
	if m.done {
		return ""
	}
	return m.Phase
}

func (m *moment) listedSavings() float64 {
	if !m.done || !m.isBackup() {
		return 0
	}
	return m.savings()
}

func (m *moment) color() string {
	switch {
	case !m.done:
		return "greenspan"
	case strings.HasPrefix(strings.ToLower(m.State), "failed"):
		return "redspan"
	}
	return "black"
}
