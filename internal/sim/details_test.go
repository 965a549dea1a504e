package sim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// shapes holds a job of each kind that runs, and the same ones finished 1000 later.
func shapes(t *testing.T) *caller {
	var clock hand
	s := New(Config{Clock: clock.now})
	for kind := FileSystem; kind <= Verification; kind++ {
		running := Step{State: "Running", Phase: "Backup"}
		if kind == VirtualServer {
			running.VMs = []VM{{Name: "dc-01"}, {Name: "web-02", Reason: "No snapshot."}}
		}
		ended := running
		ended.At, ended.State, ended.Phase = 30*time.Second, "Completed", ""
		s.Add(Job{ID: int64(kind), Kind: kind, Steps: []Step{running}})
		s.Add(Job{ID: 1000 + int64(kind), Kind: kind, Steps: []Step{running, ended}})
	}
	clock.set(time.Minute)
	return call(t, s)
}

func TestShapes(t *testing.T) {
	c := shapes(t)
	const text, number, missing = "text", "number", "missing"
	for _, row := range []struct {
		id    int64
		path  string
		shape string
	}{
		{0, "generalInfo.jobId", number},
		{0, "generalInfo.jobAttributes", "288230376151711744"},
		{0, "generalInfo.totalNumOfFiles", number},
		{0, "generalInfo.pendingReasonErrorCode", text},
		{0, "generalInfo.storagePolicy.storagePolicyName", text},
		{0, "generalInfo.mediaAgent.mediaAgentName", text},
		{0, "generalInfo.commcell.commCellId", "2"},
		{0, "progressInfo.sizeOfApplication", text},
		{0, "progressInfo.transferTime", text},
		{0, "progressInfo.percentComplete", number},
		{0, "progressInfo.failures", "0 Folders, 0 Files"},
		{0, "detailInfo", missing},
		{0, "clientStatusInfo", missing},
		{1000, "progressInfo.currentPhase", missing},
		{1000, "progressInfo.percentComplete", missing},
		{1000, "progressInfo.elapsedTime", missing},
		{1000, "progressInfo.state", "Completed"},
		{1000, "detailInfo.endTime", number},
		{1000, "detailInfo.dataWritten", text},
		{1000, "detailInfo.sizeOfApplication", text},
		{1000, "detailInfo.transferTime", text},
		{1000, "detailInfo.savingsPercent", text},
		{1000, "detailInfo.throughPut", text},
		{1000, "detailInfo.unCompressedBytes", number},
		{1000, "detailInfo.failures", "0 Folders, 0 Files"},
		{1, "generalInfo.priority", "-999"},
		{1, "generalInfo.totalNumOfFiles", "-999"},
		{1, "generalInfo.subclient.appName", "Virtual Server"},
		{1001, "clientStatusInfo.vmStatus", "array"},
		{2, "generalInfo.subclient.clientName", text},
		{2, "generalInfo.destinationClient.clientName", text},
		{2, "generalInfo.subclient.subclientName", missing},
		{2, "generalInfo.storagePolicy", missing},
		{2, "generalInfo.mediaAgent", missing},
		{2, "generalInfo.commcell", missing},
		{2, "generalInfo.backupType", "Unknown"},
		{1002, "detailInfo.failures", missing},
		{3, "generalInfo.subclient.clientName", missing},
		{3, "generalInfo.subclient.clientId", "0"},
		{3, "generalInfo.destinationClient.clientName", missing},
		{4, "generalInfo.subclient.clientName", missing},
	} {
		if got := shape(c.details(row.id).at("job.jobDetail." + row.path)); !slices.Contains(got, row.shape) {
			t.Errorf("job %d: %s: got %v, want %s", row.id, row.path, got, row.shape)
		}
	}
}

// shape gives what a value is, and its text.
func shape(value any) []string {
	switch v := value.(type) {
	case nil:
		return []string{"missing"}
	case string:
		return []string{"text", v}
	case json.Number:
		return []string{"number", v.String()}
	case []any:
		return []string{"array"}
	}
	return []string{"object"}
}

func TestMachines(t *testing.T) {
	for _, row := range []struct {
		id    int64
		ended bool
		good  json.Number
	}{{1, false, "5"}, {1001, true, "0"}} {
		list := shapes(t).details(row.id).at("job.jobDetail.clientStatusInfo.vmStatus").([]any)
		good, failed := list[0].(map[string]any), list[1].(map[string]any)
		if good["vmName"] != "dc-01" || good["FailureReason"] != "" || good["Status"] != row.good {
			t.Errorf("job %d: got %v", row.id, good)
		}
		if failed["vmName"] != "web-02" || failed["FailureReason"] != "No snapshot." || failed["Status"] != json.Number("1") {
			t.Errorf("job %d: got %v", row.id, failed)
		}
		if ended := good["BackupEndTime"] != json.Number("0"); ended != row.ended {
			t.Errorf("job %d: BackupEndTime %v", row.id, good["BackupEndTime"])
		}
	}
}

func TestEveryAnswerIsJSONWithoutHTML(t *testing.T) {
	var clock hand
	s := New(Config{Jobs: 300, Clock: clock.now})
	for second := 0; second < 120; second += 15 {
		clock.set(time.Duration(second) * time.Second)
		for _, m := range s.jobs.known(clock.now()) {
			for _, answer := range [][]byte{inJSON(m.details), inJSON(page([]moment{m}, 1))} {
				if !json.Valid(answer) || strings.ContainsAny(string(answer), "<>") {
					t.Fatalf("job %d: %s", m.ID, answer)
				}
			}
		}
	}
}

func TestNoTwoAnswersAlike(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now})
	s.Add(Job{ID: 7, Steps: []Step{{State: "Running"}}})
	last := ""
	for i := range 5 {
		clock.set(time.Duration(i/2) * time.Second)
		_, text := call(t, s).text("POST", "JobDetails", `{"jobId":7}`)
		if text == last {
			t.Errorf("answer %d is the one before it", i)
		}
		last = text
	}
}

func TestStalledAndPausedJobsDoNotProgress(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now})
	s.Add(Job{ID: 7, Steps: []Step{
		{State: "Running"},
		{At: 1 * time.Minute, State: "Running", Stalled: true},
		{At: 2 * time.Minute, State: "Suspended"},
		{At: 3 * time.Minute, State: "Running"},
	}})
	progress := func(at time.Duration) any {
		clock.set(at)
		return call(t, s).details(7).at("job.jobDetail.progressInfo.sizeOfApplication")
	}
	stalled := progress(61 * time.Second)
	if progress(30*time.Second) == stalled || progress(119*time.Second) != stalled || progress(170*time.Second) != stalled {
		t.Error("progress while stalled or suspended, or none before")
	}
	if progress(181*time.Second) == stalled || progress(4*time.Minute) == progress(5*time.Minute) {
		t.Error("no progress after the pause")
	}
}

func TestAMuteJobNamesItsStateInTheSummaryOnly(t *testing.T) {
	s := New(Config{})
	s.Add(Job{ID: 7, Steps: []Step{{State: "Killed", Mute: true}}})
	details := call(t, s).details(7)
	if details.at("job.jobDetail.progressInfo") != nil || details.at("job.jobDetail.detailInfo.endTime") == nil {
		t.Errorf("got %v", details)
	}
	if got := summaryOf(call(t, s).json("GET", "Job/7", ""))["status"]; got != "Killed" {
		t.Errorf("summary: got %v, want Killed", got)
	}
	if told := s.Served()[0]; !told.Whole || told.State != "" || !told.Finished {
		t.Errorf("served: %+v", told)
	}
}

func TestUnknownJobsAreToldInEveryShape(t *testing.T) {
	s := New(Config{})
	bodies := map[string]bool{}
	for _, id := range []string{"4", "5", "6", "7", "8"} {
		status, body := call(t, s).text("POST", "JobDetails", `{"jobId":`+id+`}`)
		if status != 200 {
			t.Errorf("job %s: status %d", id, status)
		}
		bodies[body] = true
	}
	if len(bodies) != len(unknown) {
		t.Errorf("got %v", bodies)
	}
	for _, told := range s.Served() {
		if told.Whole {
			t.Errorf("job %d: whole", told.JobID)
		}
	}
}

func TestAnotherCommCellKnowsNoJobOfThisOne(t *testing.T) {
	s := New(Config{CommCellID: 6})
	s.Add(Job{ID: 8, Steps: []Step{{State: "Running"}}})
	for body, known := range map[string]bool{
		`{"jobId":8}`: true, `{"jobId":8,"commcell":{"commCellId":6}}`: true, `{"jobId":8,"commcell":{"commCellId":2}}`: false,
	} {
		if got := call(t, s).json("POST", "JobDetails", body).at("job.jobDetail") != nil; got != known {
			t.Errorf("%s: known %v, want %v", body, got, known)
		}
	}
}
