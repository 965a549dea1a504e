package daemon

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/metrics"
	"jobwatch/internal/store"
)

// TestGoodBackupsOfBeforeTheStartAreShown: who asks after a restart when a client was last backed up wants no later answer.
func TestGoodBackupsOfBeforeTheStartAreShown(t *testing.T) {
	st, err := store.Open(filepath.Join(t.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for number, state := range map[int64]job.Text{71: "Completed", 72: "Failed"} {
		end := time.Unix(1_700_000_000+number, 0).UTC()
		seen := job.Snapshot{CommCell: "prod", Number: number, Client: "sql-01", Subclient: "default", Operation: "Backup", State: state, EndTime: &end}
		seen.Settle()
		at := time.Unix(1_700_000_900, 0).UTC()
		err := st.Commit(store.PollResult{
			Seen: job.Observation{Snapshot: seen, Asked: at, Answered: at}, Changes: []job.Change{{Kind: job.KindState, Detail: "completed", To: state}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	p := &parts{Daemon: &Daemon{Log: slog.New(slog.DiscardHandler)}, store: st, metrics: metrics.New("test")}
	p.metrics.ShowLastSuccess([]string{"SQL-*"}, 10)
	p.metrics.CommCell("prod")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- p.noteSuccesses(ctx) }()
	defer func() { stop(); <-ended }()
	want := `jobwatch_last_success_timestamp_seconds{client="sql-01",commcell="prod",subclient="default"} 1.700000071e+09`
	said, deadline := "", time.Now().Add(30*time.Second)
	for ; !strings.Contains(said, want); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not in\n%s", want, said)
		}
		answer := httptest.NewRecorder()
		p.metrics.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
		said = answer.Body.String()
	}
}
