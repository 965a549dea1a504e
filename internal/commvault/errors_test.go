package commvault

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

type noConnection struct{}

func (noConnection) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("connection refused")
}

// Who is refused asks whoever gives rights, and not whoever runs networks.
func TestFailures(t *testing.T) {
	says := func(code int, body string) http.RoundTripper {
		return commserve(func(*http.Request) (int, string) { return code, body })
	}
	gone := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(gone, []byte(secretPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		config Config
		want   Failure
	}{
		"no connection":        {Config{Transport: noConnection{}}, NoAnswer},
		"a time-out":           {Config{Timeout: time.Nanosecond, Transport: says(200, `{}`)}, NoAnswer},
		"a token that is dead": {Config{Transport: says(401, ``)}, Refused},
		"no right":             {Config{Transport: says(403, ``)}, Refused},
		"a refused login": {withLogin(func(*http.Request) (int, string) {
			return 200, `{"errList":[{"errorCode":5,"errLogMessage":"Wrong."}]}`
		}), Refused},
		"a busy gateway at the login": {withLogin(func(*http.Request) (int, string) { return 503, `` }), Unusable},
		"no password":                 {Config{Username: "watcher", PasswordFile: gone, Transport: says(200, `{}`)}, NotAsked},
		"an error":                    {Config{Transport: says(500, ``)}, Unusable},
		"overloaded":                  {Config{Transport: says(503, ``)}, Unusable},
		"a web page":                  {Config{Transport: says(200, `<html>`)}, Unusable},
	} {
		c := newClient(t, row.config)
		if row.want == NotAsked {
			if err := os.Remove(gone); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // a refused login is not tried again at once
			_, err := c.JobDetails(t.Context(), 71)
			if got := FailureOf(err); got != row.want || err == nil {
				t.Errorf("%s: %v is %s, want %s", name, err, got, row.want)
			}
		}
	}
	renewedInVain := &Error{Kind: Auth, refusal: true}
	if got := FailureOf(renewedInVain); got != Refused {
		t.Errorf("who refuses what it has just renewed is %s", got)
	}
	if got := FailureOf(errors.New("another CommServe")); got != Unusable {
		t.Errorf("what is none of ours is %s", got)
	}
}
