package commvault

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func rawOf(t *testing.T, config Config, body string) (string, error) {
	t.Helper()
	config.Transport = commserve(func(r *http.Request) (int, string) {
		if isLogin(r) {
			return 200, fmt.Sprintf(`{"token":%q}`, secretToken)
		}
		return 200, body
	})
	raw, err := newClient(t, config).RawDetails(t.Context(), 71)
	if err == nil && (raw.Asked.IsZero() || raw.Answered.Before(raw.Asked)) {
		t.Errorf("asked %v, answered %v", raw.Asked, raw.Answered)
	}
	return string(raw.JSON), err
}

// What is shown is what the CommServe wrote: also the members that nothing here reads, and their order.
func TestRawDetails(t *testing.T) {
	twice := answer(`,"z":1,"a":2,"z":3`, "", `,"big":12345678901234567890.10`)
	xml := `<JobManager_JobDetailResponse><job><jobDetail><generalInfo jobId="71"/><progressInfo state="Running"/></jobDetail></job></JobManager_JobDetailResponse>`
	lineEnd := strings.Replace(twice, "Running", "Run\r\nning", 1) // no JSON, and taken for it
	for body, want := range map[string]string{
		twice: twice, "\uFEFF " + twice + "\r\n": twice, xml: quoted(t, xml),
		strings.Replace(twice, `"z":1`, `"z":"M`+"\xfcller"+`"`, 1): strings.Replace(twice, `"z":1`, `"z":"M`+"\uFFFD"+`ller"`, 1),
	} {
		if got, err := rawOf(t, Config{}, body); err != nil || got != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", body, got, err, want)
		}
	}
	if got, err := rawOf(t, Config{}, lineEnd); err == nil && !json.Valid([]byte(got)) {
		t.Errorf("%s is no JSON", got)
	}
	for body, want := range map[string]string{
		`{"errorMessage":"no such job"}`:                        "no such job",
		`<html><title>Log in</title></html>`:                    "a web page",
		strings.Replace(twice, "71", "72", 1):                   "the answer is of job 72",
		answer(`,"a":"`+strings.Repeat("x", 1<<20), "", ``):     "no JSON",
		answer(`,"a":"`+strings.Repeat("x", 1<<20)+`"`, "", ``): "over 1 MiB",
	} {
		if got, err := rawOf(t, Config{}, body); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 300 || got != "" {
			t.Errorf("%.80s:\ngot %.80s, %v; want %s", body, got, err, want)
		}
	}
	if _, err := rawOf(t, Config{}, `{"processinginstructioninfo":{}}`); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("an answer without the job: %v", err)
	}
}

func TestRawDetailsHasNoSecret(t *testing.T) {
	login := Config{Username: "watcher", Password: `5ec2e7/"pa55&word`}
	for name, row := range map[string]struct {
		config        Config
		echo, becomes string // "": nothing is shown
	}{
		"token":              {Config{Token: secretToken}, secretToken + ", " + strings.TrimPrefix(secretToken, "QSDK "), "***, ***"},
		"session":            {login, secretToken, "***"},
		"password":           {Config{Username: "watcher", Password: secretPassword}, secretPassword, "***"},
		"in escapes of JSON": {login, `5ec2e7\/\"pa55\u0026word`, ""},
		"in escapes of XML":  {login, `5ec2e7/&quot;pa55&amp;word`, ""},
		"other escapes":      {login, `C:\\users\\\u00fc &amp; \ud83d\ude00`, `C:\\users\\\u00fc &amp; \ud83d\ude00`},
	} {
		got, err := rawOf(t, row.config, answer(`,"echo":"`+row.echo+`"`, "", ""))
		switch want := answer(`,"echo":"`+row.becomes+`"`, "", ""); {
		case row.becomes == "" && (err == nil || !strings.Contains(err.Error(), "a secret of this watcher") || got != ""):
			t.Errorf("%s: got %s, %v", name, got, err)
		case row.becomes != "" && (err != nil || got != want):
			t.Errorf("%s:\ngot  %s, %v\nwant %s", name, got, err, want)
		}
	}
}

// A server too old for attempts is asked without them, once.
func TestRawDetailsAsksOnce(t *testing.T) {
	for _, accepts := range []bool{false, true} {
		old := &tooOld{code: 500, body: passingFailure}
		c := newClient(t, Config{Transport: commserve(func(r *http.Request) (int, string) {
			if accepts {
				old.sent = append(old.sent, map[bool]string{true: "attempts", false: "plain"}[strings.Contains(sent(r), "showAttempt")])
				return 200, answer("", "", "")
			}
			return old.serve(r)
		})})
		if _, err := c.JobDetails(t.Context(), 71); err != nil {
			t.Fatal(err)
		}
		old.sent = nil
		if _, err := c.RawDetails(t.Context(), 71); err != nil {
			t.Error(err)
		}
		if got, want := fmt.Sprint(old.sent), map[bool]string{true: "[attempts]", false: "[plain]"}[accepts]; got != want {
			t.Errorf("sent %s, want %s", got, want)
		}
	}
}

func quoted(t *testing.T, text string) string {
	t.Helper()
	said, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}
