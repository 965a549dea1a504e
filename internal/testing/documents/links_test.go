package documents

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// TestLinksLeadSomewhere: to a file that is there, and to a heading that it has.
func TestLinksLeadSomewhere(t *testing.T) {
	for _, document := range append(documentsThere(t), "CONTRIBUTING.md") {
		for _, m := range link.FindAllStringSubmatch(text(t, document), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, ":") {
				continue // on the web
			}
			leads := filepath.Join(filepath.Dir(document), file)
			if file == "" {
				leads = document
			}
			if _, err := os.Stat(filepath.Join(root, leads)); err != nil {
				t.Errorf("%s: %s: %v", document, m[1], err)
			} else if anchor != "" && strings.HasSuffix(leads, ".md") && !anchors(text(t, leads))[anchor] {
				t.Errorf("%s: %s: there is no such heading", document, m[1])
			}
		}
	}
}

// anchors are the headings as GitHub and others name them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(m[1], ""))
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}
