package config

import (
	"slices"
	"strings"
	"testing"
)

// withSecrets has a secret in each key that may hold one, and variables, of which any may be one.
const withSecrets = `
commcells:
  - name: prod
    url: https://cs.example.com/webconsole/api
    auth: {token: geheim-1}
    jobs: [71, 1248]
    discover: {include: {client: ["fall*", "${GLOB}"]}, exclude: {job_type: [restore]}}
    schedule: "CRON_TZ=Europe/Berlin */30 * * * * *"
  - name: lab
    url: https://lab.example.com/webconsole/api
    auth: {username: "${WHO}", password: "${PASSWORD}", domain: corp}
    stall_after: 90m
    rate_limit: 2.5
nats: {url: "nats://a:4222,nats://b:4222", user: backup, password_file: "${DIR}/nats", max_age: 0}
store: {path: state/w.db}
http: {listen: ""}
severity: {killed: error, committed: info}
cluster: {enabled: true, instance: "${WHERE}"}
relays:
  - name: ops
    match: {severity: [error], client: ["${GLOB}"]}
    start: 24h
    webhook: {url: https://hooks.example.com/geheim-2?key=geheim-3, headers: {X-Api-Key: {value_file: key}}, body: {routing_key: geheim-4, text: "{data.job.client}"}}
  - name: chat
    slack: {token_file: slack, channel: C0123456789, links: {Center: "https://me:geheim-5@cs.example.com/jobs/{id}", Other: "https://${HOST}/{id}"}, group: {over: 5}}
  - name: proof
    audit: {}
`

var variables = map[string]string{"GLOB": "geheim-6", "WHO": "geheim-7", "PASSWORD": "geheim-8", "DIR": "/geheim-9", "WHERE": "geheim-10", "HOST": "geheim-11"}

func parseWithSecrets(t *testing.T) *Config {
	t.Helper()
	c, err := Parse("/etc/jobwatch/watcher.yaml", []byte(withSecrets), func(name string) (string, bool) { v, known := variables[name]; return v, known })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestShowHasNoSecret(t *testing.T) {
	if got := parseWithSecrets(t).Show(); strings.Contains(got, "geheim") {
		t.Error(got)
	}
	var secrets []string
	var look func(prefix string, keys []key)
	look = func(prefix string, keys []key) {
		for _, k := range keys {
			if k.value.hidden {
				secrets = append(secrets, prefix+k.name)
			}
			look(prefix+k.name+".", k.value.keys)
		}
	}
	look("", new(Config).keys())
	if want := []string{"commcells.auth.token", "commcells.auth.password", "relays.webhook.url", "relays.webhook.body"}; !slices.Equal(secrets, want) {
		t.Errorf("secrets are %q; have each in the configuration above", secrets)
	}
}

func TestShowHasAllElse(t *testing.T) {
	got := parseWithSecrets(t).Show()
	for _, want := range []string{
		"- name: prod\n", "token: (not shown)", "username: ${WHO}", "password: (not shown)", "domain: corp", "jobs:\n  - 71\n  - 1248\n", `- fall*`, "- ${GLOB}", "stall_after: 1h30m",
		"rate_limit: 2.5", "schedule: CRON_TZ=Europe/Berlin */30 * * * * *", "format: json", "full_refresh: 10m", "password_file: ${DIR}/nats", "max_age: 0s", "path: /etc/jobwatch/state/w.db",
		"listen: \"\"", "  killed: error", "instance: ${WHERE}", "start: 24h", "url: (not shown)", "value_file: /etc/jobwatch/key", "body: (not shown)", "Center: https://…@cs.example.com/jobs/{id}",
		"Other: https://${HOST}/{id}", "over: 5", "within: 2m", "dir: /etc/jobwatch/data/nats", "size: 67108864", "- jobs.>", "keep_sent: 24h",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if got := new(Config).Show(); got != "{}\n" {
		t.Errorf("of none: %q", got)
	}
}

// What is shown is a configuration, and the same one.
func TestShowCanBeRead(t *testing.T) {
	for _, file := range []string{"../../configs/watcher.yaml", "../../configs/minimal.yaml"} {
		t.Setenv("CV_TOKEN", "x")
		t.Setenv("CREDENTIALS_DIRECTORY", "/run")
		c, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(file, []byte(c.Show()), func(string) (string, bool) { return "x", true })
		if err != nil {
			t.Fatalf("%v\n%s", err, c.Show())
		}
		if a, b := c.Show(), again.Show(); a != b {
			t.Errorf("%s: first\n%s\nthen\n%s", file, a, b)
		}
	}
}

func TestShowInForce(t *testing.T) {
	parse := func(text string) *Config {
		c, err := Parse("/w.yaml", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const cell = "commcells: [{name: %, url: https://cs/api, auth: {token: x}}]\n"
	started := parse(strings.ReplaceAll(cell, "%", "prod") + "nats: {stream: OLD}\nlog: {level: warn, format: json}\nrelays: [{name: gone, audit: {}}]")
	latest := parse(strings.ReplaceAll(cell, "%", "lab") + "nats: {stream: NEW}\nlog: {level: debug, format: text}")
	got := ShowInForce(started, latest)
	for want, is := range map[string]bool{"name: lab": true, "name: prod": false, "stream: OLD": true, "stream: NEW": false, "level: debug": true, "format: json": true, "gone": false} {
		if strings.Contains(got, want) != is {
			t.Errorf("%q: want %v\n%s", want, is, got)
		}
	}
	if back := ShowInForce(latest, started); !strings.Contains(back, "name: gone") || !strings.Contains(back, "stream: NEW") {
		t.Errorf("relays that are new:\n%s", back)
	}
}
