package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiled is the schema in the hands of an independent validator.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	text, err := json.Marshal(Schema())
	if err != nil {
		return nil, err
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("config.json", schema); err != nil {
		return nil, err
	}
	return compiler.Compile("config.json")
})

// schemaSays is what the schema finds in a file.
func schemaSays(t *testing.T, text string) error {
	t.Helper()
	schema, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	var value any
	if err := yaml.Unmarshal([]byte(strings.TrimPrefix(text, "\ufeff")), &value); err != nil {
		return nil // a ${NAME} without quotes between { and } is YAML for us alone
	}
	asJSON, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	value, err = jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestSchemaTakesWhatTheProgramTakes(t *testing.T) {
	for _, text := range []string{
		minimal, full, strings.ReplaceAll(minimal, "prod", "${WORD}"),
		commcell("timeout: ${HOURS}\nconcurrency: ${N}\nformat: ${WORD}\nguid: ${EMPTY}\nfeed_every: 0\nfull_refresh: 1h30m\njobs: [1, \"${N}\"]"),
		commcell("feed_every: 1.5s\nstall_after: .5h\nlost_after: +1h1m1s1ms1us1µs1ns\nrate_limit: 0.5\ntls:\njobs:\ndiscover: {include: , exclude: {client: []}}"),
		section("nats:\nstore:\nhttp: {listen: ''}\nlog: {level: '${WORD}'}\ncluster: {enabled: false, instance: a.b-C_1}\nrelays:\nseverity: {a_1: info}"),
		section("nats: {url: 'wss://a, ws://b:80', stream: Ä, subject_prefix: a.b, domain: '', max_bytes: 9000000000000000000, max_age: 0}"),
		"commcells:\n  - &a {name: a, url: HTTPS://a, auth: {token: t}}\n  - {<<: *a, name: b}\n",
	} {
		if err := schemaSays(t, text); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	for _, text := range []string{
		"log: {level: info}\n", "commcells: []\n", "commcells: [{name: a, url: 'https://a'}]\n", "comcells: []\n",
		strings.ReplaceAll(minimal, "prod", "a b"), strings.ReplaceAll(minimal, "https", "ftp"),
		commcell("concurency: 8"), commcell("concurrency: eight"), commcell(`concurrency: "8"`), commcell("concurrency: 0"),
		commcell("commcell_id: 2147483648"), commcell("rate_limit: -1"), commcell("guid: 12"), commcell("guid:"), commcell("format: yaml"),
		commcell("timeout: 30"), commcell("timeout: 7d"), commcell("timeout: 0"), commcell("feed_every: 1"), commcell("discover: yes"),
		commcell("discover: {enabled: yes}"), commcell("discover: {include: {clients: [a]}}"), commcell("discover: {include: {client: a}}"),
		commcell("jobs: [0]"), commcell("jobs: 71"), commcell("tls: {handshake_first: true}"), commcell("schedule: 5"),
		section("nats: embedded"), section("nats: {replicas: 6}"), section("nats: {url: ''}"), section("nats: {stream: a.b}"), section("nats: {stream: ''}"),
		section("nats: {domain: a b}"), section("nats: {subject_prefix: acme.}"), section("nats: {embedded: {listen: localhost}}"),
		section("http: {listen: localhost}"), section("log: {level: loud}"), section("severity: {Committed: info}"),
		section("severity: {committed: warn}"), section("relays: {}"), section("relays: [{audit: {}}]"), relay("audit: {rotate: {size: 1 kg}}"),
		relay(hook + "\nstart: never"), relay("slack: {token_file: t, channel: ops}"), relay(hook + "\nmatch: {severity: [warn]}"), relay("webhok: {}"),
		relay("webhook: {url: https://a, headers: {a: {}}}"), section("cluster: {enabled: 1}"), section("cluster: {instance: a b}"), section("cluster: {instance: a..b}"),
	} {
		if schemaSays(t, text) == nil {
			t.Errorf("takes\n%s", text)
		}
		if _, err := Parse("watcher.yaml", []byte(text), env); err == nil {
			t.Errorf("the program takes\n%s", text)
		}
	}
}
