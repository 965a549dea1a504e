package daemon

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"jobwatch/internal/config"
)

var fenced = regexp.MustCompile("(?ms)^( *)```yaml\n *(relays:.*?)```")

// TestTheDocumentsRelaysAreTaken: whoever copies a relay out of a document gets no error for it.
func TestTheDocumentsRelaysAreTaken(t *testing.T) {
	environment := func(string) (string, bool) { return "key", true }
	for page, least := range map[string]int{"relays.md": 9, "relays-slack.md": 1, "audit.md": 1} {
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		found := fenced.FindAllStringSubmatch(string(text), -1)
		if len(found) < least {
			t.Errorf("%s has %d relays in YAML, at least %d are known", page, len(found), least)
		}
		for _, block := range found {
			relays := strings.ReplaceAll(block[2], "\n"+block[1], "\n")
			cfg, err := config.Parse(page, []byte("commcells: [{name: prod, url: 'https://cs.example.com', auth: {token: t}}]\n"+relays), environment)
			if err == nil {
				err = CheckRelays(cfg)
			}
			if err != nil {
				t.Errorf("%v in\n%s", err, relays)
			}
		}
	}
}
