package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/config"
	"jobwatch/internal/testing/terminal"
)

func TestInspectCannotMoveTheTerminal(t *testing.T) {
	text, err := json.Marshal(map[string]any{"job": map[string]any{"jobDetail": map[string]any{
		"generalInfo":  map[string]any{"jobId": 71, "subclient": map[string]any{"clientName": terminal.Evil}},
		"progressInfo": map[string]any{"state": "Pending", "reasonForJobDelay": terminal.Evil},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "answer.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := terminal.Command(Execute).Typed(t, "inspect", file).Succeeds(t)
	terminal.Harmless(t, "inspect", s.Out)
	var shown map[string]any
	if err := json.Unmarshal([]byte(s.Out), &shown); err != nil || shown["client"] != terminal.Evil {
		t.Errorf("client is %q in it (%v)", shown["client"], err)
	}
	terminal.Harmless(t, "inspect of two", terminal.Command(Execute).Typed(t, "inspect", file, file).Out+`\u202e`)
}

func TestLogCannotMoveTheTerminal(t *testing.T) {
	for _, coloured := range []bool{false, true} {
		var out bytes.Buffer
		log := newTextLog(&out, slog.LevelInfo, coloured)
		log.Info("said: "+terminal.Evil, "err", errors.New(terminal.Evil))
		log.With("job", strings.ReplaceAll(terminal.Evil, " ", "")).Warn("\u202e", "phase", terminal.Evil)
		terminal.Harmless(t, "the log", out.String())
	}
	var asJSON bytes.Buffer // as journalctl shows it
	inJSON, _ := newLog(&asJSON, config.Log{Format: "json", Level: "info"})
	inJSON.Info("said: "+terminal.Evil, "err", errors.New(terminal.Evil))
	terminal.Harmless(t, "the log as JSON", asJSON.String())

	var out, errs bytes.Buffer
	if Execute(t.Context(), []string{"inspect", "fs\u202egpj.elif"}, nil, &out, &errs) != wrong {
		t.Error("no such file, and no error")
	}
	terminal.Harmless(t, "an error", errs.String())
}
