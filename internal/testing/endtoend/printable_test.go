package endtoend

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/cli"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/terminal"
)

// TestTextsCannotMoveTheTerminal has a CommServe say what a terminal would act upon, and shows it with every command.
func TestTextsCannotMoveTheTerminal(t *testing.T) {
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: terminal.Evil, Steps: []sim.Step{{At: -time.Hour, State: "Running", Phase: terminal.Evil}, {At: -time.Minute, State: "Pending", Reason: terminal.Evil}}})
	w := newWorld(t, 1, play)
	w.start()
	w.judge()
	for _, command := range []string{"jobs -c FILE list", "jobs -c FILE show sim/71", "jobs -c FILE history sim/71", "__complete jobs -c FILE show sim/7"} {
		words := strings.Fields(strings.Replace(command, "FILE", w.config, 1))
		terminal.Harmless(t, command, typed(t, words...).Succeeds(t, "").Out)
	}
	var out log
	going := make(chan int, 1)
	go func() {
		going <- cli.Execute(t.Context(), []string{"tail", "--since", "1h", "-c", w.config}, nil, &out, &out)
	}()
	w.until("tail prints", func() bool {
		return strings.Contains(out.String(), "Pending") && strings.Contains(out.String(), "reason")
	})
	terminal.Harmless(t, "tail", out.String())

	for _, command := range []string{"show sim/71", "history sim/71", "list"} {
		words := append(strings.Fields("jobs -o json -c "+w.config), strings.Fields(command)...)
		terminal.Harmless(t, command+" as JSON", typed(t, words...).Succeeds(t).Out)
	}
	var jobs []map[string]any // and a program reads in it what is so
	if err := json.Unmarshal([]byte(typed(t, "jobs", "list", "-o", "json", "-c", w.config).Succeeds(t).Out), &jobs); err != nil || jobs[0]["client"] != terminal.Evil {
		t.Errorf("JSON says %q (%v)", jobs, err)
	}
	w.ends()
}
