package sim

import (
	"hash/fnv"
	"time"
)

// Status numbers are documented nowhere: 0 was seen on machines that are done, 2 on others.
const (
	machineDone  = 0
	machineOther = 2
)

// machines is clientStatusInfo as of a step.
type machines struct {
	vms     []VM
	config  *Config
	began   time.Duration
	ended   time.Duration // if done
	done    bool
	failing map[string]string // reasons by name
	kept    *kept             // nil for many
}

// maxKept is of how many machines the text is kept. Those of more are written anew each time: kept they would
// fill the memory.
const maxKept = 32

func newMachines(config *Config, s Step, began, ended time.Duration) *machines {
	m := &machines{vms: s.VMs, config: config, began: began, ended: ended, done: s.finished(), failing: failing(s.VMs)}
	if len(m.vms) <= maxKept {
		m.kept = keep(m.writeAll)
	}
	return m
}

func failing(vms []VM) map[string]string {
	reasons := map[string]string{}
	for _, vm := range vms {
		if vm.Reason != "" {
			reasons[vm.Name] = vm.Reason
		}
	}
	return reasons
}

func (m *machines) write(w *writer) {
	if m.kept != nil {
		w.put(m.kept)
		return
	}
	m.writeAll(w)
}

func (m *machines) writeAll(w *writer) {
	if len(m.vms) == 1 && hash(m.vms[0].Name)%2 == 0 { // as where XML was converted
		w.object("vmStatus", func() { m.vmStatus(w, m.vms[0]) })
		return
	}
	w.list("vmStatus", len(m.vms), func(i int) { m.vmStatus(w, m.vms[i]) })
}

func (m *machines) vmStatus(w *writer, vm VM) {
	status, end := int64(machineOther), int64(0)
	if m.done {
		end = m.config.wall(m.ended).Unix()
	}
	if m.done && vm.Reason == "" {
		status = machineDone
	}
	w.text("vmName", vm.Name)
	w.text("GUID", guid(hash(vm.Name)))
	w.text("FailureReason", vm.Reason)
	w.number("Status", status)
	w.number("BackupStartTime", m.config.wall(m.began).Unix())
	w.number("BackupEndTime", end)
	w.number("jobID", vm.Job)
	vm.describe(w)
}

// describe tells what nothing that happens changes.
func (vm VM) describe(w *writer) {
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
	w.number("syncStatus", 0)
	w.text("destinationVMName", "")
}

func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes every byte
	return h.Sum64()
}
