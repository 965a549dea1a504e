package config

import (
	"strings"
	"testing"
	"time"
)

func TestEnvironment(t *testing.T) {
	for _, row := range []row{
		{"${WORD}", "eight"},
		{"a${N}b${WORD}", "a16beight"},
		{`"${WORD}"`, "eight"},
		{"'${WORD}'", "eight"},
		{"|-\n    ${WORD}", "eight"},
		{"${N}", "16"},
		{`"${EMPTY}"`, ""},
		{"$${WORD}", "${WORD}"},
		{"$$${WORD}", "$${WORD}"},
		{"$${WORD}-${WORD}", "${WORD}-eight"},
		{"$WORD", "$WORD"},
		{"a$$b{c}", "a$$b{c}"},
		{"${WORD} # ${MISSING}", "eight"},
		{"${SECRET}", `a: [b] # {c} ${N} "d`},
	} {
		if got := parse(t, commcell("guid: "+row.text)).CommCells[0].GUID; got != row.want {
			t.Errorf("%s: got %q, want %q", row.text, got, row.want)
		}
	}
}

func TestEnvironmentBetweenBraces(t *testing.T) {
	c := parse(t, auth("username: ${WORD}, password: ${SECRET}")+"store: {path: /${WORD}/w.db}\n")
	if c.Store.Path != "/eight/w.db" || c.CommCells[0].Auth.Username != "eight" {
		t.Errorf("got %q and %q", c.Store.Path, c.CommCells[0].Auth.Username)
	}
}

func TestEnvironmentIsNoText(t *testing.T) {
	c := parse(t, commcell(`concurrency: ${N}
rate_limit: "${N}"
timeout: ${HOURS}
discover: {enabled: ${YES}}
jobs: [1${N}, "${N}"]`)).CommCells[0]
	if c.Concurrency != 16 || c.RateLimit != 16 || c.Timeout != 36*time.Hour || !c.Discover.Enabled || len(c.Jobs) != 2 || c.Jobs[0] != 116 {
		t.Errorf("got %+v", c)
	}
}

func TestDigitsStayASecret(t *testing.T) {
	if got := parse(t, auth("token: ${DIGITS}")).CommCells[0].Auth.Token; got != "0123" {
		t.Errorf("got %q, want 0123", got)
	}
}

func TestLineEndIsNoPartOfASecret(t *testing.T) {
	c := parse(t, strings.Replace(minimal, "auth: {token_file: t}", "auth:\n      token: |\n        hunter2\n", 1))
	if got := c.CommCells[0].Auth.Token; got != "hunter2" {
		t.Errorf("got %q, want hunter2", got)
	}
}

func TestEnvironmentErrors(t *testing.T) {
	const unset = "the environment variable MISSING is not set; set it, or write $${ for a plain ${"
	const noName = "a ${ without the name of an environment variable and } behind it; write ${NAME}, or $${ for a plain ${"
	check(t, []row{
		{commcell("guid: ${MISSING}"), "5: commcells[0].guid: " + unset},
		{commcell("concurrency: ${MISSING}"), "5: commcells[0].concurrency: " + unset},
		{commcell("jobs: [1, ${MISSING}]"), "5: commcells[0].jobs[1]: " + unset},
		{auth("token: ${MISSING}"), "4: commcells[0].auth.token: " + unset},
		{commcell("guid: ${}"), "5: commcells[0].guid: " + noName},
		{commcell("guid: ${N"), "5: commcells[0].guid: " + noName},
		{commcell("guid: ${1N}"), "5: commcells[0].guid: " + noName},
		{commcell("guid: \"${N:-8}\""), "5: commcells[0].guid: " + noName},
		{section("${WORD}: 8"), `5: "${WORD}": unknown key; known here: commcells, nats, store, http, log, cluster, severity, metrics, relays`},
	})
}

func TestNoSecretInAnError(t *testing.T) {
	for _, text := range []string{
		auth("token: 4711"),
		auth("token: [hunter2]"),
		auth("token: {hunter2: 1}"),
		auth("token: \"hunter2\\nhunter2\""),
		auth("token: \"${BROKEN}\""),
		auth("token: hunter2, username: hunter2, password: hunter2"),
		auth("username: a, password: \"x${hunter2\""),
		auth("username: a, password: \"hunter2${}\""),
		auth("token: \"hunter2"),
		"commcells:\n  - name: a\n    auth:\n      token:hunter2\n",
		"commcells:\n  - name: a\n    auth:\n      token: hunter2: a\n",
		"commcells:\n  - name: a\n    auth:\n      token: hunter2\n     scheme: bearer\n",
		"commcells:\n  - name: a\n    auth: hunter2\n",
		strings.Replace(minimal, "https://cs", "https://${WORD}:hunter2@cs", 1),
		strings.Replace(minimal, "https://cs", "https://a:hun ter2/hunter2@cs", 1),
		section("nats: {url: 'nats://a:b,nats://c:hunter2@d'}"),
	} {
		got := refused(t, text)
		for _, secret := range []string{"hunter2", "4711", "one\ntwo", "two"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s\n shows %q: %s", text, secret, got)
			}
		}
	}
}

// TestWhoLooksNeedsNoSecrets: what a service manager sets for the service alone is not set where a person lists jobs.
func TestWhoLooksNeedsNoSecrets(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	const head = "commcells: [{name: prod, url: \"http://127.0.0.1:1\", auth: "
	for text, fails := range map[string]bool{
		head + "{username: u, password_file: \"${CREDENTIALS_DIRECTORY}/password\"}}]\n": false,
		head + "{token: \"${CV_TOKEN}\"}}]\n":                                            false,
		head + "{token: x}}]\nrelays: [{name: ops, subjects: [\"jobs.>\"], webhook: {url_file: \"${DIR}/url\", secret_files: [\"${DIR}/key\"]}}]\n": false,
		head + "{token: x}}]\nrelays: [{name: ops, subjects: [\"jobs.>\"], webhook: {url: \"https://example.com\", body: {key: \"${KEY}\"}}}]\n":    false,
		head + "{token: \"${CV TOKEN}\"}}]\n":                     true, // no variable
		head + "{token: x}}]\nnats: {url: \"nats://${NATS}\"}\n":  true,
		head + "{token: x}}]\nstore: {path: \"${STATE}/w.db\"}\n": true,
	} {
		_, err := parseText("watcher.yaml", []byte(text), none, true)
		if (err != nil) != fails {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := Parse("watcher.yaml", []byte(text), none); err == nil || !strings.Contains(err.Error(), "environment variable") {
			t.Errorf("to run by %s: %v", text, err)
		}
	}
}
