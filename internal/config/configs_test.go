package config

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	completeFile = "../../configs/watcher.yaml"
	minimalFile  = "../../configs/minimal.yaml"
)

func TestConfigsSayTheDefaults(t *testing.T) {
	for _, path := range []string{completeFile, minimalFile} {
		c, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		same(t, c, defaultsIn(t, filepath.Dir(path)))
		want := defaultCommCell()
		want.Name, want.URL = "prod", "https://cs.example.com/webconsole/api"
		want.Auth.TokenFile = "/run/secrets/cv-token"
		if got := c.CommCells; !reflect.DeepEqual(got, []CommCell{want}) {
			t.Errorf("%s:\n got %+v\nwant %+v", path, got, want)
		}
	}
}

// promised has the defaults once more, by hand: one that changes breaks a promise, and nothing that is generated says so.
const promised = minimal + `    commcell_id: 0
    guid: ""
    format: json
    tls: {ca_file: "", cert_file: "", key_file: "", insecure_skip_verify: false}
    schedule: "@every 30s"
    jobs: []
    discover: {enabled: true, finished_within: 1h, include: {}, exclude: {}}
    sweep: auto
    full_refresh: 10m
    feed_every: 5s
    concurrency: 8
    rate_limit: 0
    timeout: 30s
    stall_after: 30m
    lost_after: 2m
    keep_finished: 168h
nats:
  url: embedded
  embedded: {listen: 127.0.0.1:4222, dir: data/nats, sync: always}
  creds_file: ""
  nkey_file: ""
  user: ""
  password_file: ""
  token_file: ""
  tls: {ca_file: "", cert_file: "", key_file: "", insecure_skip_verify: false, handshake_first: false}
  domain: ""
  stream: JOBS
  replicas: 1
  max_age: 720h
  max_bytes: 0
  subject_prefix: ""
  on_new_stream: resend
store: {path: data/watcher.db, keep_sent: 24h, socket_group: ""}
http: {listen: 127.0.0.1:9480, token_file: "", tls: {cert_file: "", key_file: "", client_ca_file: ""}}
log: {level: info, format: auto}
cluster: {enabled: false, instance: ""}
severity: {}
relays: []
`

func TestDefaultsAreThosePromised(t *testing.T) {
	const auth = `{token_file: t, token: "", username: "", password: "", password_file: "", domain: "",
      access_token_file: "", refresh_token_file: "", scheme: authtoken}`
	got, want := parse(t, strings.Replace(promised, "{token_file: t}", auth, 1)), parse(t, minimal)
	same(t, got, want)
	if !reflect.DeepEqual(got.CommCells, want.CommCells) {
		t.Errorf("got %+v\nwant %+v", got.CommCells, want.CommCells)
	}
}

// The keys that the reader knows are found by asking it for one that it does not know.
func TestCompleteFileHasEveryKey(t *testing.T) {
	c, err := Load(completeFile)
	if err != nil {
		t.Fatal(err)
	}
	var missing []string
	for section, text := range map[string]string{
		"":                       section("%"),
		"commcells[0].":          commcell("%"),
		"commcells[0].auth.":     auth("%"),
		"commcells[0].tls.":      commcell("tls: {%}"),
		"commcells[0].discover.": commcell("discover: {%}"),
		"nats.":                  section("nats: {%}"),
		"nats.tls.":              section("nats: {tls: {%}}"),
		"nats.embedded.":         section("nats: {embedded: {%}}"),
		"store.":                 section("store: {%}"),
		"http.":                  section("http: {%}"),
		"http.tls.":              section("http: {tls: {%}}"),
		"log.":                   section("log: {%}"),
		"cluster.":               section("cluster: {%}"),
	} {
		for _, key := range knownKeys(t, text) {
			if c.lines[section+key] == 0 {
				missing = append(missing, section+key)
			}
		}
	}
	if len(missing) > 0 {
		t.Errorf("%s lacks %q; it has %q", completeFile, missing, slices.Sorted(maps.Keys(c.lines)))
	}
}

var knownHere = regexp.MustCompile(`known here: (.*)`)

func knownKeys(t *testing.T, text string) []string {
	t.Helper()
	found := knownHere.FindStringSubmatch(refused(t, regexp.MustCompile("%").ReplaceAllString(text, "qqqqqqqqqqqq: 1")))
	if found == nil {
		t.Fatalf("%s: names no keys", text)
	}
	return regexp.MustCompile(", ").Split(found[1], -1)
}

// TestTheDocumentsClusterIsTaken holds the ten lines of docs/cluster.md to be a configuration, and ten at most.
func TestTheDocumentsClusterIsTaken(t *testing.T) {
	text, err := os.ReadFile("../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatal("docs/cluster.md has no YAML")
	}
	if c := parse(t, string(found[1])); !c.Cluster.Enabled || len(c.CommCells) != 2 || strings.Count(string(found[1]), "\n") > 10 {
		t.Errorf("got %+v of\n%s", c, found[1])
	}
}
