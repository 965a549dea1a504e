package commvault

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"jobwatch/internal/job"
)

// wellFormed checks what an event relies on, whatever the answer was.
func wellFormed(t *testing.T, s job.Snapshot) {
	t.Helper()
	if s.Number <= 0 {
		t.Errorf("job %d", s.Number)
	}
	written, err := json.Marshal(s)
	if err != nil || !utf8.Valid(written) || len(written) > 60<<10 {
		t.Errorf("as JSON: %d bytes, %v", len(written), err)
	}
	known := map[string]bool{}
	for _, vm := range s.Machines {
		if vm.Name == "" || known[vm.Identity()] {
			t.Errorf("machine %q, %q without a name, or with another's identity", vm.Name, vm.GUID)
		}
		known[vm.Identity()] = true
	}
	if s.Terminal && s.Phase != "" {
		t.Errorf("a finished job in the phase %q", s.Phase)
	}
}
