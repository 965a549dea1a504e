package endtoend

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/config"
	"jobwatch/internal/doctor"
	"jobwatch/internal/sim"
	"jobwatch/internal/stream"
	"jobwatch/internal/testing/disk"
	"jobwatch/internal/testing/slow"
)

// TestTheEmbeddedServersDiskIsFull: red at once and why, nobody does anything but make room, and all that waited arrives,
// once. Where no disk can be mounted only the arriving is left; internal/stream then shows the rest in another way.
func TestTheEmbeddedServersDiskIsFull(t *testing.T) {
	slow.Test(t, "2 s", "a real disk is filled under a real server")
	w := newWorld(t, 1, sim.New(sim.Config{Jobs: 20, Arrivals: 0.5, Most: 100, Speed: 20}))
	w.stopNATS()
	folder, small := disk.New(t)
	site := keptAddress(t)
	text, err := os.ReadFile(w.config)
	if err != nil {
		t.Fatal(err)
	}
	listen := keptAddress(t)
	edited := strings.Replace(string(text), fmt.Sprintf(`nats: {url: "nats://%s"}`, w.proxy.address()),
		fmt.Sprintf("nats: {embedded: {listen: %q, dir: %q}}", listen, filepath.Join(folder, "nats")), 1)
	edited = strings.Replace(edited, `http: {listen: ""}`, fmt.Sprintf("http: {listen: %q}", site), 1)
	if err := os.WriteFile(w.config, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	readyz := func() (int, string) { return fetch("http://" + site + "/readyz") }
	green := func() bool { code, _ := readyz(); return code == http.StatusOK }

	w.start()
	w.until("it is ready", green, func() string { _, body := readyz(); return body })
	if small {
		ballast := filepath.Join(folder, "ballast")
		disk.Fill(t, ballast)
		w.until("it is red, and says why", func() bool {
			code, body := readyz()
			return code == http.StatusServiceUnavailable && strings.Contains(body, "red   nats: embedded NATS server: it cannot write: ") &&
				strings.Contains(body, "no space left on device; make room in nats.embedded.dir")
		}, func() string { _, body := readyz(); return body })
		w.progress(20)
		cfg, err := config.Load(w.config)
		if err != nil {
			t.Fatal(err)
		}
		cfg.CommCells = nil // what one answers to a check, the judge would take for an answer to the watcher
		full := false
		doctor.Check(t.Context(), cfg, w.config, "test", func(f doctor.Finding) {
			full = full || f.Grade == stream.Failed && f.What == "NATS" && strings.Contains(f.Text, "/nats: the disk is full; make room")
		})
		if !full {
			t.Error("check does not say that the disk is full")
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		w.until("it is green again", green, func() string { _, body := readyz(); return body })
	}
	nc, err := nats.Connect("nats://" + listen)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var verdict verdict
	w.until("the stream is complete", func() bool {
		verdict = judge(t, w.sim.Served(), nil, readStream(t, js, "JOBS", ""))
		return verdict.clean() && verdict.events > 0
	}, func() string { return verdict.String() })
	t.Log(verdict)
	if err := w.child.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := w.child.Wait(); err != nil {
		t.Errorf("SIGTERM ends it with %v\n%s", err, tail(w.said.String()))
	}
}
