package endtoend

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// listedJob is a job of the CommServe's own list.
type listedJob struct {
	Number int64 `json:"jobId"`
	Start  int64 `json:"jobStartTime"` // Unix seconds
}

// listed are all jobs that the CommServe knows.
func (x *torture) listed() []listedJob {
	r := httptest.NewRequest("POST", "/Jobs", strings.NewReader(`{"pagingConfig": {"limit": 10000}}`))
	r.Header.Set("Authtoken", "QSDK sim")
	w := httptest.NewRecorder()
	x.sim.ServeHTTP(w, r)
	var list struct {
		Jobs []struct {
			Summary listedJob `json:"jobSummary"`
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list.Jobs) < tortureJobs {
		x.t.Fatalf("a list of %d jobs: %v", len(list.Jobs), err)
	}
	var jobs []listedJob
	for _, line := range list.Jobs {
		jobs = append(jobs, line.Summary)
	}
	return jobs
}

// unended are the listed jobs whose end no answer has shown, with the last answers about them. A job that has the number
// of one whose end was seen in the second in which it began cannot be told from that.
func unended(jobs []listedJob, record []sim.Served) (open []string) {
	ended := map[int64]int64{}
	for _, a := range record {
		if a.Whole && a.Finished {
			ended[a.JobID] = max(ended[a.JobID], a.Updated.Unix())
		}
	}
	for _, job := range jobs {
		if end, seen := ended[job.Number]; seen && end >= job.Start {
			continue
		}
		said := fmt.Sprintf("job %d, began %s", job.Number, time.Unix(job.Start, 0).UTC().Format(time.TimeOnly))
		about := slices.DeleteFunc(slices.Clone(record), func(a sim.Served) bool { return a.JobID != job.Number })
		for _, a := range about[max(0, len(about)-3):] {
			said += fmt.Sprintf("\n  %+v", a)
		}
		open = append(open, said)
	}
	return open
}

func TestAnEndThatNobodySawIsMissed(t *testing.T) {
	answer := func(began int64, state string) sim.Served {
		return sim.Served{
			JobID: 71, Whole: true, Began: time.Unix(began, 0), Updated: time.Unix(began+9, 0), State: state, Finished: state == "Completed",
		}
	}
	refused := sim.Served{JobID: 71, Fault: sim.Empty}
	for name, row := range map[string]struct {
		start  int64
		record []sim.Served
		open   int
	}{
		"nobody asked":             {100, nil, 1},
		"no answer":                {100, []sim.Served{refused}, 1},
		"it runs":                  {100, []sim.Served{answer(100, "Running")}, 1},
		"its end was no answer":    {100, []sim.Served{answer(100, "Running"), refused}, 1},
		"its end was seen":         {100, []sim.Served{answer(100, "Running"), answer(100, "Completed"), refused}, 0},
		"that of the one before":   {200, []sim.Served{answer(100, "Completed")}, 1},
		"and it runs":              {200, []sim.Served{answer(100, "Completed"), answer(200, "Running")}, 1},
		"and its own":              {200, []sim.Served{answer(100, "Running"), answer(200, "Completed")}, 0},
		"it began when that ended": {109, []sim.Served{answer(100, "Completed")}, 0},
	} {
		if open := unended([]listedJob{{71, row.start}}, row.record); len(open) != row.open {
			t.Errorf("%s: %q", name, open)
		}
	}
}
