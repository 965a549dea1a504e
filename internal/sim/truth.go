package sim

import (
	"encoding/json"
	"net/http"
	"time"
)

// Truth is how a job is at one moment, to hold against what somebody has made of the answers.
type Truth struct {
	ID       int64     `json:"id"`
	Client   string    `json:"client,omitempty"`
	State    string    `json:"state"`
	Phase    string    `json:"phase,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Code     string    `json:"code,omitempty"`
	Machines []string  `json:"machines,omitempty"` // that have failed
	Began    time.Time `json:"began"`              // by the CommServe's clock, as the next one
	Since    time.Time `json:"since"`              // when it became so; of a finished job, its end
	Finished bool      `json:"finished"`
	Stalled  bool      `json:"stalled,omitempty"` // nothing progresses
}

// Truth gives all jobs as they are now, by their numbers. What Faults would make of answers is not in it.
func (s *Sim) Truth() []Truth {
	all := []Truth{}
	for _, m := range s.jobs.known(s.config.Clock()) {
		t := Truth{
			ID: m.ID, Client: m.Client, State: m.State, Phase: m.Phase, Reason: m.Reason, Code: m.Code,
			Began: m.began(), Since: s.config.wall(m.At), Finished: m.done, Stalled: m.Stalled,
		}
		if m.done {
			t.Since = m.ending()
		}
		for _, vm := range m.failing() {
			t.Machines = append(t.Machines, vm.Name)
		}
		all = append(all, t)
	}
	return all
}

func (s *Sim) tellJobs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Truth()) // the client's loss
}
