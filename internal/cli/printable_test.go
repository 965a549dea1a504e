package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"jobwatch/internal/config"
	"jobwatch/internal/sim"
)

// evil is what could come from outside: it overrides the direction, isolates, clears the screen, and rings.
const evil = "fs\u202egpj.elif \u2066a\u2069 \x1b[2Jcleared \u009b31mred \abell \u200fmark \u0085next"

// harmless fails a test where a terminal would act upon what is printed, colours of ours aside.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	text = regexp.MustCompile("\x1b\\[(0|2|9[0-9])?m").ReplaceAllString(text, "")
	for _, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Errorf("%s prints %U: %q", what, r, text)
			return
		}
	}
	if !strings.Contains(text, `\u202e`) {
		t.Errorf("%s hides what is there: %q", what, text)
	}
}

// TestTextsCannotMoveTheTerminal has a CommServe say what a terminal would act upon, and shows it with every command.
func TestTextsCannotMoveTheTerminal(t *testing.T) {
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: evil, Steps: []sim.Step{{At: -time.Hour, State: "Running", Phase: evil}, {At: -time.Minute, State: "Pending", Reason: evil}}})
	w := newWorld(t, 1, play)
	w.start()
	w.judge()
	for _, command := range []string{"jobs -c FILE list", "jobs -c FILE show sim/71", "jobs -c FILE history sim/71", "__complete jobs -c FILE show sim/7"} {
		words := strings.Fields(strings.Replace(command, "FILE", w.config, 1))
		harmless(t, command, typed(t, words...).succeeds(t, "").out)
	}
	var out log
	going := make(chan int, 1)
	go func() {
		going <- Execute(t.Context(), []string{"tail", "--since", "1h", "-c", w.config}, nil, &out, &out)
	}()
	w.until("tail prints", func() bool {
		return strings.Contains(out.String(), "Pending") && strings.Contains(out.String(), "reason")
	})
	harmless(t, "tail", out.String())

	for _, command := range []string{"show sim/71", "history sim/71", "list"} {
		words := append(strings.Fields("jobs -o json -c "+w.config), strings.Fields(command)...)
		harmless(t, command+" as JSON", typed(t, words...).succeeds(t).out)
	}
	var jobs []map[string]any // and a program reads in it what is so
	if err := json.Unmarshal([]byte(typed(t, "jobs", "list", "-o", "json", "-c", w.config).succeeds(t).out), &jobs); err != nil || jobs[0]["client"] != evil {
		t.Errorf("JSON says %q (%v)", jobs, err)
	}
	w.ends()
}

func TestInspectCannotMoveTheTerminal(t *testing.T) {
	text, err := json.Marshal(map[string]any{"job": map[string]any{"jobDetail": map[string]any{
		"generalInfo":  map[string]any{"jobId": 71, "subclient": map[string]any{"clientName": evil}},
		"progressInfo": map[string]any{"state": "Pending", "reasonForJobDelay": evil},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "answer.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := typed(t, "inspect", file).succeeds(t)
	harmless(t, "inspect", s.out)
	var shown map[string]any
	if err := json.Unmarshal([]byte(s.out), &shown); err != nil || shown["client"] != evil {
		t.Errorf("client is %q in it (%v)", shown["client"], err)
	}
	harmless(t, "inspect of two", typed(t, "inspect", file, file).out+`\u202e`)
}

func TestLogCannotMoveTheTerminal(t *testing.T) {
	for _, coloured := range []bool{false, true} {
		var out bytes.Buffer
		log := newTextLog(&out, slog.LevelInfo, coloured)
		log.Info("said: "+evil, "err", errors.New(evil))
		log.With("job", strings.ReplaceAll(evil, " ", "")).Warn("\u202e", "phase", evil)
		harmless(t, "the log", out.String())
	}
	var asJSON bytes.Buffer // as journalctl shows it
	newLog(&asJSON, config.Log{Format: "json", Level: "info"}).Info("said: "+evil, "err", errors.New(evil))
	harmless(t, "the log as JSON", asJSON.String())

	var out, errs bytes.Buffer
	if Execute(t.Context(), []string{"inspect", "fs\u202egpj.elif"}, nil, &out, &errs) != wrong {
		t.Error("no such file, and no error")
	}
	harmless(t, "an error", errs.String())
}
