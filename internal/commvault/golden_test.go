package commvault

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/job"
	"jobwatch/internal/testing/golden"
)

// TestGolden pins what becomes of an answer, for each shape that was seen of real servers.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".golden.json") {
			continue
		}
		seen++
		t.Run(filepath.Base(file), func(t *testing.T) {
			snapshot, err := decodeBody("prod", 0, readFile(t, file))
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, strings.TrimSuffix(filepath.Base(file), ".json")+".golden.json", snapshot)
		})
	}
	if seen < 7 {
		t.Errorf("%d answers in testdata, want 7 at least", seen)
	}
}

func compareGolden(t *testing.T, file string, snapshot job.Snapshot) {
	t.Helper()
	got, err := json.MarshalIndent(struct {
		Job       job.Snapshot `json:"job"`
		Machines  []job.VM     `json:"machines"`
		Truncated []string     `json:"truncated,omitempty"`
	}{snapshot, snapshot.Machines, snapshot.Truncated}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Is(t, file, string(got)+"\n")
}

func readFile(t testing.TB, file string) []byte {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return body
}
