package cli

import (
	"strings"
	"testing"

	"jobwatch/internal/testing/terminal"
)

// TestTail reads a part of a real stream: what there is, and no more.
func TestTail(t *testing.T) {
	s := newTold(t)
	s.all(t, []string{"state.running Running", "phase.scan Running", "watch.stalled Running", "state.failed Failed", "failure.state Failed", "failure.reason Failed"})
	tail := func(words string) terminal.Said {
		t.Helper()
		return terminal.Command(Execute).Typed(t, append(strings.Fields("tail -c "+s.config), strings.Fields(words)...)...)
	}
	for _, row := range []struct{ words, want string }{
		{"--since 1h", "state phase watch.stalled state failure.reason"}, // the failed state is one line
		{"-n 1", "failure.reason"},
		{"-n 2", "state failure.reason"},
		{"-n 3", "watch.stalled state failure.reason"},
		{"-n 5", "state phase watch.stalled state failure.reason"},
		{"-n 100", "state phase watch.stalled state failure.reason"},
		{"--since 1h --severity error", "state"},
		{"--since 1h --severity warning", "watch.stalled state failure.reason"},
		{"-n 1 --severity warning --class active", "watch.stalled"},
		{"--since 1h --class active,queued", "state phase watch.stalled"},
		{"--since 1h --kind failure", "failure.state failure.reason"},
		{"--since 1h --client FALL", ""}, // NATS compares it to the letter
		{"-n 2 --client no*", ""},
		{"--since 1h --job prod/1249", ""},
	} {
		var got []string
		for line := range strings.Lines(tail(row.words + " --until 0s").Succeeds(t).Out) {
			got = append(got, strings.Fields(line)[4])
		}
		if strings.Join(got, " ") != row.want {
			t.Errorf("tail %s: %s, want %s", row.words, strings.Join(got, " "), row.want)
		}
	}
	if out := tail("-n 2 --until 0s -o json").Succeeds(t).Out; strings.Count(out, "\n") != 2 || !strings.Contains(out, `"failure"`) {
		t.Errorf("as JSON:\n%s", out)
	}
	for _, before := range []string{"--since 1h --until 30m", "-n 3 --until 30m"} {
		if out := tail(before).Succeeds(t).Out; out != "" {
			t.Errorf("tail %s prints:\n%s", before, out)
		}
	}
	for words, want := range map[string]string{
		"--until 1h":               "--until 1h: wants --since or -n with it",
		"--until soon":             "--until soon: neither a duration",
		"-n 5 --since 1h":          "-n and --since: there can be one beginning",
		"-n -5":                    "-n -5: wants 0 or more",
		"--severity fatal":         "--severity fatal: no severity; there are info, warning, error",
		"--class bad":              "--class bad: no class; there are active",
		"--kind rumour":            "--kind rumour: no kind",
		"--client [*":              "--client [*: no pattern",
		"--commcell dr --since 1h": "--commcell dr: the configuration names prod",
	} {
		tail(words).Fails(t, wrong, want)
	}
}

// TestTailGoesOnBehindTheLatest prints what was last told, and then what comes.
func TestTailGoesOnBehindTheLatest(t *testing.T) {
	s := newTold(t)
	s.all(t, []string{"state.running Running", "phase.scan Running"})
	var out, errs watched
	go Execute(t.Context(), []string{"tail", "-n", "1", "-c", s.config}, nil, &out, &errs)
	out.await(t, "phase")
	s.tell(t, "state.failed", "Failed")
	out.await(t, "Failed")
	if strings.Count(out.String(), "\n") != 2 {
		t.Errorf("printed are\n%s", out.String())
	}
}
