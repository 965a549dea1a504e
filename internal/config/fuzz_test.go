package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// FuzzParse: whatever the file holds, it is a configuration or an error that names the file.
func FuzzParse(f *testing.F) {
	complete, err := os.ReadFile(completeFile)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{
		string(complete), minimal, full, "", "\ufeff", "a: &a [*a]", "commcells: &a\n- <<: *a", "? a\n: b", "<<: {<<: {}}",
		"commcells:\r\n\t- a", "%YAML 1.2\n---\n{}", "[[[{{{", "- - - -", "!!map {a: !b c}", "a: |2-\n    b", "\"\\x00\": '", "{a: b, <<: *c}",
		"commcells: ${N}\n${N}: $${", "relays: [{a: &b c}, *b]",
		relay("webhook:\n  url: https://a\n  body: &a {x: *a, y: [1, ~, .inf]}"), relay("slack: {links: {a: 'https://b/{id}'}, broadcast: [lost]}"),
		"log: &a\n  <<: *b\nhttp: &b\n  <<: *a\n", "log: &a {level: info}\nhttp: &a {}\n", "commcells: [&a {name: a}, {<<: *a, <<: *a}, {<<: [*a]}]",
		"? [a, b]\n: c\n? {a: b}\n: d\n", "severity: {&k a: info, *k : error, ? b : c, '': info, ~: info}", "log: !!map {level: !!str info}\nstore: !x {}\n",
		section("store: {path: |-\n  a}"), commcell("timeout: 9223372036854775807d"), auth("token: \"\\x00\""), "commcells:\n- *a\n---\n&a b",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("watcher.yaml", data, env)
		if err == nil {
			c.Warnings()
			return
		}
		var is *Error
		if c != nil || !errors.As(err, &is) || !strings.HasPrefix(err.Error(), "watcher.yaml:") {
			t.Errorf("%q: %v", data, err)
		}
	})
}
