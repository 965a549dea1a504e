package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestHelp holds that every command has an example, which names it.
func TestHelp(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.HasParent() && !strings.Contains(c.Example, strings.TrimSpace(c.CommandPath())) {
			t.Errorf("%s has no example: %q", c.CommandPath(), c.Example)
		}
		for _, below := range c.Commands() {
			visit(below)
		}
	}
	visit(newRoot())
}
