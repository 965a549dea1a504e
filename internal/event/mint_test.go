package event

import (
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/job"
)

func TestIDsAreUnique(t *testing.T) {
	var (
		ids     sync.Map
		minting sync.WaitGroup
	)
	form := regexp.MustCompile(`^[a-z2-7]{16}-[0-9]{12}$`) // 16 digits of base 32 are 80 bits
	for range 50 {
		m := NewMinter(nil)
		for number := range uint64(2) { // at once: commits and the CommCell's tick share a minter
			minting.Go(func() {
				e, err := m.Job(number+1, stateChange("", "Running"), seen(job.Snapshot{State: "Running"}), asked)
				if _, again := ids.LoadOrStore(e.ID, true); again || err != nil || !form.MatchString(e.ID) {
					t.Errorf("id %q: had before %t, error %v", e.ID, again, err)
				}
			})
		}
	}
	minting.Wait()
}

func TestIDCountsFromOne(t *testing.T) {
	m := &Minter{epoch: "q7m2xk3vb4t6hs5c"}
	for _, want := range []string{"q7m2xk3vb4t6hs5c-000000000001", "q7m2xk3vb4t6hs5c-000000000002"} {
		e, err := m.CommCell(9, job.Change{Kind: job.KindCommCell, Detail: job.DetailReachable}, job.ID{CommCell: "prod"}, answered, "")
		if err != nil || e.ID != want {
			t.Errorf("id %q (%v), want %q", e.ID, err, want)
		}
	}
}

func TestEpoch(t *testing.T) {
	m := &Minter{epoch: "q7m2xk3vb4t6hs5c"}
	for _, row := range []struct {
		id, epoch string
		ours      bool
	}{
		{"q7m2xk3vb4t6hs5c-000000000001", "q7m2xk3vb4t6hs5c", true},
		{"q7m2xk3vb4t6hs5c-1000000000001", "q7m2xk3vb4t6hs5c", true}, // beyond twelve digits
		{"zzm2xk3vb4t6hs5c-000000000001", "zzm2xk3vb4t6hs5c", false},
		{"q7m2xk3vb4t6hs5c", "", false},
		{"q7m2xk3vb4t6hs5c-", "", false},
		{"q7m2xk3vb4t6hs5c-x", "", false},
		{"", "", false},
	} {
		if epoch, ours := Epoch(row.id), m.Minted(row.id); epoch != row.epoch || ours != row.ours {
			t.Errorf("%q is of epoch %q, ours %v; want %q, %v", row.id, epoch, ours, row.epoch, row.ours)
		}
	}
}

// An event without feed entries is, byte for byte, what it was before there were any.
func TestLogOfAnEvent(t *testing.T) {
	var log []job.FeedEntry
	for i := range job.FeedLimit + 5 {
		log = append(log, job.FeedEntry{Code: "19:979", Severity: job.FeedInfo, Time: asked.Add(time.Duration(i) * time.Second), Text: "Job resumed."})
	}
	mint := func(log ...job.FeedEntry) (Event, JobData) {
		t.Helper()
		e, err := (&Minter{epoch: "q7m2xk3vb4t6hs5c"}).Job(1, stateChange("", "Running"), seen(job.Snapshot{State: "Running"}), asked, log...)
		if err != nil {
			t.Fatal(err)
		}
		data, err := e.Job()
		if err != nil {
			t.Fatal(err)
		}
		return e, data
	}
	if _, data := mint(log...); len(data.Change.Log) != job.FeedLimit || data.Change.Log[job.FeedLimit-1] != log[len(log)-1] {
		t.Errorf("carries %d entries up to %v, want the newest %d", len(data.Change.Log), data.Change.Log[len(data.Change.Log)-1], job.FeedLimit)
	}
	if e, _ := mint(); strings.Contains(string(e.Data), "log") {
		t.Errorf("without entries: %s", e.Data)
	}
	if e, _ := mint(log[0]); !strings.Contains(string(e.Data), `"log":[{"code":"19:979","severity":"info","time":"`) {
		t.Errorf("with one: %s", e.Data)
	}
}

func TestSeverity(t *testing.T) {
	failureState := func(to job.Text) job.Change {
		return job.Change{Kind: job.KindFailure, Detail: job.DetailState, From: "Running", To: to}
	}
	ours := map[string]string{"committed": "info", "wird_gesichert": "warning", "completed": "error"}
	for _, row := range []struct {
		change     job.Change
		want       job.Severity
		wantOfOurs job.Severity
	}{
		{change: stateChange("", "Running"), want: job.Info},
		{change: stateChange("Running", "Abnormal Terminated Cleanup"), want: job.Warning},
		{change: stateChange("Running", "Completed w/ one or more warnings"), want: job.Warning},
		{change: stateChange("Running", "Completed w/ one or more errors"), want: job.Warning},
		{change: stateChange("Running", "Failed"), want: job.Error},
		{change: stateChange("Running", "Killed"), want: job.Warning},
		{change: stateChange("Running", "Wird gesichert"), want: job.Info, wantOfOurs: job.Warning},
		{change: stateChange("Running", "Completed"), want: job.Info, wantOfOurs: job.Error},
		{change: stateChange("Running", " COMMITTED"), want: job.Warning, wantOfOurs: job.Info},
		{change: failureState("Committed"), want: job.Warning, wantOfOurs: job.Info},
		{change: failureState("Failed to Start"), want: job.Error},
		{change: failureState("Killed"), want: job.Warning},
		{change: phaseChange("Scan", "Completed"), want: job.Info},
		{change: job.Change{Kind: job.KindFailure, Detail: job.DetailItems, To: "0 Folders, 1 Files"}, want: job.Warning},
		{change: job.Change{Kind: job.KindFailure, Detail: job.DetailVM, VM: "mail", To: "Failed"}, want: job.Warning},
		{change: job.Change{Kind: job.KindFailure, Detail: job.DetailReason, To: "Completed"}, want: job.Warning},
		{change: job.Change{Kind: job.KindWatch, Detail: job.DetailAttempt, To: "2"}, want: job.Info},
		{change: job.Change{Kind: job.KindWatch, Detail: job.DetailLost}, want: job.Warning},
		{change: job.Change{Kind: job.KindWatch, Detail: job.DetailStalled}, want: job.Warning},
		{change: job.Change{Kind: job.KindWatch, Detail: job.DetailResumed}, want: job.Info},
		{change: phaseChange("Scan", "Stalled"), want: job.Info},
	} {
		if row.wantOfOurs == "" {
			row.wantOfOurs = row.want
		}
		for _, rule := range []struct {
			set  map[string]string
			want job.Severity
		}{{nil, row.want}, {ours, row.wantOfOurs}} {
			e, err := NewMinter(rule.set).Job(1, row.change, seen(job.Snapshot{State: row.change.To}), asked)
			if err != nil {
				t.Fatal(err)
			}
			if data, err := e.Job(); err != nil || data.Severity != rule.want {
				t.Errorf("%+v with %v is %q (%v), want %q", row.change, rule.set, data.Severity, err, rule.want)
			}
		}
	}
}

func TestSeverityOfCommCell(t *testing.T) {
	for detail, want := range map[string]job.Severity{job.DetailUnreachable: job.Warning, job.DetailReachable: job.Info} {
		if data, err := mintCommCell(t, 1, detail, "").CommCell(); err != nil || data.Severity != want {
			t.Errorf("%s is %q (%v), want %q", detail, data.Severity, err, want)
		}
	}
}

func TestTimesAreUTCInMilliseconds(t *testing.T) {
	zone := time.FixedZone("CET", 3600)
	o := seen(job.Snapshot{State: "Running"})
	o.Answered = time.Date(2026, 11, 23, 15, 0, 0, 123_999_999, zone)
	before := time.Date(2026, 11, 23, 0, 59, 30, 118_000_001, zone)
	e, err := NewMinter(nil).Job(1, stateChange("", "Running"), o, before)
	if err != nil {
		t.Fatal(err)
	}
	data, err := e.Job()
	if err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]time.Time{"time": e.Time, "observedAt": data.Change.ObservedAt} {
		if got := got.Format(time.RFC3339Nano); got != "2026-11-23T14:00:00.123Z" {
			t.Errorf("%s is %s", what, got)
		}
	}
	if got := data.Change.NotBefore.Format(time.RFC3339Nano); got != "2026-11-22T23:59:30.118Z" {
		t.Errorf("notBefore is %s", got)
	}
}

// The caller may change its map of severities later.
func TestMinterKeepsItsSeverities(t *testing.T) {
	set := map[string]string{"killed": "info"}
	m := NewMinter(set)
	set["killed"] = "error"
	e, err := m.Job(1, stateChange("", "Killed"), seen(job.Snapshot{State: "Killed"}), asked)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := e.Job(); err != nil || data.Severity != job.Info {
		t.Errorf("killed is %q (%v), want %q", data.Severity, err, job.Info)
	}
}
