package web

import (
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestConfigurationIsShown(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	w := newWorld(t, func(c *Config) {
		c.Configuration = func() Configuration { return Configuration{"/etc/jobwatch/watcher.yaml", at, "log:\n  level: info\n"} }
	})
	var got Configuration
	w.getJSON("/api/v1/config", &got)
	if got != w.server.Configuration() {
		t.Errorf("got %+v", got)
	}
	if code, body := newWorld(t).get("/api/v1/config"); code != http.StatusNotFound || !strings.Contains(body, "no configuration to show") {
		t.Errorf("without one: %d %s", code, body)
	}
	locked := newWorld(t, func(c *Config) { c.Token, c.Configuration = "s3cret", w.server.Configuration })
	if code, body, _ := locked.ask(http.MethodGet, "/api/v1/config", nil); code != http.StatusUnauthorized || strings.Contains(body, "level") {
		t.Errorf("without the token: %d %s", code, body)
	}
}

func TestBuildIsShown(t *testing.T) {
	w := newWorld(t)
	var got build
	w.getJSON("/api/v1/build", &got)
	if got.Version != "test" || !strings.HasPrefix(got.Go, "go1.") || !strings.Contains(got.Platform, "/") {
		t.Errorf("got %+v", got)
	}
	is := buildOf(&debug.BuildInfo{
		Deps:     []*debug.Module{{Path: "a", Version: "v1.0.0"}, {Path: "b", Version: "v2.0.0", Replace: &debug.Module{Path: "c", Version: "v3.0.0"}}},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-11-30T12:00:00+01:00"}, {Key: "vcs.modified", Value: "true"}},
	}, true)
	if is.Commit != "abc" || !is.Modified || is.Time.Format(time.RFC3339) != "2026-11-30T11:00:00Z" || !slices.Equal(is.Modules, []module{{"a", "v1.0.0"}, {"c", "v3.0.0"}}) {
		t.Errorf("got %+v", is)
	}
	if is := buildOf(nil, false); is.Modules == nil || is.Commit != "" || is.Go == "" {
		t.Errorf("of a build that says nothing: %+v", is)
	}
}
