package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMinimalHasTheDefaults(t *testing.T) {
	c := parse(t, minimal)
	prod := defaultCommCell()
	prod.Name, prod.URL, prod.Auth.TokenFile = "prod", "https://cs.example.com/api", filepath.Join(absolute(t, "."), "t")
	if !reflect.DeepEqual(c.CommCells, []CommCell{prod}) {
		t.Errorf("got %+v\nwant %+v", c.CommCells, prod)
	}
	same(t, c, defaultsIn(t, "."))
}

// same compares all but the CommCells.
func same(t *testing.T, got, want *Config) {
	t.Helper()
	for _, part := range []struct{ got, want any }{
		{got.NATS, want.NATS}, {got.Store, want.Store}, {got.HTTP, want.HTTP}, {got.Log, want.Log},
		{got.Cluster, want.Cluster}, {got.Severity, want.Severity},
	} {
		if !reflect.DeepEqual(part.got, part.want) {
			t.Errorf("got %+v\nwant %+v", part.got, part.want)
		}
	}
}

// The contract's example, each value another than its default.
const full = `
commcells:
  - name: Prod_2-b
    url: http://cs:81/webconsole/api//
    commcell_id: 6
    guid: 1F-2
    format: xml
    auth: {username: watcher, password: "${SECRET}", domain: corp, scheme: bearer}
    tls: {ca_file: ca, cert_file: cert, key_file: key, insecure_skip_verify: true}
    schedule: "CRON_TZ=Europe/Berlin */15 0 5 * * MON-FRI"
    jobs:
      - 71
      - 1248
    discover:
      enabled: false
      finished_within: 2h
      include: {client: ["fall*", 'b'], client_group: [c]}
      exclude: {job_type: [d], operation: [e], application: [f], subclient: ["[a-c]?"]}
    sweep: details
    full_refresh: 1m
    feed_every: 0
    concurrency: 2
    rate_limit: 2.5
    timeout: 1s500ms
    stall_after: 1h
    lost_after: 1m
    keep_finished: 2h
nats:
  url: nats://a:4222, tls://b
  embedded: {listen: ":4333", dir: /nats, sync: interval}
  user: me
  password_file: p
  tls: {ca_file: ca, insecure_skip_verify: true, handshake_first: true}
  domain: hub
  stream: OTHER_JOBS
  replicas: 3
  max_age: 0s
  max_bytes: 1000000000000
  subject_prefix: acme.backup
  on_new_stream: continue
store: {path: w.db, keep_sent: 0}
http: {listen: "", token_file: ht, tls: {cert_file: a, key_file: b, client_ca_file: c}}
log: {level: debug, format: json}
cluster: {enabled: true, instance: one}
severity: {committed: info, wird_gesichert: error}
relays:
  - name: hook
    webhook: {url: https://hooks.example.com/a}
`

func TestEveryKey(t *testing.T) {
	c := parse(t, full)
	here := func(name string) string { return filepath.Join(absolute(t, "."), name) }
	prod := CommCell{
		Name: "Prod_2-b", URL: "http://cs:81/webconsole/api", CommCellID: 6, GUID: "1F-2", Format: "xml",
		Auth:     Auth{Username: "watcher", Password: `a: [b] # {c} ${N} "d`, Domain: "corp", Scheme: "bearer"},
		TLS:      TLS{CAFile: here("ca"), CertFile: here("cert"), KeyFile: here("key"), InsecureSkipVerify: true},
		Schedule: "CRON_TZ=Europe/Berlin */15 0 5 * * MON-FRI",
		Jobs:     []int64{71, 1248}, JobLines: map[int64]int{71: 12, 1248: 13},
		Discover: Discover{
			FinishedWithin: 2 * time.Hour,
			Include:        map[string][]string{"client": {"fall*", "b"}, "client_group": {"c"}},
			Exclude:        map[string][]string{"job_type": {"d"}, "operation": {"e"}, "application": {"f"}, "subclient": {"[a-c]?"}},
		},
		Sweep: "details", FullRefresh: time.Minute, FeedEvery: 0, Concurrency: 2, RateLimit: 2.5,
		Timeout: 1500 * time.Millisecond, StallAfter: time.Hour, LostAfter: time.Minute, KeepFinished: 2 * time.Hour,
	}
	if !reflect.DeepEqual(c.CommCells, []CommCell{prod}) {
		t.Errorf("got %+v\nwant %+v", c.CommCells, prod)
	}
	same(t, c, &Config{
		NATS: NATS{
			URL: "nats://a:4222, tls://b", Embedded: Embedded{Listen: ":4333", Dir: "/nats", Sync: "interval"},
			User: "me", PasswordFile: here("p"), TLS: TLS{CAFile: here("ca"), InsecureSkipVerify: true}, TLSFirst: true, Domain: "hub",
			Stream: "OTHER_JOBS", Replicas: 3, MaxBytes: 1e12, SubjectPrefix: "acme.backup", OnNewStream: "continue",
		},
		Store:    Store{Path: here("w.db")},
		HTTP:     HTTP{TokenFile: here("ht"), TLS: HTTPTLS{CertFile: here("a"), KeyFile: here("b"), ClientCAFile: here("c")}},
		Log:      Log{Level: "debug", Format: "json"},
		Cluster:  Cluster{Enabled: true, Instance: "one"},
		Severity: map[string]string{"committed": "info", "wird_gesichert": "error"},
	})
}

func TestEachWayToLogIn(t *testing.T) {
	for _, pairs := range []string{
		"token: a",
		"token_file: a",
		"username: a, password: b",
		"username: a, password_file: b, domain: c",
		"access_token_file: a, refresh_token_file: b, scheme: bearer",
		`token_file: a, token: "", username: "", domain: ""`,
	} {
		parse(t, auth(pairs))
	}
}

func TestEmptySectionsKeepTheDefaults(t *testing.T) {
	c := parse(t, commcell("jobs:\ntls:\ndiscover:\n  include:")+"nats:\nstore: {}\nrelays:\n")
	same(t, c, defaultsIn(t, "."))
	if !c.CommCells[0].Discover.Enabled {
		t.Error("discover without keys is off, want on")
	}
}

func TestSeveralErrorsAreAllTold(t *testing.T) {
	got := refused(t, "log: {level: loud}\n"+commcell("sweep: all\ntimout: 5s\nfeed_every: -1s\ntimeout: 5s\ntimeout: 5s"))
	want := `1: log.level: "loud": wants debug, info, warn or error
6: commcells[0].sweep: "all": wants auto, list or details
7: commcells[0].timout: unknown key; did you mean "timeout"?
8: commcells[0].feed_every: "-1s": wants 0 or more
10: commcells[0].timeout: set twice, first on line 9; keep one`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestErrorHasItsParts(t *testing.T) {
	_, err := Parse("w.yaml", []byte(commcell("sweep: all")), env)
	var got *Error
	if !errors.As(err, &got) {
		t.Fatalf("%T is no *Error", err)
	}
	want := Error{File: "w.yaml", Line: 5, Key: "commcells[0].sweep", Problem: `"all": wants auto, list or details`}
	if *got != want {
		t.Errorf("got %+v\nwant %+v", *got, want)
	}
}

// The same mistake, behind what could make a reader miscount.
func TestLinesAreCountedRight(t *testing.T) {
	for _, row := range []row{
		{"# one\n\n# three\nlog: {level: loud}\n", "4"},
		{"\ufefflog: {level: loud}\n", "1"},
		{"log:\r\n  # two\r\n\r\n  level: loud\r\n", "4"},
		{"log: {\n  format: text,\n  level: loud}\n", "3"},
		{"store:\n  path: |\n    a\n\n    b\n\n\nlog: {level: loud}\n", "8"},
		{"store:\n  path: >-\r\n    a\r\n    b\r\nlog: {level: loud}\r\n", "5"},
		{"store:\n  path: \"a\n    b\"\nlog: {level: loud}\n", "4"},
		{"store:\n  path: a\n    b\n    c\nlog: {level: loud}\n", "5"},
		{"---\nlog: {level: loud}\n...\n", "2"},
		{"log:\n  level:\n    loud\n", "2"},
	} {
		got, _, _ := strings.Cut(refused(t, row.text), ":")
		if got != row.want {
			t.Errorf("%q: line %s, want %s", row.text, got, row.want)
		}
	}
}

func TestMarksOfOtherSystems(t *testing.T) {
	want := parse(t, minimal).CommCells
	for _, text := range []string{"\ufeff" + minimal, strings.ReplaceAll(minimal, "\n", "\r\n"), "---\n" + minimal + "...\n"} {
		if got := parse(t, text).CommCells; !reflect.DeepEqual(got[0].URL, want[0].URL) || got[0].Auth != want[0].Auth {
			t.Errorf("%q: got %+v\nwant %+v", text, got, want)
		}
	}
}

func TestAnchors(t *testing.T) {
	c := parse(t, `
commcells:
  - &first
    name: a
    url: https://a
    auth: &login {token: "${SECRET}"}
    timeout: 5s
    sweep: details
  - <<: *first
    name: b
    timeout: 7s
  - {name: c, url: https://c, auth: *login}
`)
	var got []string
	for _, cell := range c.CommCells {
		got = append(got, fmt.Sprint(cell.Name, cell.URL, cell.Timeout, cell.Sweep, cell.Auth.Token != ""))
	}
	want := []string{"ahttps://a5sdetailstrue", "bhttps://a7sdetailstrue", "chttps://c30sautotrue"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	good, bad, missing := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml"), filepath.Join(dir, "missing.yaml")
	write(t, good, minimal+"log: {level: \"${JOBWATCH_TEST_LEVEL}\"}\n")
	write(t, bad, commcell("sweep: all"))
	t.Setenv("JOBWATCH_TEST_LEVEL", "warn")

	c, err := Load(good)
	if err != nil || c.Log.Level != "warn" {
		t.Errorf("got %+v, %v", c, err)
	}
	for path, want := range map[string]string{
		bad:     bad + `:5: commcells[0].sweep: "all": wants auto, list or details`,
		missing: missing + ": no such file; name one with -c, or start from configs/minimal.yaml",
		dir:     dir + ": is a directory",
	} {
		var is *Error
		if _, err := Load(path); err == nil || err.Error() != want || !errors.As(err, &is) {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
