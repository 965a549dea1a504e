package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"jobwatch/internal/cli"
)

// TestManPages wants a page for each command, with its example and nothing of its text lost.
func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			visit(below)
		}
		if !c.IsAvailableCommand() {
			return
		}
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
			return
		}
		if c.HasParent() && !strings.Contains(string(page), "EXAMPLE") {
			t.Errorf("%s: no example", c.CommandPath())
		}
	}
	visit(cli.Root())
	page, err := os.ReadFile(filepath.Join(dir, "watcher-jobs.1"))
	if err != nil || !strings.Contains(string(page), "<commcell>/<job id>") {
		t.Errorf("the name of a job is not in it (%v):\n%s", err, page)
	}
}
