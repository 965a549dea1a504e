package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// jobForm is a Job as it is asked for over HTTP.
type jobForm struct {
	ID     int64      `json:"id"`
	Kind   string     `json:"kind"`
	Parent int64      `json:"parent"`
	Client string     `json:"client"`
	Steps  []stepForm `json:"steps"`
}

type stepForm struct {
	After    duration     `json:"after"` // the request, in simulated time
	State    string       `json:"state"`
	Phase    string       `json:"phase"`
	Failures string       `json:"failures"`
	Reason   string       `json:"reason"`
	Code     string       `json:"code"`
	VMs      []vmForm     `json:"vms"`
	Clients  []clientForm `json:"clients"`
	Attempt  int64        `json:"attempt"`
	Stalled  bool         `json:"stalled"`
	Forgot   bool         `json:"forgot"`
	Mute     bool         `json:"mute"`
}

type vmForm struct {
	Name   string `json:"name"`
	GUID   string `json:"guid"`
	Reason string `json:"reason"`
	Job    int64  `json:"job"`
	Failed bool   `json:"failed"`
	Sync   int64  `json:"sync"`
}

type clientForm struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

var kindNames = map[string]Kind{
	"": FileSystem, "file-system": FileSystem, "virtual-server": VirtualServer, "restore": Restore,
	"disaster-recovery": DisasterRecovery, "verification": Verification,
}

// job is the job of a request that came at a simulated time.
func (form *jobForm) job(at time.Duration) (Job, error) {
	kind, known := kindNames[form.Kind]
	switch {
	case form.ID <= 0:
		return Job{}, errors.New("id: a job has a number above 0")
	case !known:
		return Job{}, fmt.Errorf("kind: there is no %q, but %q", form.Kind, slices.Sorted(maps.Keys(kindNames))[1:])
	case len(form.Steps) == 0:
		return Job{}, errors.New("steps: a job needs one at least")
	}
	job := Job{ID: form.ID, Kind: kind, Parent: form.Parent, Client: form.Client}
	for i := range form.Steps {
		step, err := form.Steps[i].step(at)
		if err != nil {
			return Job{}, fmt.Errorf("steps[%d]: %w", i, err)
		}
		job.Steps = append(job.Steps, step)
	}
	return job, nil
}

// aYear bounds what a clock can be asked for.
const aYear = 365 * 24 * time.Hour

const maxAttempts = 100 // each is an entry of every answer

func (form *stepForm) step(at time.Duration) (Step, error) {
	after := time.Duration(form.After)
	switch {
	case form.State == "" && !form.Forgot:
		return Step{}, errors.New("state: it needs one, unless it is forgot")
	case form.Attempt < 0 || form.Attempt > maxAttempts:
		return Step{}, fmt.Errorf("attempt: it is from 0 to %d, not %d", maxAttempts, form.Attempt)
	case after > aYear || after < -aYear:
		return Step{}, fmt.Errorf("after: %v is more than a year off", after)
	}
	s := Step{
		At: at + after, State: form.State, Phase: form.Phase, Failures: form.Failures, Reason: form.Reason,
		Code: form.Code, Attempt: form.Attempt, Stalled: form.Stalled, Forgot: form.Forgot, Mute: form.Mute,
	}
	for _, vm := range form.VMs {
		s.VMs = append(s.VMs, VM(vm))
	}
	for _, client := range form.Clients {
		s.Clients = append(s.Clients, Client(client))
	}
	return s, nil
}
