package endtoend

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestNoSecretOfTheSourceShows: CommServes send back what they got, in each way of being asked, and NATS and the page have
// secrets of their own. None of them is in the log, on the page, in a command, or in a file but its own: not in the store,
// the stream or a bucket.
func TestNoSecretOfTheSourceShows(t *testing.T) {
	slow.Test(t, "10 s", "a CommCell is unreachable after a whole tick, and refused logins wait")
	t.Parallel()
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
	w := newWorld(t, 15, play)
	p := &plants{world: w, secrets: map[string]string{}}
	mirror := httptest.NewServer(p.commServe())
	t.Cleanup(mirror.Close)
	site, broker := keptAddress(t), keptAddress(t)
	secret := func(name string) string { return w.keep("secret-"+name, p.plant(name)+"\n") }
	cell := func(name, auth string) string {
		return fmt.Sprintf("  - {name: %s, url: %s/%s, schedule: '@every 1s', jobs: [71], auth: {%s}}\n", name, mirror.URL, name, auth)
	}
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	own, _, _ := strings.Cut(string(text), "nats:")
	httpToken := p.plant("http token")
	w.keep("watcher.yaml", own+
		cell("token", "token: ${CV_TOKEN}")+cell("file", "scheme: bearer, token_file: "+secret("token file"))+
		cell("password", "username: me, password: ${CV_PASSWORD}")+cell("wrong", "username: me, password_file: "+secret("password file"))+
		cell("pair", "access_token_file: "+secret("access")+", refresh_token_file: "+secret("refresh"))+
		fmt.Sprintf("nats: {embedded: {listen: %q, dir: nats-of-the-watcher}, user: me, password_file: %s}\n", broker, secret("nats"))+
		fmt.Sprintf("http: {listen: %q, token_file: %s}\nstore: {path: watcher.db}\nlog: {level: debug}\n", site, w.keep("secret-http", httpToken)))
	w.start("CV_TOKEN="+p.plant("token"), "CV_PASSWORD="+p.plant("password"))

	shown := func(path string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+site+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.SetBasicAuth("", httpToken)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(body)
	}
	status := func() string { _, text := shown("/api/v1/status"); return text }
	w.until("all of them are away, and the job of the honest one is told", func() bool {
		text := status()
		return strings.Count(text, `"up":false`) == 5 && strings.Count(text, `"up":true`) == 1
	}, status)
	for _, path := range []string{"/metrics", "/api/v1/status", "/readyz", "/", "/api/v1/jobs", "/api/v1/config", "/api/v1/build"} {
		code, text := shown(path)
		if code == 0 || code == http.StatusUnauthorized {
			t.Errorf("%s: %d %s", path, code, text)
		}
		p.notIn(path, text)
	}
	for _, words := range []string{"debug dump", "jobs list", "store stat", "check", "check -o json"} {
		said := typed(t, append(strings.Fields(words), "-c", w.config)...)
		p.notIn(words, said.Out+said.Errs)
	}
	w.kill()
	p.notIn("the log", w.said.String())
	if n := strings.Count(w.said.String(), "***"); n < 3 {
		t.Errorf("what was sent back was hidden %d times in\n%s", n, w.said.String())
	}
	p.notInFiles()
}

// commServe takes each login, each renewal, and no token; all that it got it sends back.
func (p *plants) commServe() http.Handler {
	session, access, refresh := p.plant("session"), p.plant("new access"), p.plant("new refresh")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		switch of, operation, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); {
		case operation == "Login" && of == "password":
			fmt.Fprintf(w, `{"token": "QSDK %s"}`, session)
		case strings.HasSuffix(operation, "AccessToken/Renew"):
			fmt.Fprintf(w, `{"accessToken": %q, "refreshToken": %q}`, access, refresh)
		default:
			code := http.StatusUnauthorized
			if operation == "Job" {
				code = http.StatusInternalServerError
			}
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"errorMessage": %q}`, fmt.Sprint(r.Header, string(body)))
		}
	})
}

// notInFiles looks for the secrets in all files but their own.
func (p *plants) notInFiles() {
	p.t.Helper()
	stores := 0
	err := filepath.WalkDir(p.dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), "secret-") {
			if info.Mode().Perm() != 0o600 {
				p.t.Errorf("%s: its mode is %v", name, info.Mode())
			}
			return nil
		}
		data, err := os.ReadFile(name)
		p.notIn(name, string(data))
		if strings.HasSuffix(name, ".db") || strings.HasSuffix(name, ".blk") {
			stores++
		}
		return err
	})
	if err != nil || stores < 2 {
		p.t.Errorf("%d files of store and stream: %v", stores, err)
	}
}
