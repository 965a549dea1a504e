package documents

import (
	"regexp"
	"strings"
	"testing"

	"jobwatch/internal/config"
)

var (
	file = regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```")
	keys = regexp.MustCompile(`^(?:#.*\n)*(commcells|nats|store|http|log|cluster|severity|relays|metrics):`)
)

// TestFilesAreTaken: what a document has its reader write into watcher.yaml is a configuration, or with a CommCell becomes one.
func TestFilesAreTaken(t *testing.T) {
	const commCell = "commcells: [{name: prod, url: \"https://cs.example.com/commandcenter/api\", auth: {token_file: token}}]\n"
	taken := 0
	for _, document := range documentsThere(t) {
		for _, m := range file.FindAllStringSubmatch(text(t, document), -1) {
			said := regexp.MustCompile("(?m)^"+m[1]).ReplaceAllString(m[2], "")
			if !keys.MatchString(said) {
				continue // a part of it, or another program's
			}
			taken++
			if !strings.Contains("\n"+said, "\ncommcells:") {
				said = commCell + said
			}
			if _, err := config.Parse("watcher.yaml", []byte(said), func(string) (string, bool) { return "given", true }); err != nil {
				t.Errorf("%s: %v\n%s", document, err, said)
			}
		}
	}
	if taken < 10 {
		t.Errorf("%d files found, which cannot be all", taken)
	}
}
