package documents

import (
	"regexp"
	"strings"
)

// notRun are commands of other programs that do not run here, and why. What is neither run nor here fails the test.
var notRun = []struct{ begin, why string }{
	{"nats ", "the nats command is none of ours; rights and subjects of the same words are tested in internal/stream and contract"},
	{"systemctl enable", "systemd runs the unit; internal/unit_test.go holds it against its document"},
	{"systemctl daemon-reload", "as above"},
	{"systemctl status", "as above"},
	{"systemctl edit", "as above"},
	{"useradd ", "makes a user of the system; make test-dist has the package do it"},
	{"promtool ", "there is no Prometheus here; tools/prometheus has its library check the rules"},
	{"sed 's|runbook_url", "as above"},
	{"install ", "writes below /etc and /usr; make test-dist installs the packages"},
	{"dpkg ", "make test-dist installs, upgrades and removes the package"},
	{"docker ", "there is no Docker here"},
	{"skopeo ", "there is no Docker here"},
	{"kubectl ", "there is no cluster here; make test-dist decodes what it is given"},
	{"nats-server ", "the server runs in the tests that need it, inside them"},
	{"openssl s_client ", "asks a real host"},
	{"go build ", "the test binary is the same program"},
	{"go run ./examples/", "internal/testing/endtoend runs the subscribers, and kills them"},
	{"cd examples/node", "as above"},
	{"node subscribe.mjs", "as above"},
	{"examples/shell/", "as above"},
	{"go test ", "a test does not run tests"},
	{"JOBWATCH_SEED=", "a test does not run tests"},
	{"make ", "a test does not run make; that there is such a target is checked"},
	{"less ", "wants a terminal"},
	{"editor ", "wants a person"},
	{"watcher init -c /etc/jobwatch/watcher.yaml --store /var/lib/jobwatch", "needs the package's folders and group: make test-dist runs it"},
	{"watcher demo", "TestDemo runs it, and ends it"},
	{"watcher cluster leave", "needs a cluster: TestClusterAtTheDesk runs it"},
	{"watcher cluster status", "as above"},
}

// why a command is not run; "" where it is.
func why(words string) string {
	for _, k := range notRun {
		if strings.HasPrefix(words, k.begin) {
			return k.why
		}
	}
	return ""
}

// runs are the programs whose commands run.
var runs = regexp.MustCompile(`^(watcher|systemctl (start|stop) watcher$|curl|cp|mv|mkdir|cd|df|until|python3|\(umask 077; (cat|echo) )`)

// goesOn are those that end when they are told to. What the later commands need stays until the document's end.
var (
	goesOn = regexp.MustCompile(`^(watcher (tail|top|jobs list .*--watch)|curl .*-N )`)
	stays  = regexp.MustCompile(`^watcher (run|sim)\b`)
	ends   = regexp.MustCompile(`^watcher tail .*--until`)
)

// plain is a command without what differs from reader to reader: where the program lies, who may, a comment behind it.
func plain(words string) string {
	words = remark.ReplaceAllString(words, "")
	words = strings.TrimPrefix(words, "sudo ")
	words = strings.Replace(words, "go run ./cmd/watcher ", "watcher ", 1)
	return regexp.MustCompile(`^\.{1,2}/watcher `).ReplaceAllString(words, "watcher ")
}
