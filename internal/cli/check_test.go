package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/testing/terminal"
)

// nothingAnswers is the configuration of a watcher whose CommServe and NATS are away.
func nothingAnswers(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "watcher.yaml")
	text := `
commcells: [{name: prod, url: "http://127.0.0.1:1/api", auth: {username: watcher, password: watcher-secret}}]
nats: {url: "nats://127.0.0.1:1"}
http: {listen: ""}
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheckFails(t *testing.T) {
	file := nothingAnswers(t)
	got := terminal.Command(Execute).Typed(t, "check", "-c", file)
	got.Fails(t, failed, file+": 2 of 4 checks failed")
	for _, line := range []string{
		"configuration\n  ok       " + file + " is valid\n", "\ncommcell prod\n", "\n  failed   connection: dial tcp 127.0.0.1:1: ", "\nNATS\n  failed   nats://127.0.0.1:1: ",
	} {
		if !strings.Contains(got.Out, line) {
			t.Errorf("%q is not in\n%s", line, got.Out)
		}
	}
	if strings.Contains(got.Out+got.Errs, "watcher-secret") {
		t.Errorf("the password is in\n%s%s", got.Out, got.Errs)
	}
}

// What check has found is not lost in silence: its status is what a script goes by.
func TestCheckThatCannotSayWhatItFound(t *testing.T) {
	file := nothingAnswers(t)
	for _, form := range []string{"table", "json"} {
		var errs strings.Builder
		status := Execute(t.Context(), []string{"check", "-o", form, "-c", file}, strings.NewReader(""), terminal.BrokenPipe(t), &errs)
		if status != failed || !strings.Contains(errs.String(), "broken pipe") {
			t.Errorf("-o %s: status %d, %q", form, status, errs.String())
		}
	}
}
