package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var testName = regexp.MustCompile("`(Test\\w+)`")

// TestDocsNameTestsThatExist: a promise whose test is gone is none.
func TestDocsNameTestsThatExist(t *testing.T) {
	there := testsThatExist(t)
	for _, file := range []string{"../README.md", "../docs/source.md", "../docs/promises.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		named := testName.FindAllSubmatch(text, -1)
		if len(named) == 0 {
			t.Errorf("%s names no test", file)
		}
		for _, m := range named {
			if !there[string(m[1])] {
				t.Errorf("%s: there is no %s", file, m[1])
			}
		}
	}
}

func TestEachTrapAndSafeguardHasATest(t *testing.T) {
	for file, head := range map[string]string{"../docs/source.md": "| trap ", "../docs/promises.md": "| safeguard "} {
		table, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(table)) {
			if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, head) && !testName.MatchString(line) {
				t.Errorf("%s: no test: %s", file, line)
			}
		}
	}
}

func testsThatExist(t *testing.T) map[string]bool {
	there := map[string]bool{}
	for _, root := range []string{".", "../cmd"} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllSubmatch(text, -1) {
				there[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return there
}
