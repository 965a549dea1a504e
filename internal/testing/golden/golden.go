// Package golden holds what tests make to files that a person has looked at.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// Update is go test -update: the files are written anew.
var Update = flag.Bool("update", false, "write the golden files anew")

// Is wants a text to be that of a file in testdata.
func Is(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *Update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not as it was (-update writes it anew): got\n%s\nwant\n%s", file, got, want)
	}
}
