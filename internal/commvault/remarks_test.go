package commvault

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

const itsWords = "The database cannot be reached"

// complaints are members that tell an error, in all the ways that clients were seen to expect, and in others.
var complaints = map[string]tree{
	"errorMessage":    {{"errorMessage", itsWords}, {"errorCode", literal("2")}},
	"errLogMessage":   {{"errorCode", literal("2")}, {"errLogMessage", itsWords}},
	"errorString":     {{"errorString", itsWords}, {"errorCode", literal("5")}},
	"without a code":  {{"errorMessage", itsWords}},
	"a code as text":  {{"errorMessage", itsWords}, {"errorCode", "5"}},
	"a negative code": {{"errorMessage", itsWords}, {"errorCode", literal("-1")}},
	"ASP.NET":         {{"Message", itsWords}},
	"ASP.NET, at length": {{"Message", "An error has occurred."}, {"ExceptionMessage", itsWords},
		{"ExceptionType", "System.Exception"}, {"StackTrace", ""}},
	"Spring": {{"timestamp", "2026-11-29T10:00:00Z"}, {"status", literal("503")}, {"error", itsWords}, {"message", ""}, {"path", "/JobDetails"}},
	"Spring, older": {{"timestamp", literal("1790000000000")}, {"status", literal("500")}, {"error", "Internal Server Error"},
		{"exception", "java.sql.SQLException"}, {"message", itsWords}, {"path", "/JobDetails"}},
	"a gateway":      {{"error", literal("true")}, {"statusCode", literal("401")}, {"message", itsWords}},
	"a problem":      {{"type", "about:blank"}, {"title", "Service Unavailable"}, {"status", literal("503")}, {"detail", itsWords}},
	"OAuth":          {{"error", "invalid_token"}, {"error_description", itsWords}},
	"SOAP":           {{"faultcode", "Server"}, {"faultstring", itsWords}},
	"a reason":       {{"success", literal("false")}, {"reason", itsWords}},
	"a warning":      {{"warningCode", literal("7")}, {"warningMessage", itsWords}},
	"JSend":          {{"status", "error"}, {"msg", itsWords}},
	"error, in text": {{"error", itsWords}},
}

// places wrap an error as deep as answers do, and deeper.
var places = map[string]func(tree) tree{
	"alone":      func(t tree) tree { return t },
	"error":      func(t tree) tree { return tree{{"error", t}} },
	"errors":     func(t tree) tree { return tree{{"errors", []tree{t}}} },
	"errList":    func(t tree) tree { return tree{{"errList", []tree{t}}} },
	"error list": func(t tree) tree { return tree{{"error", tree{{"errList", []tree{t}}}}} },
	"a status":   func(t tree) tree { return tree{{"errors", []tree{{{"status", t}}}}} },
	"response":   func(t tree) tree { return tree{{"response", t}} },
	"responses":  func(t tree) tree { return tree{{"response", []tree{t}}} },
	"a success, and an error": func(t tree) tree {
		return tree{{"errorCode", literal("0")}, {"response", []tree{{{"errorString", "Successful"}, {"errorCode", literal("0")}}, t}}}
	},
	"a job":     func(t tree) tree { return tree{{"job", t}} },
	"a wrapper": func(t tree) tree { return tree{{detailsRoot, t}} },
	"deep":      func(t tree) tree { return tree{{"a", tree{{"b", []tree{{{"c", tree{{"d", tree{{"e", t}}}}}}}}}}} },
	"processing": func(t tree) tree {
		return append(tree{{"processinginstructioninfo", tree{{"attributes", []tree{}}}}}, t...)
	},
	"empty lists": func(t tree) tree { return append(tree{{"errList", []tree{}}, {"data", ""}}, t...) },
}

// reads are the ways to read an answer that have something else to say where it says nothing.
var reads = map[string]struct {
	root string
	read func([]byte) error
}{
	"JobDetails": {detailsRoot, func(body []byte) error { _, err := decodeDetails("prod", 71, body); return err }},
	"Summary":    {listRoot, func(body []byte) error { _, err := decodeSummary(71, body); return err }},
	"Jobs":       {listRoot, func(body []byte) error { _, err := decodeList(body); return err }},
	"Events":     {"EVGui_GetEventsResponse", func(body []byte) error { _, err := decodeFeed(body); return err }},
	"CommServ":   {commServRoot, func(body []byte) error { _, err := decodeIdentity(body); return err }},
}

// In whatever shape an error comes, in either format, it is an error with its own words.
func TestAnErrorInAnyShapeIsAnError(t *testing.T) {
	for shape, complaint := range complaints {
		for place, wrap := range places {
			sent := wrap(complaint)
			for operation, op := range reads {
				for _, body := range append(inBoth(sent, op.root), "["+sent.inJSON()+"]") {
					err := op.read([]byte(body))
					if e, ours := errors.AsType[*Error](err); !ours || e.Kind != NotAnAnswer || !strings.Contains(e.Words, itsWords) {
						t.Errorf("%s, %s, %s: %s\n%v", operation, shape, place, body, err)
					}
				}
			}
			for _, body := range append(inBoth(sent, detailsRoot), sent.inXML("Other"), "["+sent.inJSON()+"]") {
				if words, isPage := complaintIn([]byte(body)); !strings.Contains(words, itsWords) || isPage {
					t.Errorf("%s, %s: %s: %q, a page: %v", shape, place, body, words, isPage)
				}
				if _, err := decodeBody("prod", 0, []byte(body)); KindOf(err) != NotAnAnswer || !strings.Contains(err.Error(), itsWords) {
					t.Errorf("%s, %s: %s: %v", shape, place, body, err)
				}
			}
		}
	}
}

// A list that says that it is empty, and an error beside: the error counts.
func TestAnErrorBesideAnEmptyListIsAnError(t *testing.T) {
	for shape, complaint := range complaints {
		sent := append(tree{{"totalRecordsWithoutPaging", literal("0")}}, complaint...)
		for _, body := range inBoth(sent, listRoot) {
			for _, operation := range []string{"Jobs", "Summary"} {
				if err := reads[operation].read([]byte(body)); KindOf(err) != NotAnAnswer || !strings.Contains(err.Error(), itsWords) {
					t.Errorf("%s, %s: %s: %v", operation, shape, body, err)
				}
			}
		}
	}
}

func TestTheWordsOfAnError(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":true,"statusCode":401,"message":"Unauthorized"}`: "an error instead of a job: Unauthorized",
		`{"error":"true"}`:          "an error instead of a job",
		`{"error":true}`:            "an error instead of a job",
		`{"success":false}`:         "an error instead of a job",
		`{"isSuccess":"False"}`:     "an error instead of a job",
		`{"errorCode":5}`:           "an error instead of a job: error 5",
		`{"error":5}`:               "an error instead of a job: error 5",
		`{"status":503}`:            "an error instead of a job: error 503",
		`{"errors":["One.","Two"]}`: "an error instead of a job: One. Two",
		`{"errors":["One","One"]}`:  "an error instead of a job: One",
		`{"errorMessage":"Outer","errList":[{"errLogMessage":"Inner"}]}`:                   "an error instead of a job: Inner; Outer",
		`{"errorCode":5,"entity":{"name":"one"}}`:                                          "an error instead of a job: error 5; one",
		`{"error":{"errorMessage":"","errorCode":9},"message":" "}`:                        "an error instead of a job: error 9",
		`{"error":{"why":"Denied"}}`:                                                       "an error instead of a job: Denied",
		`{"fault":{"faultstring":"Spike arrest","detail":{"errorcode":"policies.limit"}}}`: "an error instead of a job: policies.limit; Spike arrest",
		`{"errorCode":0,"status":500,"message":"Denied"}`:                                  "an error instead of a job: Denied",
		`{"errorCode":0,"success":false,"message":"Denied"}`:                               "an error instead of a job: Denied",
		`{"status":"Busy"}`:       "an answer that is neither a job nor a known error: Busy",
		`{"anything":["Denied"]}`: "an answer that is neither a job nor a known error: Denied",
		`{"anything":7}`:          "an answer that is neither a job nor a known error",
		`{"anything":true}`:       "an answer that is neither a job nor a known error",
		`{"totalRecords":5}`:      "an answer that is neither a job nor a known error",
		`{"error":{"errorCode":0,"errorMessage":"All is well"}}`:                         "an answer that is neither a job nor a known error: All is well",
		`{"response":[{"errorString":"Successful","errorCode":0}]}`:                      "an answer that is neither a job nor a known error: Successful",
		`{"token":"QSDK 3a7f","userName":"anna","more":"QSDK 3a7f","sessionId":"12-34"}`: "an answer that is neither a job nor a known error: anna",
		`{"job":"Denied"}`: "a job that is no object: Denied",
		`{"job":{"jobDetail":{}},"errorMessage":"Denied"}`:                         "the answer names no job id: Denied",
		`{"jobs":[{"jobSummary":{"jobId":71,"pendingReason":"No drive"}}]}`:        "a Job list, and no answer to JobDetails",
		`{"jobs":[{"jobSummary":{"jobId":71}}],"error":{"errorMessage":"Denied"}}`: "a Job list, and no answer to JobDetails: Denied",
		`"Denied"`:                     "JSON that is no object: Denied",
		`[{"errorMessage":"Denied"}]`:  "JSON that is no object: Denied",
		"The service is\r\nnot there.": "no JSON from byte 0 on: The service is not there.",
		`Denied {"errorMessage":1}`:    "no JSON from byte 0 on",
		`<JobManager_JobDetailResponse><error errorCode="5">Denied</error></JobManager_JobDetailResponse>`: "an error instead of a job: Denied",
		`<JobManager_JobDetailResponse>Denied<job/></JobManager_JobDetailResponse>`:                        "an error instead of a job: Denied",
		`<error>Denied</error>`: "an error instead of a job: Denied",
		`<string xmlns="http://schemas.microsoft.com/2003/10/Serialization/">Denied</string>`:                                 "an error instead of an answer: Denied",
		`<Fault xmlns="urn:x"><Code><Value>Receiver</Value></Code><Reason><Text xml:lang="en">Denied</Text></Reason></Fault>`: "an error instead of an answer: Denied",
		`<Error><Message>Denied</Message></Error>`:                                                                            "an error instead of an answer: Denied",
	} {
		_, err := decodeBody("prod", 71, []byte(body))
		if KindOf(err) != NotAnAnswer || err.Error() != "JobDetails of job 71: "+want {
			t.Errorf("%s:\n got %v\nwant %s", body, err, want)
		}
	}
}

// What nobody lists, neither the shape nor the names, reads the same in both formats.
func TestWhatIsNotUnderstoodIsAnError(t *testing.T) {
	for _, sent := range []tree{
		{{"anything", "Denied"}}, {{"anything", tree{{"more", tree{{"still", "Denied"}}}}}}, {{"anything", []tree{{{"a", "Denied"}}, {{"a", "Denied"}}}}},
		{{"status", "Denied"}}, {{"result", "Denied"}, {"token", "QSDK 5ec2e7"}}, {{"error", tree{{"errorCode", "0"}, {"errorMessage", "Denied"}}}},
	} {
		for _, operation := range []string{"JobDetails", "Summary", "Jobs", "Events"} {
			op := reads[operation]
			for _, body := range inBoth(sent, op.root) {
				if e, ours := errors.AsType[*Error](op.read([]byte(body))); !ours || e.Kind != NotAnAnswer || e.Words != "Denied" ||
					!strings.Contains(e.Error(), "is neither") {
					t.Errorf("%s: %s: %v", operation, body, e)
				}
			}
		}
	}
}

// Nothing but what says nothing, or in known words that there is no such job, tells that a job is unknown.
func TestWhatTellsThatAJobIsUnknown(t *testing.T) {
	for _, sent := range []tree{
		{}, {{"job", tree{}}}, {{"jobs", []tree{}}},
		{{"processinginstructioninfo", tree{{"attributes", []tree{{{"name", "exitval"}, {"value", "0"}}}}}}},
		{{"error", tree{{"errorMessage", ""}, {"errorCode", literal("0")}}}},
		{{"error", tree{{"errorCode", literal("200")}}}}, {{"error", literal("false")}}, {{"errList", []tree{}}}, {{"errors", []tree{}}},
		{{"error", tree{{"errList", []tree{{{"errorCode", literal("2")}, {"errLogMessage", "Job [71] does not exist."}}}}}}},
		{{"errList", []tree{{{"errorCode", literal("2")}, {"errLogMessage", "Job [71] does not exist."}}}}},
		{{"errors", []tree{{{"errList", []tree{{{"errLogMessage", "No such job"}, {"errorCode", literal("2")}}}}}}}},
	} {
		for _, operation := range []string{"JobDetails", "Summary"} {
			op := reads[operation]
			for _, body := range inBoth(sent, op.root) {
				if err := op.read([]byte(body)); !errors.Is(err, ErrUnknownJob) {
					t.Errorf("%s: %s: %v", operation, body, err)
				}
			}
		}
	}
}

func TestTheWordsThatRefuseAJob(t *testing.T) {
	for words, want := range map[string]bool{
		"Job [71] does not exist.": true, "Job 71 not found": true, "Job 71 was not found.": true, "No such job": true, "No job has this id.": true,
		"Invalid job id": true, "Invalid Job Id [71].": true, "Unknown job 71": true, "The job id is not valid.": true, "JobId 71 doesn't exist": true,
		"The job could not be found.": true, "Cannot find job 71": true, "Could not find job 71": true, "Unable to find the job": true,
		"There is no job with the given id.": true, "Job with id 71 no longer exists": true, "Failed to get the details: job 71 is unknown": true,
		"Job details not found": true, "NO SUCH JOB.": true,

		"Database is not reachable": false, "Access denied": false, "User lacks the right to see job 71.": false, "The job manager is not found": false,
		"Job manager service is not valid": false, "Unknown error while getting the job": false, "Invalid session for job 71": false,
		"Could not find the database of job 71": false, "Unable to find the job manager": false, "No job controller is available": false,
		"The request for job 71 could not be processed.": false, "Job 71 is not allowed to be seen": false, "Auftrag 71 nicht gefunden": false, "": false,
	} {
		body := fmt.Sprintf(`{"error":{"errList":[{"errorCode":5,"errLogMessage":%q}]}}`, words)
		_, err := decodeBody("prod", 71, []byte(body))
		if got := errors.Is(err, ErrUnknownJob); got != want || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: unknown: %v, want %v; %v", words, got, want, err)
		}
	}
	for _, body := range []string{
		`{"errorMessage":"No such job","errorCode":5}`, `{"message":"Job not found"}`,
		`{"errList":[{"errLogMessage":"No such job"},{"errLogMessage":"Database is not reachable"}]}`,
		`{"errList":[{"errLogMessage":"No such job"}],"message":"Database is not reachable"}`,
	} {
		if _, err := decodeBody("prod", 71, []byte(body)); KindOf(err) != NotAnAnswer {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// Whatever a server says, and however much, an error is a line, and no more memory is taken than a few texts.
func TestRemarksAreBounded(t *testing.T) {
	var many []string
	for i := range 20_000 {
		many = append(many, fmt.Sprintf(`{"errorMessage":"%d %s"}`, i, strings.Repeat("x", 500)))
	}
	var large []string
	for i := range 20 {
		large = append(large, fmt.Sprintf(`{"errorMessage":"%d %s"}`, i, strings.Repeat("x", maxRemarksBytes/2)))
	}
	for name, body := range map[string]string{
		"many":            `{"errors":[` + strings.Join(many, ",") + `]}`,
		"some, and large": `{"errors":[` + strings.Join(large, ",") + `]}`,
		"long":            `{"errorMessage":"` + strings.Repeat("ä", 4<<20) + `"}`,
		"deep":            `{"a":` + strings.Repeat(`[`, 60) + `"Denied"` + strings.Repeat(`]`, 60) + `}`,
	} {
		r := remarksIn([]byte(body))
		if n := len(r.words) + len(r.others); n == 0 || n > 2*maxRemarks || len(r.all()) > 2*maxRemarksBytes {
			t.Errorf("%s: %d texts, %d bytes", name, n, len(r.all()))
		}
		if _, err := decodeBody("prod", 71, []byte(body)); KindOf(err) != NotAnAnswer || len([]rune(err.Error())) > 2*wordsLimit {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

// Also where the status says already that it is an error, its words are told.
func TestAnErrorInAnyShapeOnAnyStatus(t *testing.T) {
	for shape, complaint := range complaints {
		for _, code := range []int{200, 201, 400, 403, 404, 429, 450, 500, 502, 503} {
			for _, body := range inBoth(complaint, detailsRoot) {
				c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) { return code, body })})
				_, details := c.JobDetails(t.Context(), 71)
				_, list := c.Jobs(t.Context(), time.Hour)
				for _, err := range []error{details, list} {
					if err == nil || errors.Is(err, ErrUnknownJob) || !strings.Contains(err.Error(), itsWords) {
						t.Errorf("%s, HTTP %d: %s: %v", shape, code, body, err)
					}
				}
			}
		}
	}
}
