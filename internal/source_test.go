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
	for _, file := range []string{"../README.md", "../docs/source.md", "../docs/promises.md", "../docs/met.md", "../docs/security.md", "../docs/operating.md"} {
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

var fileName = regexp.MustCompile("[`(](?:\\.\\./)?([\\w./-]*\\w\\.go)[`)]")

// TestDocsNameFilesThatExist: whoever looks for one finds it. A package's are named with or without internal/ before it,
// and alone where the text says which package's.
func TestDocsNameFilesThatExist(t *testing.T) {
	docs, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, file := range append(docs, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fileName.FindAllSubmatch(text, -1) {
			named++
			if !isThere(string(m[1])) {
				t.Errorf("%s: there is no %s", file, m[1])
			}
		}
	}
	if named == 0 {
		t.Error("no file is named at all")
	}
}

func isThere(name string) bool {
	for _, pattern := range []string{"../" + name, name, "*/" + name, "*/*/" + name} {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

func TestEachTrapAndSafeguardHasATest(t *testing.T) {
	for file, head := range map[string]string{"../docs/source.md": "| trap ", "../docs/promises.md": "| safeguard ", "../docs/security.md": "| threat "} {
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
	for _, root := range []string{".", "../cmd", "../tools"} {
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
