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

// maxKept is how many machines' answers are kept; those of more are written anew each time, for they would
// fill the memory.
const maxKept = 32

// vmStatus is clientStatusInfo's only member, as of a step.
func (l *live) vmStatus(s Step, began, ended time.Duration) member {
	all := func() node {
		statuses := make([]node, len(s.VMs))
		for i, vm := range s.VMs {
			statuses[i] = l.machineStatus(vm, began, ended, s.finished())
		}
		return node{list("vmStatus", statuses)}
	}
	if len(s.VMs) > maxKept {
		return fresh(all)
	}
	return keep(all)
}

func (l *live) machineStatus(vm VM, began, ended time.Duration, done bool) node {
	bytes := 10<<30 + int64(hash(vm.Name)%(90<<30))
	status, end := int64(machineOther), int64(0)
	if done {
		end = l.config.wall(ended).Unix()
	}
	if done && vm.Reason == "" {
		status = machineDone
	}
	return node{
		text("vmName", vm.Name), text("GUID", guid(hash(vm.Name))), text("FailureReason", vm.Reason), number("Status", status),
		number("BackupStartTime", l.config.wall(began).Unix()), number("BackupEndTime", end), number("jobID", vm.Job),
		number("clientId", int64(4000+hash(vm.Name)%100)), text("Agent", "proxy-01"), text("Host", "esx-01.example.com"),
		text("TransportMode", "hotadd"), text("CBTStatus", "Used"), number("BackupType", 2), number("backupLevel", 0),
		number("Size", bytes), number("UsedSpace", bytes/2), number("GuestSize", bytes/3),
		text("OperatingSystem", "Debian GNU/Linux 12 (64-bit)"), text("ToolsVersion", "Current"), text("HardwareVersion", "vmx-19"),
		flag("ArchivedByCurrentJob", false), flag("PoweredOffByCurrentJob", false), number("PoweredOffSince", 0),
		number("StubStatus", 0), number("syncStatus", 0), text("destinationVMName", ""),
	}
}

func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes every byte
	return h.Sum64()
}
