// Package internal_test holds the house to its plan: each package imports only from floors
// below its own, and each third-party module is let in by the packages named here alone.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var floors = map[string]int{
	"internal/job":       0,
	"internal/config":    0,
	"internal/sim":       0,
	"internal/failpoint": 0,
	"internal/printable": 0,
	"internal/progress":  0,
	"internal/limiter":   0,
	"internal/system":    -1,
	"internal/tlsfile":   0,
	"internal/event":     1,
	"internal/diff":      1,
	"internal/commvault": 1,
	"internal/stream":    1,
	"internal/standin":   2,
	"internal/record":    3,
	"internal/store":     2,
	"internal/cluster":   3,
	"internal/sharing":   4,
	"internal/publish":   3,
	"internal/poller":    3,
	"internal/control":   3,
	"internal/guard":     0,
	"internal/relay":     3,
	"internal/webhook":   4,
	"internal/slack":     4,
	"internal/email":     4,
	"internal/audit":     4,
	"internal/metrics":   4,
	"internal/web":       5,
	"internal/web/page":  0,
	"internal/daemon":    6,
	"internal/doctor":    7,
	"internal/setup":     1,
	"internal/console":   3,
	"internal/cli":       8,
	"cmd/watcher":        9,
	"cmd/manpages":       9,

	"internal/testing/slow":          -1, // for the tests of all
	"internal/testing/golden":        -1, // for the tests of all
	"internal/testing/fakeslack":     0,  // for the tests of all
	"internal/testing/disk":          0,
	"internal/testing/terminal":      0,
	"internal/testing/nameserver":    -1,
	"internal/testing/certs":         -1,
	"internal/testing/threeservers":  -1,
	"internal/testing/ports":         -2,
	"internal/store/internal/seam":   1, // for storetest
	"internal/publish/internal/seam": 0, // for publishtest
	"internal/publish/publishtest":   3, // helps tests
	"internal/store/storetest":       2, // helps tests
	"internal/testing/eventtest":     1,
	"internal/testing/brokertest":    2,
	"internal/testing/modelbroker":   2,
	"internal/testing/lives":         5, // tests alone
	"internal/testing/endtoend":      9, // tests alone
	"internal/testing/documents":     9, // tests alone
	"contract":                       2, // tests alone
	"examples/subscribe":             0, // another program's
}

// testSupport is where packages lie that serve tests alone.
const testSupport = "internal/testing/"

// mayImport names the packages that may import a third-party module; tests may import any.
var mayImport = map[string][]string{
	"github.com/goccy/go-yaml":           {"internal/config"},
	"github.com/robfig/cron/v3":          {"internal/config", "internal/poller"}, // config checks the schedules
	"github.com/go-json-experiment/json": {"internal/commvault", "internal/event", "internal/standin", "internal/store"},
	"github.com/nats-io/nats-server/v2":  {"internal/stream", "internal/testing/threeservers"},
	"github.com/nats-io/jwt/v2":          {"internal/stream"},
	"github.com/nats-io/nkeys":           {"internal/stream"},
	"github.com/nats-io/nats.go":         {"internal/stream", "internal/publish", "examples/subscribe"},
	"go.etcd.io/bbolt":                   {"internal/store", "internal/store/internal/seam", "internal/store/storetest"},
	"github.com/cenkalti/backoff/v4":     {"internal/poller"},
	"golang.org/x/time":                  {"internal/limiter", "internal/relay"},
	"golang.org/x/net":                   {"internal/commvault", "internal/doctor", "internal/testing/nameserver"}, // html; the environment's proxies; dns
	"golang.org/x/sync":                  {"internal/commvault", "internal/publish", "internal/poller", "internal/web", "internal/cli", "internal/daemon"},
	"golang.org/x/term":                  {"internal/cli", "internal/console", "internal/testing/terminal"},
	"github.com/creack/pty":              {"internal/testing/terminal"},
	"github.com/charmbracelet/x/vt":      {"internal/testing/terminal"},
	"golang.org/x/sys":                   {"internal/system"},
	"github.com/google/jsonschema-go":    {"internal/config", "internal/event", "internal/web"},
	"github.com/spf13/cobra":             {"internal/cli", "cmd/manpages"},
	"github.com/spf13/pflag":             {"cmd/manpages"},
	"charm.land/lipgloss/v2":             {"internal/cli", "internal/console"},
	"github.com/charmbracelet/x/ansi":    {"internal/console", "internal/testing/terminal"},
	"charm.land/bubbletea/v2":            {"internal/cli", "internal/console"},
	"charm.land/bubbles/v2":              {"internal/console"},
	"github.com/lmittmann/tint":          {"internal/cli"},

	"github.com/santhosh-tekuri/jsonschema/v6": {"internal/testing/eventtest"},
	"github.com/cloudevents/sdk-go/v2":         {"internal/testing/eventtest"},
	"github.com/prometheus/client_golang":      {"internal/metrics"},
	"github.com/prometheus/client_model":       {"internal/metrics"},

	"code.dny.dev/ssrf":         {"internal/guard"},
	"github.com/slack-go/slack": {"internal/slack"},
	"github.com/standard-webhooks/standard-webhooks/libraries": {"internal/webhook"},
	"github.com/wneessen/go-mail":                              {"internal/email"},
	"golang.org/x/mod":                                         {"internal/audit"},
	"github.com/klauspost/compress":                            {"internal/audit", "internal/web"},
}

// keepsAll are packages that call methods by names which the linker does not know.
var keepsAll = map[string]bool{"text/template": true, "html/template": true}

func TestFloors(t *testing.T) {
	for _, violation := range violations(listPackages(t)) {
		t.Error(violation)
	}
}

func TestFloorsNameEachViolation(t *testing.T) {
	whole := make([]pkg, 0, len(floors))
	for name := range floors {
		whole = append(whole, pkg{ImportPath: "jobwatch/" + name})
	}
	for _, row := range []struct {
		extra pkg
		want  string
	}{
		{pkg{ImportPath: "jobwatch/internal/store", Imports: []string{"fmt", "jobwatch/internal/diff", "go.etcd.io/bbolt/errors"}}, ""},
		{pkg{ImportPath: "jobwatch/internal/job", Imports: []string{"jobwatch/internal/diff"}},
			"internal/job (floor 0) imports internal/diff (floor 1): only what lies on a lower floor may be imported"},
		{pkg{ImportPath: "jobwatch/internal/poller", TestImports: []string{"jobwatch/internal/publish"}},
			"internal/poller (floor 3) imports internal/publish (floor 3): only what lies on a lower floor may be imported"},
		{pkg{ImportPath: "jobwatch/internal/testing/eventtest", Imports: []string{"jobwatch/internal/event"}}, ""},
		{pkg{ImportPath: "jobwatch/internal/testing/eventtest", Imports: []string{"jobwatch/internal/diff"}},
			"internal/testing/eventtest (floor 1) imports internal/diff (floor 1): only what lies on a lower floor may be imported"},
		{pkg{ImportPath: "jobwatch/internal/poller", TestImports: []string{"jobwatch/internal/testing/eventtest"}}, ""},
		{pkg{ImportPath: "jobwatch/internal/poller", Imports: []string{"jobwatch/internal/testing/eventtest"}},
			"internal/poller imports internal/testing/eventtest: only tests may"},
		{pkg{ImportPath: "jobwatch/internal/store/storetest", Imports: []string{"jobwatch/internal/store"}}, ""},
		{pkg{ImportPath: "jobwatch/internal/poller", Imports: []string{"jobwatch/internal/store/storetest"}},
			"internal/poller imports internal/store/storetest: only tests may"},
		{pkg{ImportPath: "jobwatch/internal/config", Imports: []string{"text/template"}},
			"internal/config imports text/template: the linker keeps all methods of the program then, 6 MB"},
		{pkg{ImportPath: "jobwatch/internal/util"},
			"internal/util has no floor: give it one in floors"},
		{pkg{ImportPath: "jobwatch/internal/diff", Imports: []string{"go.etcd.io/bbolt"}},
			"internal/diff imports go.etcd.io/bbolt: mayImport does not allow it"},
		{pkg{ImportPath: "jobwatch/internal/diff", Imports: []string{"example.com/new/module"}},
			"internal/diff imports example.com/new/module: mayImport does not allow it"},
	} {
		if got := strings.Join(violations(append(whole, row.extra)), "\n"); got != row.want {
			t.Errorf("%+v:\n got %q\nwant %q", row.extra, got, row.want)
		}
	}
	if got := violations(nil); len(got) != len(floors) {
		t.Errorf("no packages at all: got %q, want one line for each of %d floors", got, len(floors))
	}
}

// pkg is what go list says of a package. XTestImports are left out:
// a test in a package of its own stands outside the house and may look in anywhere.
type pkg struct {
	ImportPath           string
	Imports, TestImports []string
}

func violations(packages []pkg) []string {
	var found []string
	missing := maps.Clone(floors)
	for _, p := range packages {
		found = append(found, p.violations()...)
		delete(missing, p.name())
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		found = append(found, fmt.Sprintf("%s has a floor, but there is no such package: take it out of floors", name))
	}
	return found
}

func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, "jobwatch/") }

// helpsTestsOf says whether the package is the test support of the named one, as testing/eventtest is of event, and
// store/storetest, which looks inside, of store.
func (p pkg) helpsTestsOf(name string) bool {
	test := path.Base(name) + "test"
	return p.name() == testSupport+test || p.name() == name+"/"+test
}

func (p pkg) violations() []string {
	floor, ok := floors[p.name()]
	if !ok {
		return []string{p.name() + " has no floor: give it one in floors"}
	}
	var found []string
	for _, path := range slices.Concat(p.Imports, p.TestImports) {
		name, ours := strings.CutPrefix(path, "jobwatch/")
		if ours && floors[name] >= floor && !p.helpsTestsOf(name) {
			found = append(found, fmt.Sprintf("%s (floor %d) imports %s (floor %d): only what lies on a lower floor may be imported",
				p.name(), floor, name, floors[name]))
		}
	}
	for _, path := range p.Imports {
		if name := strings.TrimPrefix(path, "jobwatch/"); servesTests(name) && !servesTests(p.name()) {
			found = append(found, fmt.Sprintf("%s imports %s: only tests may", p.name(), name))
		}
		if keepsAll[path] && !servesTests(p.name()) {
			found = append(found, fmt.Sprintf("%s imports %s: the linker keeps all methods of the program then, 6 MB", p.name(), path))
		}
		if thirdParty(path) && !slices.Contains(mayImport[module(path)], p.name()) {
			found = append(found, fmt.Sprintf("%s imports %s: mayImport does not allow it", p.name(), path))
		}
	}
	return found
}

// servesTests says whether a package is for tests alone.
func servesTests(name string) bool {
	return strings.HasPrefix(name, testSupport) || path.Base(name) == path.Base(path.Dir(name))+"test"
}

func thirdParty(path string) bool {
	host, _, _ := strings.Cut(path, "/")
	return strings.Contains(host, ".")
}

// module returns the module of mayImport that the package path belongs to, or "".
func module(path string) string {
	for name := range mayImport {
		if path == name || strings.HasPrefix(path, name+"/") {
			return name
		}
	}
	return ""
}

func listPackages(t *testing.T) []pkg {
	t.Helper()
	walk(t, ".", "../cmd")
	list := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports", "../...")
	out, err := list.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	var packages []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatalf("go list: %v", err)
		}
		if p.ImportPath != "jobwatch/internal" { // this test
			packages = append(packages, p)
		}
	}
	return packages
}

// walk shows the source to go test's cache, which can't see what go list reads:
// a test result from before an import changed would be taken for today's.
func walk(t *testing.T, roots ...string) {
	t.Helper()
	for _, root := range roots {
		err := filepath.WalkDir(root, func(_ string, _ fs.DirEntry, err error) error { return err })
		if err != nil {
			t.Fatal(err)
		}
	}
}
