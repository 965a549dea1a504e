package metrics

import (
	"testing"
	"time"

	"jobwatch/internal/job"
)

// TestEndsAreCountedOnce tells ends to a CommCell, and reads what was counted.
func TestEndsAreCountedOnce(t *testing.T) {
	ended := time.Now()
	for _, row := range []struct {
		from, to, operation job.Text
		class, as           string
		want                float64
	}{
		{"Running", "Failed", "Backup", "failed", "backup", 1},
		{"", "Completed", "Restore", "succeeded", "restore", 1},
		{"Running", "Completed w/ one or more errors", "Data Aging", "partial", "data_aging", 1},
		{"Running", "Killed", "Sicherung", "killed", "other", 1},
		{"Running", "Fertig", "", "unknown", "other", 1},
		{"Failed", "Completed", "Backup", "succeeded", "backup", 0}, // counted when it failed
		{"Running", "Pending", "Backup", "failed", "backup", 0},
	} {
		seen := job.Snapshot{State: row.to, Operation: row.operation}
		if row.to != "Pending" {
			seen.EndTime = &ended
		}
		seen.Settle()
		m := New("test")
		m.CommCell("prod").Committed([]job.Change{
			{Kind: job.KindState, From: row.from, To: row.to},
			{Kind: job.KindFailure, Detail: job.DetailState, To: row.to},
		}, &seen)
		if got := read(t, m, "jobwatch_jobs_ended_total", row.class, row.as); got != row.want {
			t.Errorf("%q to %q of %q counts %v as %s of %s, want %v", row.from, row.to, row.operation, got, row.class, row.as, row.want)
		}
		if all := sum(t, m, "jobwatch_jobs_ended_total"); all != row.want {
			t.Errorf("%q to %q counts %v in all, want %v", row.from, row.to, all, row.want)
		}
	}
}

func TestFailedMachinesAreCounted(t *testing.T) {
	m := New("test")
	m.CommCell("prod").Committed([]job.Change{
		{Kind: job.KindFailure, Detail: job.DetailVM, VM: "web01"}, {Kind: job.KindFailure, Detail: job.DetailVM, VM: "web02"},
		{Kind: job.KindFailure, Detail: job.DetailItems},
	}, &job.Snapshot{})
	if got := sum(t, m, "jobwatch_vms_failed_total"); got != 2 {
		t.Errorf("%v machines, want 2", got)
	}
}

func TestWhatIsNoJobEnds(t *testing.T) {
	m := New("test")
	m.CommCell("prod").Committed([]job.Change{{Kind: job.KindCommCell, Detail: job.DetailUnreachable}}, nil)
	if got := sum(t, m, "jobwatch_jobs_ended_total"); got != 0 {
		t.Errorf("a CommCell that is away counts as %v ends", got)
	}
}

// read gives a counter's or gauge's value by the values of its labels but for the CommCell.
func read(t *testing.T, m *Metrics, name string, labels ...string) (value float64) {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, one := range f.Metric {
			has := map[string]bool{}
			for _, l := range one.Label {
				has[l.GetValue()] = true
			}
			matches := f.GetName() == name
			for _, l := range labels {
				matches = matches && has[l]
			}
			if matches {
				value += one.Counter.GetValue() + one.Gauge.GetValue()
			}
		}
	}
	return value
}

func sum(t *testing.T, m *Metrics, name string) float64 { return read(t, m, name) }
