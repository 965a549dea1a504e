package metrics

import (
	"testing"
	"time"

	"jobwatch/internal/job"
)

const lastSuccessName = "jobwatch_last_success_timestamp_seconds"

func endedBackup(client, subclient job.Text, state job.Text, end int64) *job.Snapshot {
	at := time.Unix(end, 0)
	s := &job.Snapshot{State: state, Operation: "Backup", Client: client, Subclient: subclient, EndTime: &at}
	s.Settle()
	return s
}

func TestTheLastGoodBackupIsShown(t *testing.T) {
	m := New("test")
	m.ShowLastSuccess([]string{"sql*", "ERP-01"}, 3)
	tell := func(s *job.Snapshot) {
		m.CommCell("prod").Committed([]job.Change{{Kind: job.KindState, From: "Running", To: s.State}}, s)
	}
	tell(endedBackup("sql-01", "default", "Completed", 1000))
	tell(endedBackup("sql-01", "logs", "Completed w/ one or more warnings", 1500))
	tell(endedBackup("sql-01", "default", "Failed", 2000))
	tell(endedBackup("sql-01", "default", "Completed", 900)) // told late
	tell(endedBackup("web-01", "default", "Completed", 3000))
	restore := endedBackup("sql-01", "default", "Completed", 4000)
	restore.Operation = "Restore"
	tell(restore)
	tell(endedBackup("erp-01", "default", "Completed", 1200))
	tell(endedBackup("sql-02", "default", "Completed", 1300)) // the fourth
	tell(endedBackup("sql-02", "default", "Completed", 1400))
	tell(endedBackup("erp-01", "default", "Completed", 5000))
	for _, row := range []struct {
		client, subclient string
		want              float64
	}{{"sql-01", "default", 1000}, {"sql-01", "logs", 1500}, {"erp-01", "default", 5000}} {
		if got := read(t, m, lastSuccessName, row.client, row.subclient); got != row.want {
			t.Errorf("%s/%s: %v, want %v", row.client, row.subclient, got, row.want)
		}
	}
	if got := sum(t, m, lastSuccessName); got != 1000+1500+5000 {
		t.Errorf("more is shown than was asked for: %v", got)
	}
	if got := sum(t, m, "jobwatch_last_success_left_out"); got != 1 {
		t.Errorf("%v left out, want 1", got)
	}
}

func TestNobodysLastBackupIsShownUnasked(t *testing.T) {
	m := New("test")
	m.Succeeded("prod", endedBackup("sql-01", "default", "Completed", 1000))
	if got := sum(t, m, lastSuccessName); got != 0 {
		t.Errorf("shown: %v", got)
	}
}
