package sim

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

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
