package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"
)

func TestLivesFollowFromTheSeed(t *testing.T) {
	differ := 0
	for id := int64(1); id <= 200; id++ {
		if !reflect.DeepEqual(life(&Config{Seed: 3, VMs: 5}, id), life(&Config{Seed: 3, VMs: 5}, id)) {
			t.Errorf("job %d: two lives from one seed", id)
		}
		if !reflect.DeepEqual(life(&Config{Seed: 3, VMs: 5}, id).Steps, life(&Config{Seed: 4, VMs: 5}, id).Steps) {
			differ++
		}
	}
	if differ < 190 {
		t.Errorf("%d of 200 lives differ between two seeds", differ)
	}
}

func TestEveryLifeEnds(t *testing.T) {
	for id := int64(1); id <= 3000; id++ {
		steps := life(&Config{Seed: 1, VMs: 5}, id).Steps
		last := steps[len(steps)-1]
		if !last.finished() || last.Phase != "" {
			t.Errorf("job %d ends in %q, phase %q", id, last.State, last.Phase)
		}
		for i, s := range steps[:len(steps)-1] {
			if s.finished() {
				t.Errorf("job %d: step %d of %d is %q", id, i, len(steps), s.State)
			}
			if lasted := steps[i+1].At - s.At; lasted < 3*time.Second || lasted > 30*time.Second {
				t.Errorf("job %d: %s %s lasts %v", id, s.State, s.Phase, lasted)
			}
		}
		if last.State == "Failed to Start" {
			continue
		}
		if last.At < 30*time.Second || last.At > 120*time.Second {
			t.Errorf("job %d (%s) lasts %v", id, last.State, last.At)
		}
	}
}

func TestCalmLivesEndWell(t *testing.T) {
	for id := int64(1); id <= 500; id++ {
		config := Config{Seed: 1, Calm: true, Oddities: 1}.withDefaults()
		for i, s := range life(&config, id).Steps {
			if s.finished() && s.State != "Completed" || s.Reason != "" || s.Failures != "" || len(failing(s.VMs)) > 0 || s.Mute {
				t.Errorf("job %d, step %d: %+v", id, i, s)
			}
		}
	}
}

func TestLivesAreOfManyKinds(t *testing.T) {
	seen := map[string]bool{}
	for id := int64(1); id <= 2000; id++ {
		job := life(&Config{Seed: 1, VMs: 5}, id)
		seen[manners[job.Kind].jobType+" of "+manners[job.Kind].agent] = true
		for i, s := range job.Steps {
			seen["another number"] = seen["another number"] || i > 0 && onlyNumbersDiffer(job.Steps[i-1], s)
			seen[s.State], seen["phase "+s.Phase] = true, true
			seen["items"] = seen["items"] || s.Failures != ""
			seen["reason"] = seen["reason"] || s.Reason != "" && s.Code != "" && s.State == "Pending"
			seen["attempt"] = seen["attempt"] || i > 0 && s.Attempt == 2 && job.Steps[i-1].State == "Suspended"
			seen["machine that recovers"] = seen["machine that recovers"] || i > 0 && s.Attempt == 2 && len(failing(s.VMs)) < len(failing(job.Steps[i-1].VMs))
			seen["machine"] = seen["machine"] || len(failing(s.VMs)) > 0 && s.State == "Running"
		}
	}
	for _, want := range []string{
		"Waiting", "Running", "Pending", "Suspend Pending", "Suspended", "Interrupted", "Kill Pending", "Killed",
		"Completed", "Completed w/ one or more errors", "Completed w/ one or more warnings", "Committed", "Failed",
		"Failed to Start", "phase Scan", "phase Backup", "phase Archive Index", "phase Discover", "phase Finalize",
		"Queued", "Abnormal Terminated Cleanup", "items", "reason", "another number", "machine", "attempt", "machine that recovers", "Restore of Linux File System", "Backup of Virtual Server",
		"CS DR Backup of Default Application Type Name",
	} {
		if !seen[want] {
			t.Errorf("in 2000 lives: no %s", want)
		}
	}
}

// onlyNumbersDiffer says whether two steps wait for one reason, told with other numbers.
func onlyNumbersDiffer(a, b Step) bool {
	digits := regexp.MustCompile(`-?\d+`)
	return a.Reason != b.Reason && a.Code == b.Code && a.Reason != "" &&
		digits.ReplaceAllString(a.Reason, "") == digits.ReplaceAllString(b.Reason, "")
}

func TestMachinesFailOnTheWay(t *testing.T) {
	for id := int64(1); id <= 500; id++ {
		last, attempt := []VM(nil), int64(0)
		for i, s := range life(&Config{Seed: 1, VMs: 40}, id).Steps {
			now := failing(s.VMs)
			if i == 0 && len(now) > 0 {
				t.Errorf("job %d: %d machines fail at the start", id, len(now))
			}
			for _, vm := range last {
				if !slices.Contains(now, vm) && s.Attempt == attempt {
					t.Errorf("job %d: machine %s recovers", id, vm.Name)
				}
			}
			last, attempt = now, s.Attempt
		}
	}
}

func TestSomeEndsAreMuteAndSomeNumbersComeBack(t *testing.T) {
	play := func(oddities float64) (mute int, again map[int64]int) {
		var clock hand
		s := New(Config{Seed: 5, Arrivals: 1, Oddities: oddities, Clock: clock.now})
		starts := map[int64]map[time.Duration]bool{}
		for second := range 600 {
			clock.set(time.Duration(second) * time.Second)
			for _, m := range s.jobs.known(clock.now()) {
				if starts[m.ID] == nil {
					starts[m.ID] = map[time.Duration]bool{}
				}
				starts[m.ID][m.steps[0].At] = true
				if m.Mute && !m.done {
					t.Errorf("job %d is mute before its end", m.ID)
				}
			}
		}
		again = map[int64]int{}
		for id, all := range starts {
			if len(all) > 1 {
				again[id] = len(all)
			}
			for at := range all {
				if m, _ := s.jobs.byID[id].moment(at + 200*time.Second); m.step != nil && m.Mute {
					mute++
				}
			}
		}
		return mute, again
	}
	if mute, again := play(0); mute > 0 || len(again) > 0 {
		t.Errorf("without oddities: %d mute, %v again", mute, again)
	}
	mute, again := play(0.1)
	if mute < 20 || mute > 120 || len(again) < 15 || len(again) > 80 {
		t.Errorf("of 600 jobs: %d mute, %d numbers again", mute, len(again))
	}
	if mute2, again2 := play(0.1); mute2 != mute || !maps.Equal(again, again2) {
		t.Error("they do not follow from the seed")
	}
}

func TestANumberIsUsedAgain(t *testing.T) {
	var clock hand
	s := New(Config{Clock: clock.now, Start: time.Unix(1000, 0)})
	s.Add(Job{ID: 7, Client: "old", Steps: []Step{{State: "Running"}, {At: time.Minute, State: "Killed"}}})
	s.Add(Job{ID: 7, Client: "new", Steps: []Step{{At: 5 * time.Minute, State: "Waiting"}}})
	for _, row := range []struct {
		at            time.Duration
		state, client string
		start         json.Number
	}{{0, "Running", "old", "1000"}, {4 * time.Minute, "Killed", "old", "1000"}, {5 * time.Minute, "Waiting", "new", "1300"}} {
		clock.set(row.at)
		got := call(t, s).details(7)
		if got.at("job.jobDetail.progressInfo.state") != row.state || got.at("job.jobDetail.generalInfo.startTime") != row.start ||
			got.at("job.jobDetail.generalInfo.subclient.clientName") != row.client {
			t.Errorf("at %v: %v", row.at, got)
		}
		if listed := ids(call(t, s).json("GET", "Job", "")); !slices.Equal(listed, []int64{7}) {
			t.Errorf("at %v: listed %v", row.at, listed)
		}
	}
}

func TestHundredsOfMachines(t *testing.T) {
	var clock hand
	s := New(Config{Jobs: 60, VMs: 300, Clock: clock.now})
	c := call(t, s)
	failed, children := 0, 0
	for second := 0; second <= 120; second += 60 {
		clock.set(time.Duration(second) * time.Second)
		for _, m := range s.jobs.known(clock.now()) {
			if m.Kind != VirtualServer {
				continue
			}
			all := c.details(m.ID).at("job.jobDetail.clientStatusInfo.vmStatus").([]any)
			names, guids := map[any]bool{}, map[any]bool{}
			for _, vm := range all {
				names[vm.(map[string]any)["vmName"]], guids[vm.(map[string]any)["GUID"]] = true, true
			}
			if len(guids) != 300 || len(names) == 300 || len(names) < 200 {
				t.Fatalf("job %d: %d machines, want 300; %d names, want some twice", m.ID, len(guids), len(names))
			}
			failed = max(failed, len(m.failing()))
			for _, i := range []int{0, 299} {
				checkChild(t, c, m, all[i].(map[string]any))
				children++
			}
			for _, vm := range all {
				if vm := vm.(map[string]any); vm["Status"] == json.Number("1") {
					checkChild(t, c, m, vm)
				}
			}
		}
	}
	if failed < 5 || failed > 15 || children == 0 {
		t.Errorf("%d of 300 machines failed at most; %d children", failed, children)
	}
	if listed := ids(c.json("GET", "Job?jobFilter=", "")); len(listed) != 60 {
		t.Errorf("%d jobs are listed, want 60", len(listed))
	}
}

// checkChild looks at a machine's own job.
func checkChild(t *testing.T, c *caller, parent moment, vm map[string]any) {
	t.Helper()
	id, _ := vm["jobID"].(json.Number).Int64()
	child := c.details(id)
	want := parent.State
	switch {
	case parent.done && vm["Status"] == json.Number("1"):
		want = "Failed"
	case parent.State == partly:
		want = "Completed"
	}
	if parent.Mute {
		return
	}
	status := child.at("job.jobDetail.clientStatusInfo.vmStatus")
	all, isArray := status.([]any)
	if !isArray { // some are alone
		all = []any{status}
	}
	if child.at("job.jobDetail.progressInfo.state") != want || len(all) != 1 || all[0].(map[string]any)["vmName"] != vm["vmName"] ||
		child.at("job.jobDetail.generalInfo.vsaParentJobID") != json.Number(fmt.Sprint(parent.ID)) ||
		child.at("job.jobDetail.generalInfo.subclient.clientName") != vm["vmName"] {
		t.Errorf("job %d, machine %v, want state %s: %v", parent.ID, vm, want, child)
	}
}

func TestJobsAtTheStartLive(t *testing.T) {
	var clock hand
	s := New(Config{Jobs: 200, Clock: clock.now})
	known := s.jobs.known(0)
	if len(known) != 200 {
		t.Fatalf("got %d jobs, want 200", len(known))
	}
	ended := 0
	for _, m := range known {
		if m.done && !m.neverStarted() {
			ended++
		}
	}
	if ended > 0 {
		t.Errorf("%d jobs have ended before the start", ended)
	}
}

func TestJobsArrive(t *testing.T) {
	var clock hand
	s := New(Config{Jobs: 2, Arrivals: 0.5, Clock: clock.now})
	last := 2
	for second := range 61 {
		clock.set(time.Duration(second) * time.Second)
		known := len(s.jobs.known(clock.now()))
		if known < last || known > last+1 {
			t.Fatalf("at %ds: %d jobs after %d", second, known, last)
		}
		last = known
	}
	if last != 32 {
		t.Errorf("after a minute: got %d jobs, want 32", last)
	}
}

// What ended long ago is known no more, and its number may come back.
func TestLongEndedJobsAreDropped(t *testing.T) {
	var clock hand
	s := New(Config{Seed: 5, Arrivals: 1, Keep: 5 * time.Minute, Oddities: 0.05, Clock: clock.now})
	s.Add(Job{ID: 7, Steps: []Step{{State: "Completed"}}})
	most, back := 0, 0
	for second := range 4000 {
		at := time.Duration(second) * time.Second
		clock.set(at)
		known := s.jobs.known(at)
		most = max(most, len(known))
		for _, m := range known[1:] {
			if m.done && at-m.ended > 6*time.Minute {
				t.Fatalf("job %d ended %s ago", m.ID, at-m.ended)
			}
			if int(m.ID) < firstJob+second-1000 {
				back++
			}
		}
	}
	if most < 300 || most > 500 || back == 0 {
		t.Errorf("%d jobs known at most, want about 400; %d numbers seen again after they were dropped", most, back)
	}
	if _, known := s.jobs.find(7, clock.now()); !known {
		t.Error("a scripted job is dropped")
	}
}
