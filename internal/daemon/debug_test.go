package daemon

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/sim"
)

// TestDebugShowsNoSecret runs a daemon whose configuration is full of secrets, one of them refused, and looks for them
// in all that debug shows.
func TestDebugShowsNoSecret(t *testing.T) {
	const right, wrong, forNATS, forHTTP = "right-secret", "wrong-secret", "nats-secret", "http-secret"
	commServe := httptest.NewServer(sim.New(sim.Config{Jobs: 3, Password: right}))
	t.Cleanup(commServe.Close)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"nats": forNATS, "http": forHTTP} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Parse(in("watcher.yaml"), fmt.Appendf(nil, `
commcells:
  - {name: prod, url: "%[1]s/webconsole/api", auth: {username: watcher, password: %[2]s}, schedule: "@every 1s"}
  - {name: lab, url: "%[1]s/webconsole/api", auth: {username: watcher, password: %[3]s}, schedule: "@every 1s"}
nats: {user: watcher, password_file: nats, embedded: {listen: "127.0.0.1:0", dir: embedded}}
http: {listen: "127.0.0.1:0", token_file: http}
`, commServe.URL, right, wrong), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store.Path = in("watcher.db")
	level := new(slog.LevelVar)
	d := Daemon{Config: cfg, Version: "v1", Level: level, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()

	var client *control.Client
	var dump control.Dump
	var shown struct {
		Version   string
		CommCells []struct {
			Name, Reason string
			Started, Up  bool
			Limit        int `json:"requestLimit"`
			Tracked      map[string]int
			Cycles       int
		}
		NATS      struct{ Connected bool }
		Publisher struct {
			StreamRead bool
			Published  int
		}
	}
	works := func() bool {
		if client, err = control.Dial(cfg.Store.Path); err != nil {
			return false
		}
		if dump, err = client.Dump(ctx); err != nil {
			return false
		}
		text, _ := json.Marshal(dump.State)
		_ = json.Unmarshal(text, &shown)
		return len(shown.CommCells) == 2 && shown.CommCells[0].Cycles > 0 && shown.CommCells[1].Reason != "" && shown.Publisher.Published > 0
	}
	for deadline := time.Now().Add(time.Minute); !works(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v, %+v", err, shown)
		}
	}
	if c := shown.CommCells[0]; c.Name != "prod" || !c.Started || !c.Up || c.Limit == 0 || len(c.Tracked) == 0 {
		t.Errorf("prod is %+v", c)
	}
	if !shown.NATS.Connected || !shown.Publisher.StreamRead || shown.Version != "v1" {
		t.Errorf("the state is %+v", shown)
	}
	if before, err := client.SetLogLevel(ctx, "debug"); err != nil || before != "info" || level.Level() != slog.LevelDebug {
		t.Errorf("the level is %v, and was %s (%v)", level, before, err)
	}
	if _, err := client.SetLogLevel(ctx, "loud"); err == nil {
		t.Error("there is a level loud")
	}
	text, err := json.Marshal(dump)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"dump": string(text)}
	for _, kind := range control.Profiles {
		taken, err := client.Profile(ctx, kind, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		all[kind] = unzipped(t, taken)
	}
	for what, text := range all {
		for _, secret := range []string{right, wrong, forNATS, forHTTP, "QSDK"} { // which the CommServe's tokens begin with
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %s", what, secret)
			}
		}
	}
}

func unzipped(t *testing.T, text []byte) string {
	t.Helper()
	reader, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}
