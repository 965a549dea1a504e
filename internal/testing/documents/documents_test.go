package documents

import (
	"slices"
	"testing"

	"jobwatch/internal/testing/slow"
)

// fromNothing are the documents whose reader begins in an empty folder. That of any other has a watcher that runs.
var fromNothing = []string{"README.md", "docs/getting-started.md", "docs/simulator.md", "docs/relays-slack.md"}

// TestEachCommandIsRun plays the reader of each document, from its first command to its last.
func TestEachCommandIsRun(t *testing.T) {
	slow.Test(t, "20 s", "what a reader types has to work as it stands")
	for _, document := range documentsThere(t) {
		var typed []command
		for _, c := range commands(t, document) {
			if words := plain(c.text); why(words) == "" && runs.MatchString(words) { // nothing else, whatever a document says
				typed = append(typed, c)
			}
		}
		if len(typed) == 0 {
			continue
		}
		t.Run(document, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if !slices.Contains(fromNothing, document) {
				w.watches()
			}
			for _, c := range typed {
				t.Log(c)
				w.types(c)
			}
			w.stop()
		})
	}
}
