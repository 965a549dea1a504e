package sim

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAttemptsAreToldToThoseWhoAsk(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now})
	for id := int64(1); id <= 6; id++ {
		s.Add(Job{ID: id, Steps: []Step{{State: "Running"}, {At: time.Minute, State: "Running", Attempt: 1}, {At: 2 * time.Minute, State: "Running", Attempt: 2}}})
	}
	c := call(t, s)
	seen := map[string]bool{}
	for id := int64(1); id <= 6; id++ {
		for attempt := range int64(3) {
			clock.set(time.Duration(attempt) * time.Minute)
			plain := fmt.Sprintf(`{"jobId":%d}`, id)
			asking := fmt.Sprintf(`{"jobId":%d,"showAttempt":true}`, id)
			inXML := fmt.Sprintf(`<JobManager_JobDetailRequest jobId="%d" showAttempt="1"/>`, id)
			for body, want := range map[string]bool{plain: false, asking: attempt > 0} {
				if _, answer := c.text("POST", "JobDetails", body); strings.Contains(answer, `"attemptsInfo"`) != want {
					t.Errorf("attempt %d: %s: %s", attempt, body, answer)
				}
			}
			c.header = map[string]string{"Accept": "application/xml"}
			if _, answer := c.text("POST", "JobDetails", inXML); strings.Contains(answer, "<attemptsInfo") != (attempt > 0) {
				t.Errorf("attempt %d: %s: %s", attempt, inXML, answer)
			}
			c.header = nil
			if served := s.Served(); served[len(served)-1].Attempt != attempt {
				t.Errorf("job %d: attempt %d is recorded as %d", id, attempt, served[len(served)-1].Attempt)
			}
		}
		_, answer := c.text("POST", "JobDetails", fmt.Sprintf(`{"jobId":%d,"showAttempt":true}`, id))
		for _, shape := range []string{`[{"attemptNumber":1`, `[{"status"`, `{"attempts":[{"attempt":"2"`} {
			seen[shape] = seen[shape] || strings.Contains(answer, `"attemptsInfo":`+shape)
		}
	}
	if len(seen) != 3 || !seen[`[{"attemptNumber":1`] || !seen[`[{"status"`] || !seen[`{"attempts":[{"attempt":"2"`] {
		t.Errorf("shapes seen: %v", seen)
	}
}

func TestAnOldServerRefusesToTellAttempts(t *testing.T) {
	s := New(Config{Old: true})
	codes := map[int]bool{}
	for id := int64(1); id <= 3; id++ {
		s.Add(Job{ID: id, Steps: []Step{{State: "Running", Attempt: 2}}})
		if code, answer := call(t, s).text("POST", "JobDetails", fmt.Sprintf(`{"jobId":%d}`, id)); code != 200 || !strings.Contains(answer, `"Running"`) {
			t.Errorf("without attempts: %d %s", code, answer)
		}
		code, answer := call(t, s).text("POST", "JobDetails", fmt.Sprintf(`{"jobId":%d,"showAttempt":true}`, id))
		if codes[code] = true; strings.Contains(answer, `"Running"`) || !strings.Contains(answer, "showAttempt") {
			t.Errorf("with attempts: %d %s", code, answer)
		}
	}
	if len(codes) != 3 {
		t.Errorf("refused with %v, want HTTP 200, 400 and 500", codes)
	}
	for _, served := range s.Served() {
		if served.Attempt != 0 {
			t.Errorf("told %+v", served)
		}
	}
}

func TestAMachineAloneIsNoArrayForSome(t *testing.T) {
	s := New(Config{})
	shapes := map[string]bool{}
	for id := int64(1); id <= 8; id++ {
		s.Add(Job{ID: id, Kind: VirtualServer, Steps: []Step{{State: "Running", VMs: []VM{{Name: fmt.Sprint("vm-", id)}}}}})
		shapes[shape(call(t, s).details(id).at("job.jobDetail.clientStatusInfo.vmStatus"))[0]] = true
	}
	if !shapes["array"] || !shapes["object"] || len(shapes) != 2 {
		t.Errorf("shapes %v", shapes)
	}
}
