package endtoend

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/cli"
	"jobwatch/internal/sim"
)

// TestRunServesHTTP starts the watcher as an administrator does, until it is ready, and reads what it shows.
func TestRunServesHTTP(t *testing.T) {
	commServe := httptest.NewServer(sim.New(sim.Config{Jobs: 3, NoRecord: true}))
	defer commServe.Close()
	site := keptAddress(t)
	config := writeHTTPConfig(t, commServe.URL, site)
	ctx, stop := context.WithCancel(t.Context())
	var said log
	ended := make(chan int)
	go func() { ended <- cli.Execute(ctx, []string{"run", "-c", config}, nil, io.Discard, &said) }()

	wanted := map[string]string{
		"/readyz":      "commcell sim",
		"/healthz":     "ok",
		"/metrics":     `jobwatch_requests_total{code="200",commcell="sim",operation="Login"} 1`,
		"/api/v1/jobs": `"commcell":"sim"`,
		"/":            "<title>jobwatch</title>",

		"/api/v1/jobs/sim/1001/answer": `"jobId":1001`,
		"/api/v1/config":               `password: (not shown)`,
		"/api/v1/build":                `"platform":"`,
	}
	for deadline := time.Now().Add(time.Minute); len(wanted) > 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		for path, want := range wanted {
			if code, body := fetch("http://" + site + path); code == http.StatusOK && strings.Contains(body, want) {
				delete(wanted, path)
			}
		}
	}
	if len(wanted) > 0 {
		t.Errorf("not shown: %q\n%s", wanted, said.String())
	}
	text, err := os.ReadFile(config)
	if err == nil {
		err = os.WriteFile(config, bytes.ReplaceAll(text, []byte("@every 1s"), []byte("@every 2s")), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for deadline, shown := time.Now().Add(time.Minute), ""; !strings.Contains(shown, "@every 2s"); time.Sleep(50 * time.Millisecond) {
		if _, shown = fetch("http://" + site + "/api/v1/config"); time.Now().After(deadline) {
			t.Fatalf("the configuration shown is not the one that was edited: %s", shown)
		}
	}
	stop()
	if status := <-ended; status != done {
		t.Errorf("ended with %d\n%s", status, said.String())
	}
}

func TestRunSaysThatThePortIsTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	config := writeHTTPConfig(t, "http://127.0.0.1:1", taken.Addr().String())
	var said bytes.Buffer
	status := cli.Execute(t.Context(), []string{"run", "-c", config}, nil, io.Discard, &said)
	want := fmt.Sprintf("http.listen %s: address already in use; stop what uses it, or set another (\"\": no HTTP)\n", taken.Addr())
	if status != failed || !strings.HasSuffix(said.String(), want) {
		t.Errorf("ended with %d and %q, want %d and %q", status, said.String(), failed, want)
	}
}

func writeHTTPConfig(t *testing.T, commServe, site string) string {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "watcher.yaml")
	text := fmt.Sprintf(`
commcells:
  - {name: sim, url: "%s/webconsole/api", auth: {username: watcher, password: watcher}, schedule: "@every 1s"}
nats: {embedded: {listen: %q, dir: %q}}
store: {path: %q}
http: {listen: %q}
`, commServe, keptAddress(t), filepath.Join(dir, "nats"), filepath.Join(dir, "watcher.db"), site)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

func fetch(url string) (int, string) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	request.Header.Set("X-Requested-With", "test")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}
