package prometheus

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// mayBeEmpty are metrics that a watcher alone, of a CommServe without TLS and quota, does not show.
var mayBeEmpty = map[string]string{
	"jobwatch_quota_limit":                     "no CommServe here names a quota",
	"jobwatch_tls_not_after_timestamp_seconds": "the simulator serves without TLS",
	"jobwatch_cluster_members":                 "it is no member of a cluster",
	"jobwatch_cluster_unowned_commcells":       "it is no member of a cluster",
}

// mayFire are alerts with a cause here: a CommCell that does not answer, jobs that fail in a second, and the machine's own load
// and disk.
var mayFire = []string{"CommCellSilent", "JobsFail", "TicksSkipped", "StoreDiskFull"}

// TestARunningWatcherAnswersAll has a watcher run with two CommCells, of which one does not answer, and a relay, and asks
// all that rules and dashboard ask of what it shows. An empty answer is a panel without a line, and an alert that never fires.
func TestARunningWatcherAnswersAll(t *testing.T) {
	w := runWatcher(t)
	scraped := memory{}
	now := time.Now()
	w.scrape(t, scraped, now.Add(-time.Minute)) // so that rates have two samples; it is some seconds old
	w.untilEnded(t, 20)
	w.scrape(t, scraped, now)
	ask := func(of, expr string) {
		empty := len(scraped.ask(t, expr, now)) == 0
		why := ""
		for name, reason := range mayBeEmpty {
			if strings.Contains(expr, name) {
				why = reason
			}
		}
		if empty && why == "" {
			t.Errorf("%s: nothing answers %s", of, expr)
		}
		if !empty && why != "" {
			t.Errorf("%s: %s may be empty (%s), and is not", of, expr, why)
		}
	}
	for _, expr := range drawn() {
		ask("dashboard", expr)
	}
	for _, r := range rules(t) {
		parsed, err := language.ParseExpr(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
			if series, is := node.(*parser.VectorSelector); is { // a silent alert is empty, what it looks at is not
				ask(r.Alert, series.String())
			}
			return nil
		})
		if alarming := scraped.ask(t, r.Expr, now); len(alarming) > 0 && !slices.Contains(mayFire, r.Alert) {
			t.Errorf("%s would fire: %v", r.Alert, alarming)
		}
	}
}

// watcher is one that runs, and what it runs against.
type watcher struct{ metrics string }

func runWatcher(t *testing.T) *watcher {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "watcher")
	build := exec.CommandContext(t.Context(), "go", "build", "-race", "-o", program, "./cmd/watcher") // with what its tests have compiled
	build.Dir, build.Env = "../..", append(os.Environ(), "GOFLAGS=-buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	commServe := startSim(t, program)
	listen := freeAddress(t)
	configuration := fmt.Sprintf(`
commcells:
  - {name: prod, url: %q, auth: {username: watcher, password: watcher}, schedule: "@every 1s", feed_every: 1s}
  - {name: dr, url: "http://127.0.0.1:1/", auth: {username: watcher, password: watcher}, schedule: "@every 1s"}
nats: {embedded: {listen: "127.0.0.1:0"}}
http: {listen: %q}
relays:
  - {name: ops, webhook: {url: %q, allow_http: true, allow: [127.0.0.0/8]}}
`, commServe, listen, receiver.URL)
	if err := os.WriteFile(filepath.Join(dir, "watcher.yaml"), []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	said := start(t, program, dir, "run")
	w := &watcher{"http://" + listen + "/metrics"}
	w.until(t, "it has told of ends, of delays and to the relay", said, func(has map[string]float64) bool {
		return has["jobwatch_jobs_ended_total"] > 0 && has["jobwatch_relay_delivered_total"] > 0 && has["jobwatch_detection_delay_seconds_count"] > 0 &&
			has["jobwatch_stream_messages"] > 0 && has["jobwatch_consumer_pending there"] > 0 && has["jobwatch_commcell_up there"] == 2
	})
	return w
}

// startSim starts a simulated CommServe, and gives its address.
func startSim(t *testing.T, program string) string {
	t.Helper()
	said := start(t, program, t.TempDir(), "sim", "--listen", "127.0.0.1:0", "--speed", "30", "--arrivals", "0.2")
	address := regexp.MustCompile(`url: (\S+)`)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if found := address.FindStringSubmatch(said.String()); found != nil {
			return found[1]
		}
	}
	t.Fatalf("the simulator does not say where it is: %s", said)
	return ""
}

// start starts the program, and has it end with the test.
func start(t *testing.T, program, dir string, words ...string) *output {
	t.Helper()
	said := &output{}
	run := exec.CommandContext(context.WithoutCancel(t.Context()), program, words...)
	run.Dir, run.Stdout, run.Stderr = dir, said, said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGTERM)
		end := time.AfterFunc(20*time.Second, func() { _ = run.Process.Kill() })
		defer end.Stop()
		_ = run.Wait()
	})
	return said
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// until waits until the sums of the metrics, and how many series each has ("NAME there"), are as wanted.
func (w *watcher) until(t *testing.T, what string, said *output, holds func(map[string]float64) bool) {
	t.Helper()
	var has map[string]float64
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		has = map[string]float64{}
		for of, value := range w.read(t) {
			name := of.Get(labels.MetricName)
			has[name] += value
			has[name+" there"]++
		}
		if holds(has) {
			return
		}
	}
	t.Fatalf("waited in vain until %s: %v\n%.2000s", what, has, said)
}

// untilEnded waits until so many more jobs have ended.
func (w *watcher) untilEnded(t *testing.T, more float64) {
	t.Helper()
	began := -1.0
	w.until(t, "jobs have ended", &output{}, func(has map[string]float64) bool {
		if began < 0 {
			began = has["jobwatch_jobs_ended_total"]
		}
		return has["jobwatch_jobs_ended_total"] >= began+more
	})
}

func (w *watcher) scrape(t *testing.T, into memory, at time.Time) {
	t.Helper()
	series := w.read(t)
	if len(series) == 0 {
		t.Fatal("nothing is scraped")
	}
	for of, value := range series {
		into.add(of, at, value)
	}
}

// read reads all series, with the label that Prometheus adds; none while the watcher does not answer.
func (w *watcher) read(t *testing.T) map[labels.Labels]float64 {
	t.Helper()
	all := map[labels.Labels]float64{}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return all
	}
	defer response.Body.Close()
	decoder := expfmt.NewTextParser(model.LegacyValidation)
	families, err := decoder.TextToMetricFamilies(bufio.NewReader(response.Body))
	if err != nil {
		t.Fatal(err)
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.Now()}, slices.Collect(maps.Values(families))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		b := labels.NewBuilder(labels.EmptyLabels())
		for name, value := range s.Metric {
			b.Set(string(name), string(value))
		}
		all[b.Set("instance", "here").Set("job", "jobwatch").Labels()] = float64(s.Value)
	}
	return all
}

// output is what a program says.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
