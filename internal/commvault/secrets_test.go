package commvault

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Every kind of error is provoked, by a server that repeats every secret it was told.
func TestNoSecretInErrorsAndLogs(t *testing.T) {
	base := base64.StdEncoding.EncodeToString([]byte(secretPassword))
	login := Config{Username: "watcher", Password: secretPassword}
	folder := t.TempDir()
	pair := Config{AccessTokenFile: inFile(t, folder+"/access", "5ec2e7-access"), RefreshTokenFile: inFile(t, folder+"/refresh", "5ec2e7-refresh")}
	for name, auth := range map[string]struct {
		config Config
		told   string // to the server
	}{
		"token":    {Config{Token: secretToken}, secretToken + " " + strings.TrimPrefix(secretToken, "QSDK ")},
		"bearer":   {Config{Token: secretToken, Scheme: "bearer"}, "Bearer " + secretToken},
		"password": {login, secretPassword + " " + base},
		"pair":     {pair, "5ec2e7-access 5ec2e7-refresh"},
		"renewed":  {pair, "5ec2e7-access 5ec2e7-refresh 5ec2e7-access2 5ec2e7-refresh2"},
		"login":    {login, secretPassword + " " + base + " " + secretToken},
	} {
		for misdeed, serve := range misdeeds(auth.told) {
			t.Run(name+" "+misdeed, func(t *testing.T) {
				switch name {
				case "pair", "renewed": // another row has renewed it
					inFile(t, pair.AccessTokenFile, "5ec2e7-access")
					inFile(t, pair.RefreshTokenFile, "5ec2e7-refresh")
				}
				switch name {
				case "login":
					serve = afterLogin(serve)
				case "renewed":
					serve = afterRenewal(serve)
				}
				said := everythingSaid(t, auth.config, serve)
				for _, secret := range []string{"5ec2e7", base} {
					if strings.Contains(said, secret) {
						t.Errorf("%s in:\n%s", secret, said)
					}
				}
			})
		}
	}
}

func misdeeds(told string) map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"error with 200": say(200, "", fmt.Sprintf(`{"errorMessage":%q}`, told)),
		"errList":        say(200, "", fmt.Sprintf(`{"error":{"errList":[{"errLogMessage":%q}]}}`, told)),
		"500":            say(500, "", fmt.Sprintf(`{"errorMessage":%q}`, told)),
		"401":            say(401, "", fmt.Sprintf(`{"errorMessage":%q}`, told)),
		"page":           say(200, "", "<title>"+told+"</title>"),
		"bad JSON":       say(200, "", `{"`+told+`":`+told),
		"redirect":       redirect("/" + strings.ReplaceAll(told, " ", "/") + "?q=" + secretPassword),
		"closed door":    func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"broken state":   say(200, "", strings.Replace(answer("", "", ""), "Running", told+"\xff", 1)),
	}
}

func afterLogin(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if isLogin(r) {
			say(200, "", fmt.Sprintf(`{"token":%q}`, secretToken))(w, r)
			return
		}
		serve(w, r)
	}
}

// afterRenewal ends a session and gives another, which the misdeed then befalls; there is no third one.
func afterRenewal(serve http.HandlerFunc) http.HandlerFunc {
	var renewed atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/Renew") && renewed.CompareAndSwap(false, true):
			say(200, "", `{"accessToken":"5ec2e7-access2","refreshToken":"5ec2e7-refresh2"}`)(w, r)
		case renewed.Load():
			serve(w, r)
		default:
			say(401, "", `{"errorMessage":"5ec2e7-access 5ec2e7-refresh"}`)(w, r)
		}
	}
}

// everythingSaid makes each call once and gives all errors, as text and in full, and the log.
func everythingSaid(t *testing.T, config Config, serve http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(serve)
	defer server.Close()
	var said bytes.Buffer
	config.URL = server.URL
	config.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	config.Observe = func(_ string, _ int, _ time.Duration, err error) { fmt.Fprintln(&said, err) }
	c := newClient(t, config)
	_, details := c.JobDetails(t.Context(), 71)
	_, summary := c.Summary(t.Context(), 71)
	_, list := c.Jobs(t.Context(), time.Hour)
	if details == nil || summary == nil {
		t.Errorf("no error: %v, %v", details, summary)
	}
	for _, err := range []error{details, summary, list} {
		fmt.Fprintln(&said, err)
		if e, ours := errors.AsType[*Error](err); ours {
			fmt.Fprintf(&said, "%#v %v\n", *e, e.Err)
		}
	}
	return said.String()
}

// A password that is a common word takes no word out of what the server says.
func TestAShortSecretGarblesNoSentence(t *testing.T) {
	for password, want := range map[string]string{
		"wrong": "The password is wrong: xyzzy", "invalid": "The password is invalid: xyzzy", "ääääääa": "The password is ääääääa: xyzzy",
		"passwort": "The password is ***: xyzzy", "äääääääa": "The password is ***: xyzzy", "QSDK password": "The *** is ***: xyzzy",
	} {
		c := newClient(t, Config{Username: "watcher", Password: password, Transport: commserve(func(*http.Request) (int, string) {
			return 200, fmt.Sprintf(`{"errList":[{"errLogMessage":"The password is %s: xyzzy"}]}`, password)
		})})
		_, err := c.JobDetails(t.Context(), 71)
		if e, ours := errors.AsType[*Error](err); !ours || e.Words != want {
			t.Errorf("%s: %v, want %s", password, err, want)
		}
	}
}

// A file that becomes unfit while the watcher runs costs no login, which would count towards the lock-out.
func TestASecretThatIsUnfitIsNotSent(t *testing.T) {
	g := &gate{valid: secretToken}
	file := inFile(t, t.TempDir()+"/password", secretPassword)
	c := newClient(t, Config{Username: "watcher", PasswordFile: file, Transport: commserve(g.serve)})
	for _, unfit := range []string{"\uFEFF" + secretPassword, secretPassword + "\x00", secretPassword + "\n" + secretPassword, secretPassword + "\n\n"} {
		inFile(t, file, unfit)
		_, err := c.JobDetails(t.Context(), 71)
		if KindOf(err) != Auth || !strings.Contains(err.Error(), "auth.password_file: "+file) || g.loggedIn() != 0 {
			t.Errorf("%q: %v, after %d logins", unfit, err, g.loggedIn())
		}
		if _, err := New(Config{CommCell: "prod", URL: "https://cs", Username: "watcher", PasswordFile: file, ReadSecret: readSecret}); err == nil || strings.Contains(err.Error(), secretPassword) {
			t.Errorf("%q: at the start: %v", unfit, err)
		}
	}
}
