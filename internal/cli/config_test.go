package cli

import (
	"bytes"
	"os"
	"testing"
)

// The schema beside configs/watcher.yaml is what the program prints.
func TestConfigSchemaPrintsWhatIsKept(t *testing.T) {
	kept, err := os.ReadFile("../../configs/watcher.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if status := Execute(t.Context(), []string{"config", "schema"}, nil, &out, &errs); status != done || errs.Len() > 0 {
		t.Fatalf("status %d, %s", status, errs.String())
	}
	if !bytes.Equal(out.Bytes(), kept) {
		t.Errorf("watcher config schema prints\n%s", out.Bytes())
	}
}
