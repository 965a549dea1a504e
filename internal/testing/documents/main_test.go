// Package documents runs the commands that the documents tell a reader to type.
package documents

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"jobwatch/internal/cli"
)

// TestMain lets the test binary play the watcher, which the commands find on their PATH.
func TestMain(m *testing.M) { testscript.Main(m, map[string]func(){"watcher": cli.Main}) }
