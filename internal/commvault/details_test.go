package commvault

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

const passingFailure = `{"errorMessage":"The database is busy.","errorCode":2}`

// tooOld plays a CommServe that refuses the requests for attempts as it is told to, and answers the others.
type tooOld struct {
	code int
	body string
	sent []string // of each request "attempts" or "plain"
}

func (o *tooOld) serve(r *http.Request) (int, string) {
	if strings.Contains(sent(r), "showAttempt") {
		o.sent = append(o.sent, "attempts")
		return o.code, o.body
	}
	o.sent = append(o.sent, "plain")
	return 200, answer("", "", "")
}

func TestAServerTooOldForAttempts(t *testing.T) {
	for name, row := range map[string]struct {
		format string
		code   int
		body   string
	}{
		"HTTP 400":            {"json", 400, ``},
		"HTTP 400 in XML":     {"xml", 400, `<error errorMessage="Unknown attribute showAttempt"/>`},
		"HTTP 500":            {"json", 500, `{"errorMessage":"Unknown member showAttempt","errorCode":2}`},
		"an error as a job":   {"json", 200, `{"error":{"errList":[{"errorCode":5,"errLogMessage":"Unknown member"}]}}`},
		"an error in its own": {"xml", 200, `<error errorMessage="Unknown attribute"/>`},
	} {
		var log bytes.Buffer
		old := &tooOld{code: row.code, body: row.body}
		c := newClient(t, Config{Format: row.format, Transport: commserve(old.serve), Log: slog.New(slog.NewTextHandler(&log, nil))})
		if c.AttemptsRefused() != "" {
			t.Errorf("%s: refused before it was asked: %s", name, c.AttemptsRefused())
		}
		for range 5 {
			if seen, err := c.JobDetails(t.Context(), 71); err != nil || seen.Snapshot.State != "Running" || seen.Snapshot.Attempt != nil {
				t.Errorf("%s: %+v, %v", name, seen.Snapshot, err)
			}
		}
		if got, want := fmt.Sprint(old.sent), "[attempts plain attempts plain attempts plain plain plain]"; got != want {
			t.Errorf("%s: sent %s, want %s", name, got, want)
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1 || !strings.Contains(log.String(), "showAttempt") {
			t.Errorf("%s: logged %s", name, &log)
		}
		if !strings.HasPrefix(c.AttemptsRefused(), "JobDetails of job 71") {
			t.Errorf("%s: refused with %q", name, c.AttemptsRefused())
		}
	}
}

// What says nothing of the form is not asked again without it.
func TestOtherFailuresDoNotMakeAServerTooOld(t *testing.T) {
	for name, row := range map[string]struct {
		code int
		body string
	}{
		"refused token": {401, ``}, "no right": {403, ``}, "wrong path": {404, ``}, "throttled": {429, ``}, "busy": {503, passingFailure},
		"gateway": {502, `<html><title>Bad Gateway</title></html>`}, "HTTP 500 of a gateway": {500, `<html><title>Oops</title></html>`},
		"mute HTTP 500": {500, ``}, "redirect": {302, ``}, "login page": {200, `<html><title>Log in</title></html>`},
		"unknown job": {200, `{}`}, "cut short": {200, `{"job":`}, "another job": {200, strings.Replace(answer("", "", ""), "71", "72", 1)},
	} {
		old := &tooOld{code: row.code, body: row.body}
		c := newClient(t, Config{Transport: commserve(old.serve)})
		for range 4 {
			if _, err := c.JobDetails(t.Context(), 71); err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if got, want := fmt.Sprint(old.sent), "[attempts attempts attempts attempts]"; got != want || c.AttemptsRefused() != "" {
			t.Errorf("%s: sent %s, want %s; %s", name, got, want, c.AttemptsRefused())
		}
	}
}

// A server that has once told attempts is not too old, whatever passes over it.
func TestAServerThatSentAttemptsIsNotTooOld(t *testing.T) {
	told := &tooOld{code: 200, body: answer("", "", "")}
	c := newClient(t, Config{Transport: commserve(told.serve)})
	ask := func(code int, body string) error {
		told.code, told.body, told.sent = code, body, nil
		_, err := c.JobDetails(t.Context(), 71)
		return err
	}
	if err := ask(500, passingFailure); err != nil || fmt.Sprint(told.sent) != "[attempts plain]" {
		t.Errorf("a first failure: sent %v, %v", told.sent, err)
	}
	if err := ask(200, answer("", "", "")); err != nil || c.AttemptsRefused() != "" {
		t.Errorf("an answer: %v, refused with %q", err, c.AttemptsRefused())
	}
	for range 5 {
		if err := ask(500, passingFailure); KindOf(err) != HTTP || fmt.Sprint(told.sent) != "[attempts]" {
			t.Errorf("a passing failure: sent %v, %v", told.sent, err)
		}
	}
	for range 5 { // of a job whose attempts cannot be told
		if err := ask(400, ``); err != nil || fmt.Sprint(told.sent) != "[attempts plain]" || c.AttemptsRefused() != "" {
			t.Errorf("a refusal: sent %v, %v, refused with %q", told.sent, err, c.AttemptsRefused())
		}
	}
}

// A job that is not known is not known without the form either, and a server that fails fails without it too.
func TestWhatFailsWithoutTheFormTooIsItsError(t *testing.T) {
	for body, kind := range map[string]Kind{
		`{"error":{"errList":[{"errorCode":5,"errLogMessage":"No such job"}]}}`: UnknownJob, passingFailure: NotAnAnswer,
	} {
		asked := 0
		c := newClient(t, Config{Transport: commserve(func(*http.Request) (int, string) { asked++; return 200, body })})
		for range 5 {
			if _, err := c.JobDetails(t.Context(), 71); KindOf(err) != kind {
				t.Errorf("%s: %v", body, err)
			}
		}
		if c.AttemptsRefused() != "" || asked != 10 {
			t.Errorf("%s: refused with %q after %d requests", body, c.AttemptsRefused(), asked)
		}
	}
}
