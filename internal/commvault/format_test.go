package commvault

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/job"
)

var listLine = tree{
	{"jobId", literal("71")}, {"status", "Pending"}, {"currentPhaseName", "Backup"}, {"pendingReason", "no drive & no tape"},
	{"pendingReasonErrorCode", "19:579"}, {"totalFailedFiles", literal("3")}, {"percentComplete", "50.500000"},
	{"jobStartTime", literal("1793958318")}, {"jobType", "Backup"}, {"backupLevel", "INCREMANTAL"},
	{"subclient", tree{{"clientName", "büro"}, {"subclientName", "all"}}},
	{"clientGroups", []tree{{{"clientGroupName", "one"}}, {{"clientGroupName", "two"}}}},
}

func TestTheListSaysTheSameInBothFormats(t *testing.T) {
	want := Line{
		Number: 71, Status: "Pending", Phase: "Backup", Reason: "no drive & no tape", ReasonCode: "19:579", FailedFiles: whole(3),
		Percent: ratio(50.5), StartTime: unix(1793958318), JobType: "Backup", Client: "büro", Subclient: "all",
		ClientGroups: []job.Text{"one", "two"},
	}
	other := tree{{"jobId", literal("72")}, {"status", "Run" + broken + "ning"}}
	list := tree{{"totalRecordsWithoutPaging", literal("2")}, {"jobs", []tree{{{"jobSummary", listLine}}, {{"jobSummary", other}}}}}
	for _, body := range inBoth(list, listRoot) {
		c := newClient(t, Config{Format: "xml", Transport: commserve(func(r *http.Request) (int, string) {
			if got := r.Method + " " + r.Header.Get("Accept") + sent(r); got != "GET application/xml" {
				t.Errorf("sent %s", got)
			}
			return 200, body
		})})
		lines, err := c.Jobs(t.Context(), time.Hour)
		if err != nil || !reflect.DeepEqual(lines, []Line{want, {Number: 72}}) {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", body, lines, err, want)
		}
		if line, err := c.Summary(t.Context(), 71); err != nil || !reflect.DeepEqual(line, want) {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", body, line, err, want)
		}
		if _, err := c.Summary(t.Context(), 72); KindOf(err) != NotAnAnswer || !strings.Contains(err.Error(), "a broken byte in the status") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestListsWithoutJobs(t *testing.T) {
	for body, want := range map[string]string{
		`<JobManager_JobListResponse/>`:                                                                  "not_an_answer unknown_job",
		`<JobManager_JobListResponse totalRecordsWithoutPaging="0"/>`:                                    "0 unknown_job",
		`<JobManager_JobListResponse totalRecordsWithoutPaging="0"><jobs/></JobManager_JobListResponse>`: "0 unknown_job",
		`<JobManager_JobListResponse totalRecordsWithoutPaging="5"/>`:                                    "not_an_answer not_an_answer",
		`<JobManager_JobListResponse errorMessage="Access denied" errorCode="5"/>`:                       "not_an_answer not_an_answer",
		`<JobManager_JobDetailResponse/>`:                                                                "not_an_answer not_an_answer",
		`<JobManager_JobListResponse`:                                                                    "not_an_answer not_an_answer",
	} {
		c := newClient(t, Config{Format: "xml", Transport: commserve(func(*http.Request) (int, string) { return 200, body })})
		lines, err := c.Jobs(t.Context(), time.Hour)
		listed := fmt.Sprint(len(lines))
		if err != nil {
			listed = string(KindOf(err))
		}
		_, err = c.Summary(t.Context(), 71)
		if got := listed + " " + string(KindOf(err)); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

// serveXML is a CommServe that speaks XML, to whoever logged in at it.
func serveXML(t *testing.T, login string) commserve {
	return func(r *http.Request) (int, string) {
		if !isLogin(r) {
			if r.Header.Get("Authtoken") != "QSDK 1<2" {
				return 401, `<error errorMessage="token expired" errorCode="1"/>`
			}
			return 200, details71(`<progressInfo state="Running"/>`)
		}
		want := `<DM2ContentIndexing_CheckCredentialReq mode="Webconsole" username="J&amp;J" password="NWVjMmU3LXBhNTV3b3Jk" domain="d&#34;"></DM2ContentIndexing_CheckCredentialReq>`
		if got := sent(r); got != want || r.Header.Get("Content-Type") != "application/xml" {
			t.Errorf("sent %s\nwant %s", got, want)
		}
		return 200, login
	}
}

func TestALoginInEitherFormat(t *testing.T) {
	refused := "commcell prod: login as \"J&J\" refused: "
	for login, want := range map[string]string{
		`<DM2ContentIndexing_CheckCredentialResp userName="J&amp;J" token="QSDK 1&lt;2" isAccountLocked="0"><ownerOrganization providerId="0"/></DM2ContentIndexing_CheckCredentialResp>`: "Running",
		`{"token":"QSDK 1<2"}`: "Running",
		`<DM2ContentIndexing_CheckCredentialResp isAccountLocked="0"><errList errorCode="1" errLogMessage="Wrong password"/></DM2ContentIndexing_CheckCredentialResp>`: refused + "Wrong password",
		`<DM2ContentIndexing_CheckCredentialResp isAccountLocked="1"/>`: refused + "the account is locked",
		`<DM2ContentIndexing_CheckCredentialResp/>`:                     refused + "the answer holds no token",
		`<error errorMessage="Wrong user"/>`:                            refused + "Wrong user",
		`<DM2ContentIndexing_CheckCredentialResp token="QSDK 1`:         "Login: the answer is cut short after 53 bytes",
		`<JobManager_JobDetailResponse/>`:                               "Login: the answer is a JobManager_JobDetailResponse",
		`<html><title>Hello</title></html>`:                             "Login: a web page where an answer was expected (is url: the web service's root?): Hello",
	} {
		config := withLogin(serveXML(t, login))
		config.Format, config.Username, config.Domain = "xml", "J&J", `d"`
		seen, err := newClient(t, config).JobDetails(t.Context(), 71)
		got := string(seen.Snapshot.State)
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), " (next try")
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", login, got, want)
		}
	}
}

// A gateway, or an old release, answers in the format that it likes.
func TestTheFormatOfAnAnswerIsWhatItIs(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		for _, body := range []string{answer("", "", ""), details71(`<progressInfo state="Running"/>`)} {
			c := newClient(t, Config{Format: format, Transport: commserve(func(*http.Request) (int, string) { return 200, body })})
			if seen, err := c.JobDetails(t.Context(), 71); err != nil || seen.Snapshot.State != "Running" {
				t.Errorf("asked in %s, answered %s: %v", format, body, err)
			}
		}
	}
}

func TestRefusalsInXML(t *testing.T) {
	for body, want := range map[string]string{
		`<JobManager_JobDetailResponse><error errorMessage="See the logs" errorCode="500"/></JobManager_JobDetailResponse>`: "See the logs",
		`<error errorMessage="See the logs"/>`:                       "See the logs",
		`<Fault><errorMessage>See the logs</errorMessage></Fault>`:   "See the logs",
		`<Fault xmlns="urn:x"><Reason>See the logs</Reason></Fault>`: "See the logs",
		`<html><title>500</title></html>`:                            "500",
		`<error errorMessage="See`:                                   "Internal Server Error",
	} {
		c := newClient(t, Config{Format: "xml", Transport: commserve(func(*http.Request) (int, string) { return 500, body })})
		if _, err := c.JobDetails(t.Context(), 71); err == nil || err.Error() != "JobDetails of job 71: HTTP 500: "+want {
			t.Errorf("%s: %v", body, err)
		}
	}
}
