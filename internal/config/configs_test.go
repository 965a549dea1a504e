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
		if got := c.NotYetInForce(); len(got) > 0 {
			t.Errorf("%s sets %q", path, got)
		}
	}
}

// TestCompleteFileMarksWhatDoesNothing holds each line's (later) against the table of notices.go.
func TestCompleteFileMarksWhatDoesNothing(t *testing.T) {
	c, err := Load(completeFile)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(completeFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for key, number := range c.lines {
		line := lines[number-1]
		if marked := strings.Contains(line, "(later)"); marked != isLater(key) {
			t.Errorf("%s: marked %v: %s", key, marked, line)
		}
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
