package cli

import (
	"bytes"
	"os"
	"testing"
)

// The line that the kept contract's test advises must write just what that test wants.
func TestContractPrintsWhatIsKept(t *testing.T) {
	for word, file := range map[string]string{"jsonschema": "event.schema.json", "asyncapi": "asyncapi.json"} {
		kept, err := os.ReadFile("../../contract/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if status := Execute(t.Context(), []string{"contract", word}, nil, &out, &errs); status != done || errs.Len() > 0 {
			t.Errorf("contract %s: status %d, %s", word, status, &errs)
		}
		if !bytes.Equal(out.Bytes(), kept) {
			t.Errorf("contract %s prints something else than contract/%s; go test ./contract says what", word, file)
		}
	}
}
