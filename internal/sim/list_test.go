package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"
)

func summaryOf(answer tree) map[string]any {
	return answer["jobs"].([]any)[0].(map[string]any)["jobSummary"].(map[string]any)
}

// ids gives the numbers of the jobs on a page.
func ids(answer tree) []int64 {
	var found []int64
	jobs, _ := answer["jobs"].([]any)
	for _, job := range jobs {
		id, _ := job.(map[string]any)["jobSummary"].(map[string]any)["jobId"].(json.Number).Int64()
		found = append(found, id)
	}
	return found
}

// mixed holds a running job of each kind (1 to 5) and one that completed at 1m (9); it is 10m.
func mixed() *Sim {
	var clock hand
	s := New(Config{Clock: clock.now})
	for kind := FileSystem; kind <= Verification; kind++ {
		s.Add(Job{ID: 1 + int64(kind), Kind: kind, Steps: []Step{{State: "Running", Phase: "Backup"}}})
	}
	s.Add(Job{ID: 9, Steps: []Step{{State: "Running"}, {At: time.Minute, State: "Completed"}}})
	clock.set(10 * time.Minute)
	return s
}

func TestListFilters(t *testing.T) {
	for _, row := range []struct {
		method, path, body string
		want               []int64
	}{
		{"GET", "Job", "", []int64{1, 2, 4, 9}},
		{"GET", "Job?jobFilter=", "", []int64{1, 2, 3, 4, 5, 9}},
		{"GET", "Job?jobFilter=Restore,Admin", "", []int64{3, 5}},
		{"GET", "Job?jobCategory=Active", "", []int64{1, 2, 4}},
		{"GET", "Job?jobCategory=Finished", "", []int64{9}},
		{"GET", "Job?completedJobLookupTime=539", "", []int64{1, 2, 4}},
		{"GET", "Job?completedJobLookupTime=540", "", []int64{1, 2, 4, 9}},
		{"POST", "Jobs", `{}`, []int64{1, 2, 3, 4, 5, 9}},
		{"POST", "Jobs", `{"category":1}`, []int64{1, 2, 3, 4, 5}},
		{"POST", "Jobs", `{"category":2}`, []int64{9}},
		{"POST", "Jobs", `{"jobFilter":{"completedJobLookupTime":300}}`, []int64{1, 2, 3, 4, 5}},
		{"POST", "Jobs", `{"jobFilter":{"hideAdminJobs":true}}`, []int64{1, 2, 3, 4, 9}},
		{"POST", "Jobs", `{"pagingConfig":{"offset":4,"limit":1}}`, []int64{5}},
		{"POST", "Jobs", `{"pagingConfig":{"offset":40,"limit":1}}`, nil},
		{"GET", "Job/9", "", []int64{9}},
		{"GET", "Job/8", "", nil},
	} {
		if got := ids(call(t, mixed()).json(row.method, row.path, row.body)); !slices.Equal(got, row.want) {
			t.Errorf("%s %s %s: got %v, want %v", row.method, row.path, row.body, got, row.want)
		}
	}
}

func TestAnUnknownJobsSummaryHasNoJobs(t *testing.T) {
	if _, got := call(t, mixed()).text("GET", "Job/8", ""); got != `{"totalRecordsWithoutPaging":0}` {
		t.Errorf("got %s", got)
	}
}

// turn gives one page of GET Job.
func turn(c *caller, offset, limit int) tree {
	c.header = map[string]string{"offset": strconv.Itoa(offset), "limit": strconv.Itoa(limit)}
	return c.json("GET", "Job?jobFilter=&completedJobLookupTime=60", "")
}

func TestPagesOfAMovingList(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now})
	for id := int64(1); id <= 250; id++ {
		s.Add(Job{ID: id, Steps: []Step{{State: "Running"}, {At: time.Duration(id) * time.Minute, State: "Completed"}}})
	}
	c := call(t, s)
	first := ids(c.json("GET", "Job?jobFilter=", ""))
	if len(first) != 100 || first[0] != 1 {
		t.Errorf("a page without a limit: %d jobs from %d on, want 100 from 1 on", len(first), first[0])
	}
	if page := turn(c, 0, 100); fmt.Sprint(page["totalRecordsWithoutPaging"]) != "250" || !slices.Equal(ids(page), first) {
		t.Errorf("first page: %v of %v", ids(page), page["totalRecordsWithoutPaging"])
	}
	clock.set(10*time.Minute + time.Second) // jobs 1 to 9 have ended more than a minute ago
	page := turn(c, 100, 100)
	if got := ids(page); got[0] != 110 || len(got) != 100 || fmt.Sprint(page["totalRecordsWithoutPaging"]) != "241" {
		t.Errorf("second page: %d jobs of %v from %d on", len(got), page["totalRecordsWithoutPaging"], got[0])
	}
	if got := ids(turn(c, 200, 100)); got[len(got)-1] != 250 || len(got) != 41 {
		t.Errorf("last page: %v", got)
	}
}

func TestPagesUnderFaults(t *testing.T) {
	for _, row := range []struct {
		fault       FaultKind
		jobs, total string
	}{
		{"", "[3 4 5]", "6"},
		{ShortPage, "[3]", "6"},
		{PageTotal, "[3 4 5]", "3"},
	} {
		s := mixed()
		if row.fault != "" {
			s.Fault(Fault{Kind: row.fault, Next: 1})
		}
		page := call(t, s).json("POST", "Jobs", `{"pagingConfig":{"offset":2,"limit":3}}`)
		if got := fmt.Sprint(ids(page)); got != row.jobs || fmt.Sprint(page["totalRecordsWithoutPaging"]) != row.total {
			t.Errorf("%s: %s of %v, want %s of %s", row.fault, got, page["totalRecordsWithoutPaging"], row.jobs, row.total)
		}
	}
}

func TestLine(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now})
	s.Add(Job{ID: 1, Client: "fall", Steps: []Step{{
		State: "Pending", Phase: "Backup", Reason: "No drive.", Code: "19:579", Failures: "2 Folders, 7 Files",
	}}})
	s.Add(Job{ID: 2, Kind: DisasterRecovery, Steps: []Step{{State: "Failed to Start"}}})
	pending := summaryOf(call(t, s).json("GET", "Job/1", ""))
	for name, want := range map[string]any{
		"status": "Pending", "localizedStatus": "Pending", "currentPhaseName": "Backup", "pendingReason": "No drive.",
		"pendingReasonErrorCode": "19:579", "totalFailedFolders": json.Number("2"), "totalFailedFiles": json.Number("7"),
		"destClientName": "fall", "sizeOfApplication": json.Number("0"), "jobEndTime": nil, "isAged": false,
	} {
		if pending[name] != want {
			t.Errorf("pending: %s: got %v, want %v", name, pending[name], want)
		}
	}
	failed := summaryOf(call(t, s).json("GET", "Job/2", ""))
	for name, want := range map[string]any{
		"status": "Failed to Start", "percentComplete": json.Number("100"), "currentPhaseName": "", "isAged": true,
		"jobEndTime": failed["jobStartTime"], "lastUpdateTime": failed["jobStartTime"], "destClientName": nil,
		"jobElapsedTime": json.Number("0"), "jobSubmitErrorCode": json.Number("14"), "jobType": "CS DR Backup",
	} {
		if failed[name] != want {
			t.Errorf("failed to start: %s: got %v, want %v", name, failed[name], want)
		}
	}
}

func TestLastUpdateTimeMovesInSteps(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now, Speed: 10})
	s.Add(Job{ID: 1, Steps: []Step{{State: "Running"}, {At: 20 * time.Minute, State: "Pending"}}})
	seen := map[int64]bool{}
	for minute := range 30 {
		clock.set(time.Duration(minute) * time.Minute)
		at, _ := summaryOf(call(t, s).json("GET", "Job/1", ""))["lastUpdateTime"].(json.Number).Int64()
		seen[at] = true
	}
	var gaps []int64
	times := make([]int64, 0, len(seen))
	for at := range seen {
		times = append(times, at)
	}
	slices.Sort(times)
	for i := 2; i < len(times); i++ {
		gaps = append(gaps, times[i]-times[i-1])
	}
	if len(gaps) < 4 || slices.Min(gaps) != 30 || slices.Max(gaps) != 30 {
		t.Errorf("at speed 10 it moves by %v seconds, want 30 each", gaps)
	}
}
