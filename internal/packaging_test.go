package internal_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"jobwatch/internal/config"
)

// TestPackagesHoldWhatIsThere: what nfpm.yaml names is in the repository, or packaging/build makes it.
func TestPackagesHoldWhatIsThere(t *testing.T) {
	build := read(t, "../packaging/build")
	named := regexp.MustCompile(`(?m)(?:src: |^  \w+: )((?:dist|packaging|configs|LICENSE)[^,\s]*)`).FindAllStringSubmatch(read(t, "../packaging/nfpm.yaml"), -1)
	for _, m := range named {
		file, made := strings.CutPrefix(m[1], "dist/files/")
		if made && !strings.Contains(build, "$out/"+strings.Split(file, "/")[0]) {
			t.Errorf("packaging/build makes no %s", m[1])
		}
		if _, err := os.Stat("../" + m[1]); !made && err != nil {
			t.Error(err)
		}
	}
	if len(named) < 15 {
		t.Errorf("nfpm.yaml names %d files", len(named))
	}
}

// TestPackagedConfigurationsAreValid, and write nothing outside the one folder that is the watcher's.
func TestPackagedConfigurationsAreValid(t *testing.T) {
	files, err := filepath.Glob("../packaging/kubernetes/*/config.yaml")
	if err != nil || len(files) != 2 {
		t.Fatalf("%v (%v)", files, err)
	}
	for _, file := range append(files, "../packaging/watcher.yaml", "../packaging/container.yaml") {
		cfg, err := config.Parse(file, []byte(read(t, file)), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.HasPrefix(cfg.Store.Path, "/var/lib/jobwatch/") {
			t.Errorf("%s: store.path is %s", file, cfg.Store.Path)
		}
		if cfg.NATS.URL == "embedded" && !strings.HasPrefix(cfg.NATS.Embedded.Dir, "/var/lib/jobwatch/") {
			t.Errorf("%s: nats.embedded.dir is %s", file, cfg.NATS.Embedded.Dir)
		}
		if strings.Contains(file, "cluster") != cfg.Cluster.Enabled {
			t.Errorf("%s: cluster.enabled is %v", file, cfg.Cluster.Enabled)
		}
	}
}
