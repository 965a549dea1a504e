package commvault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/job"
)

// answer is one of job 71 with the given members in its sections.
func answer(general, progress, detail string) string {
	return fmt.Sprintf(`{"job":{"jobDetail":{"generalInfo":{"jobId":71%s},"progressInfo":{"state":"Running"%s},"detailInfo":{"":0%s}}}}`,
		general, progress, detail)
}

func decoded(t *testing.T, body string) job.Snapshot {
	t.Helper()
	s, err := decodeBody("prod", 71, []byte(body))
	if err != nil {
		t.Fatalf("%s\n%v", body, err)
	}
	return s
}

func TestIntegersAreReadAsTheyCome(t *testing.T) {
	for written, want := range map[string]string{
		`166`:                     "166",
		`"166"`:                   "166",
		`" 166 "`:                 "166",
		`"4.571424E+09"`:          "4571424000",
		`4.571424E+09`:            "4571424000",
		`"100.000000"`:            "100",
		`-28`:                     "-28",
		`288230376151711744`:      "288230376151711744",
		`"288230376151711744"`:    "288230376151711744",
		`-999`:                    "null",
		`"-999"`:                  "null",
		`"-999.0"`:                "null",
		`-9.99e2`:                 "null",
		`1e400`:                   "null",
		`99999999999999999999999`: "null",
		`"9223372036854775808"`:   "null",
		`"NaN"`:                   "null",
		`"-Inf"`:                  "null",
		`"n/a"`:                   "null",
		`""`:                      "null",
		`true`:                    "null",
		`null`:                    "null",
		`{"a":[1]}`:               "null",
		`[5]`:                     "null",
	} {
		s := decoded(t, answer(`,"priority":`+written, "", ""))
		if got := printed(s.Priority); got != want {
			t.Errorf("%s became %s, want %s", written, got, want)
		}
	}
}

func TestRatiosAreReadAsTheyCome(t *testing.T) {
	for written, want := range map[string]string{
		`"76.15"`: "76.15", `-28.3`: "-28.3", `"100.000000"`: "100", `0`: "0",
		`"-999.0"`: "null", `"NaN"`: "null", `"inf"`: "null", `{}`: "null",
	} {
		s := decoded(t, answer("", "", `,"savingsPercent":`+written))
		if got := printed(s.SavingsPercent); got != want {
			t.Errorf("%s became %s, want %s", written, got, want)
		}
	}
}

func TestTimesAreUTCAndZeroIsNone(t *testing.T) {
	for written, want := range map[string]string{
		`1636453101`: "2021-11-09 10:18:21 +0000 UTC", `"1636453101"`: "2021-11-09 10:18:21 +0000 UTC",
		`0`: "null", `"0"`: "null", `-999`: "null", `-5`: "null", `253402300800`: "null", `1e18`: "null",
	} {
		s := decoded(t, answer("", "", `,"endTime":`+written))
		if got := printed(s.EndTime); got != want {
			t.Errorf("%s became %s, want %s", written, got, want)
		}
	}
	if s := decoded(t, answer("", `,"estimatedCompletionTime":5400`, "")); s.EstimatedCompletionTime != nil {
		t.Errorf("5400 s to go became the time %v", s.EstimatedCompletionTime)
	}
}

func printed[T any](value *T) string {
	if value == nil {
		return "null"
	}
	return fmt.Sprint(*value)
}

func TestTextsAreTheServersOwn(t *testing.T) {
	for written, want := range map[string]job.Text{
		`"anna"`:           "anna",
		`" anna "`:         " anna ",
		`"   "`:            "",
		`"-999"`:           "",
		`null`:             "",
		`17`:               "",
		`{"name":"anna"}`:  "",
		`"an\u006ea\n"`:    "anna\n",
		"\"an\xffna\"":     "an\uFFFDna",
		`"an\ud800na"`:     "an\uFFFDna",
		"\"an\rna\"":       "anna",
		`"<b>x</b> & \"y"`: `<b>x</b> & "y`,
	} {
		if got := decoded(t, answer(`,"jobStartedBy":`+written, "", "")).StartedBy; got != want {
			t.Errorf("%q became %q, want %q", written, got, want)
		}
	}
}

func TestSectionsFallBack(t *testing.T) {
	for name, row := range map[string]struct {
		body string
		got  func(job.Snapshot) string
		want string
	}{
		"client of the subclient": {answer(`,"subclient":{"clientName":"a"},"destinationClient":{"clientName":"b"}`, "", ""),
			func(s job.Snapshot) string { return string(s.Client + "/" + s.DestinationClient) }, "a/b"},
		"client of the destination": {answer(`,"subclient":{"clientName":""},"destinationClient":{"clientName":"b"}`, "", ""),
			func(s job.Snapshot) string { return string(s.Client) }, "b"},
		"delay reason": {answer("", `,"reasonForJobDelay":"d","pendingReason":"p"`, ""),
			func(s job.Snapshot) string { return string(s.Reason) }, "d"},
		"pending reason": {answer("", `,"reasonForJobDelay":"","pendingReason":"p"`, ""),
			func(s job.Snapshot) string { return string(s.Reason) }, "p"},
		"failures of the end": {answer("", `,"failures":"1 Folders, 1 Files"`, `,"failures":"0 Folders, 3 Files"`),
			func(s job.Snapshot) string { return printed(s.FailedFiles) }, "3"},
		"failures under way": {answer("", `,"failures":"1 Folders, 2 Files"`, ""),
			func(s job.Snapshot) string { return printed(s.FailedFiles) }, "2"},
		"size of the end": {answer("", `,"sizeOfApplication":5`, `,"sizeOfApplication":"0"`),
			func(s job.Snapshot) string { return printed(s.SizeOfApplication) }, "0"},
		"size under way": {answer("", `,"sizeOfApplication":5`, ""),
			func(s job.Snapshot) string { return printed(s.SizeOfApplication) }, "5"},
		"start of the general part": {answer(`,"startTime":10`, "", `,"startTime":20`),
			func(s job.Snapshot) string { return fmt.Sprint(s.StartTime.Unix()) }, "10"},
		"start of the end": {answer(`,"startTime":0`, "", `,"startTime":20`),
			func(s job.Snapshot) string { return fmt.Sprint(s.StartTime.Unix()) }, "20"},
		"a section of the wrong type": {answer(`,"subclient":"none"`, "", ""),
			func(s job.Snapshot) string { return string(s.State) }, "Running"},
		"a section twice": {`{"job":{"jobDetail":{"generalInfo":{"jobId":72,"backupType":"Full"},"generalInfo":{"jobId":71}}}}`,
			func(s job.Snapshot) string { return string(s.BackupLevel) }, ""},
		"no progress is no end": {`{"job":{"jobDetail":{"generalInfo":{"jobId":71}}}}`,
			func(s job.Snapshot) string { return fmt.Sprint(s.State, s.Terminal) }, "false"},
		"an error object beside the job": {`{"error":{"errorCode":200},"job":{"jobDetail":{"generalInfo":{"jobId":"71"}}}}`,
			func(s job.Snapshot) string { return fmt.Sprint(s.Number) }, "71"},
		"a byte order mark and line ends": {"\uFEFF\r\n" + answer("", "", "") + "\r\n\r\n",
			func(s job.Snapshot) string { return string(s.State) }, "Running"},
		"@ in a text": {answer(`,"jobStartedBy":"\"@jobId\":5","@backupType":"Full"`, "", ""),
			func(s job.Snapshot) string { return string(s.StartedBy + " " + s.BackupLevel) }, `"@jobId":5 Full`},
	} {
		if got := row.got(decoded(t, row.body)); got != row.want {
			t.Errorf("%s: got %s, want %s", name, got, row.want)
		}
	}
}

func TestLongTextsAreCutAndNamed(t *testing.T) {
	long := strings.Repeat("x", 20<<10)
	body := `{"job":{"jobDetail":{"generalInfo":{"jobId":71,"jobStartedBy":"` + long + `"},"progressInfo":{"reasonForJobDelay":"` + long + `"},
		"clientStatusInfo":{"vmStatus":[{"vmName":"a","FailureReason":"` + long + `"},{"vmName":"b","FailureReason":"` + long + `"}]}}}}`
	s := decoded(t, body)
	if want := []string{"startedBy", "pendingReason", "vms"}; !slices.Equal(s.Truncated, want) {
		t.Errorf("cut: %v, want %v", s.Truncated, want)
	}
	for _, got := range []job.Text{s.StartedBy, s.Reason, s.Machines[0].Reason} {
		if len(got) > job.ReasonLimit || !strings.HasSuffix(string(got), "…") {
			t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-5:])
		}
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	whole := answer("", "", "")
	nested := strings.Repeat(`[`, 70) + strings.Repeat(`]`, 70)
	for body, want := range map[string]string{
		``:                                       "not_an_answer JobDetails of job 71: an empty answer",
		"\n \r\n":                                "not_an_answer JobDetails of job 71: an empty answer",
		`{}`:                                     "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`null`:                                   "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`{"job":null}`:                           "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`{"job":{}}`:                             "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`{"job":{"jobDetail":null}}`:             "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`{"JobManager_JobDetailResponse":null}`:  "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`{"error":{"errorCode":0}}`:              "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`{"processinginstructioninfo":{"a":[]}}`: "unknown_job JobDetails of job 71: the CommServe does not know the job",
		`{"error":{"errList":[{"errorCode":587,"errLogMessage":"No such\njob\u001b[31m"}]}}`: "unknown_job JobDetails of job 71: the CommServe does not know the job: No such job [31m",
		`{"error":{"errList":{"errorCode":587}}}`:                                            "not_an_answer JobDetails of job 71: an error instead of a job: error 587",
		`{"errorMessage":"Access denied","errorCode":5}`:                                     "not_an_answer JobDetails of job 71: an error instead of a job: Access denied",
		`{"error":{"errorMessage":"Something broke","errorCode":500}}`:                       "not_an_answer JobDetails of job 71: an error instead of a job: Something broke",
		`[]`:                       "not_an_answer JobDetails of job 71: JSON that is no object",
		`"ok"`:                     "not_an_answer JobDetails of job 71: JSON that is no object: ok",
		`{"job":[]}`:               "not_an_answer JobDetails of job 71: a job that is no object",
		`{"job":{"jobDetail":{}}}`: "not_an_answer JobDetails of job 71: the answer names no job id",
		`{"job":{"jobDetail":{"generalInfo":{"jobId":0}}}}`: "not_an_answer JobDetails of job 71: the answer names no job id",
		strings.Replace(whole, "71", "72", 1):               "not_an_answer JobDetails of job 71: the answer is of job 72",
		whole[:len(whole)-1]:                                "not_an_answer JobDetails of job 71: the answer is cut short after 104 bytes",
		whole + "}":                                         "not_an_answer JobDetails of job 71: no JSON from byte 105 on",
		whole + whole:                                       "not_an_answer JobDetails of job 71: no JSON from byte 105 on",
		`{"a":NaN}`:                                         "not_an_answer JobDetails of job 71: no JSON from byte 5 on",
		`{"a":` + nested + `}`:                              "not_an_answer JobDetails of job 71: JSON nested deeper than 64",
		"<!DOCTYPE html><HTML><head><title>Sign &amp; in\n</title>": "not_an_answer JobDetails of job 71: a web page where an answer was expected (is url: the web service's root?): Sign & in",
		"\uFEFF <x/>": "not_an_answer JobDetails of job 71: a web page where an answer was expected (is url: the web service's root?)",
		strings.Replace(whole, "Running", "Run\xffning", 1):                                                      `not_an_answer JobDetails of job 71: a broken byte in the state: Run�ning`,
		strings.Replace(whole, "Running", `Run\udc00ning`, 1):                                                    `not_an_answer JobDetails of job 71: a broken byte in the state: Run�ning`,
		answer("", ",\"currentPhase\":\"B\xc3\"", ""):                                                            `not_an_answer JobDetails of job 71: a broken byte in the phase: B�`,
		`{"job":{"jobDetail":{"clientStatusInfo":{"vmStatus":[` + strings.Repeat("{},", maxElements) + `{}]}}}}`: "not_an_answer JobDetails of job 71: a list of more than 65536 elements",
	} {
		s, err := decodeBody("prod", 71, []byte(body))
		if err == nil {
			t.Errorf("%.200s: an observation: %v", body, s.State)
			continue
		}
		if got := string(KindOf(err)) + " " + err.Error(); got != want {
			t.Errorf("%.200s:\n got %s\nwant %s", body, got, want)
		}
		if unknown := strings.HasPrefix(want, "unknown"); errors.Is(err, ErrUnknownJob) != unknown {
			t.Errorf("%.200s: ErrUnknownJob: %v", body, !unknown)
		}
	}
}

func TestBracketsInTextsDoNotNest(t *testing.T) {
	s := decoded(t, answer(`,"jobStartedBy":"`+strings.Repeat(`\"[{\\`, 100)+`"`, "", ""))
	if len(s.StartedBy) != 400 {
		t.Errorf("%d bytes, want 400", len(s.StartedBy))
	}
}

// A gateway, or the CommServe itself, may have replaced the byte before it was sent.
func TestAByteThatWasReplacedBeforeIsBrokenToo(t *testing.T) {
	_, err := decodeBody("prod", 71, []byte(strings.Replace(answer("", "", ""), "Running", "Run\uFFFDning", 1)))
	if KindOf(err) != NotAnAnswer || !strings.Contains(err.Error(), "a broken byte in the state") {
		t.Errorf("%v", err)
	}
}

func FuzzJobDetails(f *testing.F) {
	for _, file := range []string{"running-backup", "finished-restore", "finished-machines", "old-envelope", "pending", "failed"} {
		f.Add(readFile(f, "testdata/"+file+".json"))
	}
	for _, body := range []string{"null", "{}", `{"error":{"errList":[{"errorCode":5}]}}`, "<title>x", `{"jobs":[{"jobSummary":{"jobId":1}}]}`,
		details71(`<progressInfo state="R&#117;n"><a>b<![CDATA[c]]></a></progressInfo>`), `<generalInfo jobId="1"><vmStatus GUID='a>'/>`,
		`<error><errList errLogMessage="a"/></error>`, `<JobManager_JobListResponse><jobs><jobSummary jobId="1"/></jobs></JobManager_JobListResponse>`,
		`{"token":"QSDK 1","errList":[]}`, `{"a":[[[[`, "\uFEFF{\"job\":{\"jobDetail\":{\"generalInfo\":{\"jobId\":1E0}}}}"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = decodeList(body)
		_, _ = decodeSummary(1, body)
		_, _ = decodeLogin(body)
		s, err := decodeBody("prod", 0, body)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") || len(err.Error()) > 2000 {
				t.Errorf("an error of more than a line: %q", err)
			}
			return
		}
		wellFormed(t, s)
		if _, err := decodeBody("prod", s.Number+1, body); KindOf(err) != NotAnAnswer {
			t.Errorf("job %d taken for its neighbour: %v", s.Number, err)
		}
	})
}
