package cli

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary play the watcher itself, for the scripts.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"watcher": Main}) }
