package sim

import "slices"

// A machine of a generated job has a job of its own. Only JobDetails and GET Job/<id> know it, no list.

// brood is how many numbers lie between those of two jobs' machines.
const brood = 10_000

func childOf(parent int64, machine int) int64 { return parent*brood + int64(machine) + 1 }

func parentOf(child int64) int64 { return (child - 1) / brood }

// child is the job of the machine with that number, or nil. It lives as its parent does, but fails alone.
func (l *live) child(id int64) *live {
	if l == nil {
		return nil
	}
	job := Job{ID: id, Kind: l.Kind, Parent: l.ID}
	for _, s := range l.steps {
		i := slices.IndexFunc(s.VMs, func(vm VM) bool { return vm.Job == id })
		if i < 0 {
			return nil
		}
		job.Client = s.VMs[i].Name
		job.Steps = append(job.Steps, s.of(s.VMs[i]))
	}
	return newLive(l.config, job)
}

// of is the step as the job of one machine takes it.
func (s *step) of(vm VM) Step {
	own := s.Step
	own.VMs = []VM{vm}
	switch {
	case vm.fails() && s.done:
		own.State, own.Reason = "Failed", vm.Reason
	case s.State == partly:
		own.State = "Completed"
	}
	return own
}
