package commvault

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Every kind of error is provoked, by a server that repeats every secret it hears.
func TestNoSecretInErrorsAndLogs(t *testing.T) {
	hidden := []string{"5ec2e7", base64.StdEncoding.EncodeToString([]byte(secretPassword))}
	everything := secretToken + " " + secretPassword + " " + hidden[1]
	for name, serve := range map[string]http.HandlerFunc{
		"words of a 200":      say(200, "", fmt.Sprintf(`{"errorMessage":%q}`, everything)),
		"words of an errList": say(200, "", fmt.Sprintf(`{"error":{"errList":[{"errLogMessage":%q}]}}`, everything)),
		"words of a 500":      say(500, "", fmt.Sprintf(`{"errorMessage":%q}`, everything)),
		"words of a 401":      say(401, "", fmt.Sprintf(`{"errorMessage":%q}`, everything)),
		"a page":              say(200, "", "<title>"+everything+"</title>"),
		"bad JSON":            say(200, "", `{"`+everything+`":`+everything),
		"a redirect":          redirect("/" + strings.ReplaceAll(everything, " ", "/") + "?q=" + secretPassword),
		"a closed door":       func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a refused login":     say(200, "", fmt.Sprintf(`{"errList":[{"errLogMessage":%q}]}`, everything)),
		"a broken state":      say(200, "", answer("", `,"state":"`+everything+"\xff\"", "")),
		"silence":             func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(serve)
			defer server.Close()
			var log bytes.Buffer
			said := ""
			note := func(_ string, _ int, _ time.Duration, err error) { said += fmt.Sprintf("%v %+v\n", err, err) }
			for _, auth := range []Config{{Token: secretToken}, {Username: "watcher", Password: secretPassword}, {Token: secretToken, Scheme: "bearer"}} {
				auth.URL, auth.Timeout, auth.Observe = server.URL, 50*time.Millisecond, note
				auth.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				said += everyCall(t, newClient(t, auth), auth.Password == "")
			}
			for _, secret := range hidden {
				if strings.Contains(said+log.String(), secret) {
					t.Errorf("%s in:\n%s%s", secret, said, log.String())
				}
			}
		})
	}
}

// everyCall gives the errors of all calls; a client whose login fails knows no token to hide.
func everyCall(t *testing.T, c *Client, _ bool) string {
	t.Helper()
	_, details := c.JobDetails(t.Context(), 71)
	_, list := c.Jobs(t.Context(), time.Hour)
	_, summary := c.Summary(t.Context(), 71)
	if details == nil || summary == nil {
		t.Errorf("no error: %v, %v", details, summary)
	}
	return fmt.Sprintf("%v\n%v\n%v\n", details, list, summary)
}
