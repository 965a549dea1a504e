package diff_test

import (
	"strings"
	"testing"
	"time"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

func TestCommCell(t *testing.T) {
	var told job.Told
	for i, step := range []struct {
		answers bool
		want    string
	}{
		{true, ""}, // reachable follows an unreachable only
		{false, "commcell.unreachable"},
		{false, ""},
		{true, "commcell.reachable"},
		{true, ""},
		{false, "commcell.unreachable"},
	} {
		var got []string
		changes := diff.CommCell(told, step.answers)
		for _, c := range changes {
			got = append(got, c.Kind+"."+c.Detail)
		}
		if strings.Join(got, " ") != step.want {
			t.Errorf("poll %d, answers %t: tells %q, want %q", i, step.answers, got, step.want)
		}
		told = told.TellAll(changes, &job.Snapshot{}, time.Time{})
	}
}
