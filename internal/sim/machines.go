package sim

import (
	"hash/fnv"
	"slices"
	"strconv"
	"time"
)

// Status numbers are documented nowhere; these are the ones whose meaning was seen.
const (
	machineDone    = 0
	machineFailed  = 1
	machineRunning = 5
)

// machines is clientStatusInfo as of a step.
type machines struct {
	vms     []VM // with the GUIDs that they are shown with
	clients []Client
	config  *Config
	began   time.Duration
	ended   time.Duration // if done
	done    bool
	failing []VM  // of both; a client is its name and reason
	kept    *kept // nil for many
}

// maxKept is of how many machines the text is kept. Those of more are written anew each time: kept they would
// fill the memory.
const maxKept = 32

func newMachines(config *Config, s Step, began, ended time.Duration) *machines {
	m := &machines{vms: shown(s.VMs), clients: s.Clients, config: config, began: began, ended: ended, done: s.finished()}
	m.failing = failing(m.vms)
	for _, c := range s.Clients {
		if c.Reason != "" {
			m.failing = append(m.failing, VM{Name: c.Name, Reason: c.Reason})
		}
	}
	if len(m.vms)+len(m.clients) <= maxKept {
		m.kept = keep(m.writeAll)
	}
	return m
}

func shown(vms []VM) []VM {
	all := slices.Clone(vms)
	for i := range all {
		switch vm := &all[i]; vm.GUID {
		case NoGUID:
			vm.GUID = ""
		case "":
			vm.GUID = guid(hash(vm.Name) ^ uint64(vm.Job))
		}
	}
	return all
}

func failing(vms []VM) []VM {
	var some []VM
	for i := range vms {
		if vms[i].fails() {
			some = append(some, vms[i])
		}
	}
	return some
}

func (m *machines) write(w *writer) {
	if m.kept != nil {
		w.put(m.kept)
		return
	}
	m.writeAll(w)
}

func (m *machines) writeAll(w *writer) {
	switch {
	case m.vms == nil:
	case len(m.vms) == 1 && hash(m.vms[0].Name)%2 == 0: // as where XML was converted
		w.object("vmStatus", func() { m.vmStatus(w, &m.vms[0]) })
	default:
		w.list("vmStatus", len(m.vms), func(i int) { m.vmStatus(w, &m.vms[i]) })
	}
	if m.clients != nil {
		w.list("clientStatus", len(m.clients), func(i int) { m.clients[i].write(w) })
	}
}

func (m *machines) vmStatus(w *writer, vm *VM) {
	status, end := int64(machineRunning), int64(0)
	if m.done {
		status, end = machineDone, m.config.wall(m.ended).Unix()
	}
	if vm.Failed || vm.Reason != "" {
		status = machineFailed
	}
	w.text("vmName", vm.Name)
	w.text("GUID", vm.GUID)
	w.text("FailureReason", vm.Reason)
	w.number("Status", status)
	w.number("BackupStartTime", m.config.wall(m.began).Unix())
	w.number("BackupEndTime", end)
	w.number("jobID", vm.Job)
	vm.describe(w)
}

// write tells a status number, too, which means nothing that is known.
func (c *Client) write(w *writer) {
	w.text("jMFailureReasonStatus", c.Reason)
	w.number("status", int64(hash(c.Name+c.Reason)%5))
	w.object("client", func() { w.text("clientName", c.Name) })
}

// describe tells what nothing that happens changes.
func (vm *VM) describe(w *writer) {
	bytes := 10<<30 + int64(hash(vm.Name)%(90<<30))
	w.number("Size", bytes)
	w.number("UsedSpace", bytes/2)
	w.number("GuestSize", bytes/3)
	w.number("clientId", int64(4000+hash(vm.Name)%100))
	w.text("Agent", "proxy-01")
	w.text("Host", "esx-01.example.com")
	w.text("TransportMode", "hotadd")
	w.text("CBTStatus", "Used")
	w.number("BackupType", 2)
	w.number("backupLevel", 0)
	w.text("OperatingSystem", "Debian GNU/Linux 12 (64-bit)")
	w.text("ToolsVersion", "Current")
	w.text("HardwareVersion", "vmx-19")
	w.flag("ArchivedByCurrentJob", false)
	w.flag("PoweredOffByCurrentJob", false)
	w.number("PoweredOffSince", 0)
	w.number("StubStatus", 0)
	w.number("syncStatus", vm.Sync)
	w.text("destinationVMName", "")
}

func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes every byte
	return h.Sum64()
}

// attemptsInfo is written in one of several ways, one for each job: its true shape is documented nowhere.
func (m *moment) attemptsInfo(w *writer) {
	switch mix(uint64(m.ID)) % 3 {
	case 0: // numbered
		w.list("attemptsInfo", int(m.tries), func(i int) {
			w.number("attemptNumber", int64(i)+1)
			m.attempt(w, i)
		})
	case 1: // to be counted
		w.list("attemptsInfo", int(m.tries), func(i int) { m.attempt(w, i) })
	case 2: // the last one alone, and its number a text
		w.object("attemptsInfo", func() {
			w.list("attempts", 1, func(int) {
				w.text("attempt", strconv.FormatInt(m.tries, 10))
				m.attempt(w, int(m.tries)-1)
			})
		})
	}
}

func (m *moment) attempt(w *writer, i int) {
	status := "Running"
	if int64(i)+1 < m.tries {
		status = "Pending"
	}
	w.text("status", status)
	w.number("startTime", m.began().Unix()+int64(i))
}

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
