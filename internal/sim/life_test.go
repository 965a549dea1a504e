package sim

import (
	"reflect"
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

func TestLivesAreOfManyKinds(t *testing.T) {
	seen := map[string]bool{}
	for id := int64(1); id <= 2000; id++ {
		job := life(&Config{Seed: 1, VMs: 5}, id)
		seen[manners[job.Kind].jobType+" of "+manners[job.Kind].agent] = true
		for _, s := range job.Steps {
			seen[s.State], seen["phase "+s.Phase] = true, true
			seen["items"] = seen["items"] || s.Failures != ""
			seen["reason"] = seen["reason"] || s.Reason != "" && s.Code != "" && s.State == "Pending"
			seen["machine"] = seen["machine"] || len(failing(s.VMs)) > 0 && s.State == "Running"
		}
	}
	for _, want := range []string{
		"Waiting", "Running", "Pending", "Suspend Pending", "Suspended", "Interrupted", "Kill Pending", "Killed",
		"Completed", "Completed w/ one or more errors", "Completed w/ one or more warnings", "Committed", "Failed",
		"Failed to Start", "phase Scan", "phase Backup", "phase Archive Index", "phase Discover", "phase Finalize",
		"items", "reason", "machine", "Restore of Linux File System", "Backup of Virtual Server",
		"CS DR Backup of Default Application Type Name",
	} {
		if !seen[want] {
			t.Errorf("in 2000 lives: no %s", want)
		}
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
