package page

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestVendoredFilesAreThoseOfTheList: what others have written stands here as their package has it, with its licence.
func TestVendoredFilesAreThoseOfTheList(t *testing.T) {
	for _, dir := range []string{"vendor", "../testdata/axe"} {
		var packages []struct {
			Name, Version, Integrity, Licence string
			Files                             []struct {
				To  string
				Sum string `json:"sha256"`
			}
		}
		text, err := os.ReadFile(filepath.Join(dir, "vendor.json"))
		if err == nil {
			err = json.Unmarshal(text, &packages)
		}
		if err != nil {
			t.Fatal(err)
		}
		listed := []string{"vendor.json"}
		for _, p := range packages {
			licensed := false
			for _, f := range p.Files {
				listed = append(listed, f.To)
				licensed = licensed || strings.HasSuffix(f.To, "LICENSE.txt")
				content, err := os.ReadFile(filepath.Join(dir, f.To))
				if err != nil {
					t.Fatal(err)
				}
				if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != f.Sum {
					t.Errorf("%s/%s is not that of %s@%s any more; mend with: go generate ./internal/web/page", dir, f.To, p.Name, p.Version)
				}
			}
			if !licensed || p.Licence == "" || !strings.HasPrefix(p.Integrity, "sha512-") {
				t.Errorf("%s/vendor.json: %s has no licence, or no integrity", dir, p.Name)
			}
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !slices.Contains(listed, e.Name()) {
				t.Errorf("%s/%s is in no vendor.json", dir, e.Name())
			}
		}
	}
}

// TestNothingTurnsTextIntoMarkup: what a CommServe names a client is a text, and a browser would run no script of it.
func TestNothingTurnsTextIntoMarkup(t *testing.T) {
	for _, name := range Names() {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(content)
		switch {
		case strings.HasPrefix(name, "vendor/"):
		case strings.HasSuffix(name, ".html"):
			for what, never := range map[string]string{
				"a script in the page": `(?i)<script(\s[^>]*)?>\s*\S+?.*</script>`, "a script from elsewhere": `(?i)(src|href)="(https?:)?//`,
				"a handler": `(?i)\son[a-z]+\s*=`, "a style in the page": `(?i)<style|\sstyle\s*=`, "an address that is a script": `(?i)javascript:`,
			} {
				if found := regexp.MustCompile(never).FindString(text); found != "" {
					t.Errorf("%s: %s: %q", name, what, found)
				}
			}
		case strings.HasSuffix(name, ".js"):
			for _, never := range []string{"innerHTML", "dangerouslySet", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "srcdoc", "setHTML"} {
				if strings.Contains(text, never) {
					t.Errorf("%s uses %s", name, never)
				}
			}
		}
	}
}

// TestThePageStaysSmall holds the page to its budget: whoever mends it reads it in an afternoon.
func TestThePageStaysSmall(t *testing.T) {
	const most = 2500
	lines := 0
	for _, name := range Names() {
		if strings.HasPrefix(name, "vendor/") {
			continue
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		lines += strings.Count(string(content), "\n")
	}
	if lines > most {
		t.Errorf("the page has %d lines, of at most %d", lines, most)
	}
}
