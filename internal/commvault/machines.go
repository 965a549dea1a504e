package commvault

import (
	"slices"
	"strings"

	"jobwatch/internal/job"
)

// noName is a machine that failed and has neither name nor GUID: its failure must not go unsaid.
const noName = "-"

// machines gives one entry for each identity, of vmStatus and of clientStatus. Nil means that the answer has none; an
// entry that names nothing and has not failed is none.
func (c *clientStatusInfo) machines(clip *clipper) []job.VM {
	if c.Machines == nil && len(c.Clients) == 0 {
		return nil
	}
	vms := make([]job.VM, 0, len(c.Machines)+len(c.Clients))
	places := make(map[string]int, cap(vms))
	add := func(vm job.VM) {
		place, again := places[vm.Identity()]
		if again {
			vms[place] = merged(vms[place], vm, clip)
			return
		}
		places[vm.Identity()] = len(vms)
		vms = append(vms, vm)
	}
	for i := range c.Machines {
		if v := &c.Machines[i]; v.Name.words != "" || v.GUID.words != "" || v.reason() != "" {
			add(v.machine(clip))
		}
	}
	for i := range c.Clients {
		if v := &c.Clients[i]; v.Client.v.Name.words != "" || v.Reason.words != "" {
			add(job.VM{
				Name:   string(clip.name("vms", either(v.Client.v.Name, text{noName}))),
				Reason: clip.reason("vms", v.Reason),
			})
		}
	}
	return vms
}

// Of the numbers of vmStatus.Status and vmStatus.syncStatus, those that say that the machine failed.
const (
	statusFailed         = 1
	syncFailed           = 5
	syncValidationFailed = 8
	syncRevertFailed     = 10
)

// reason is why the machine failed, "" if it has not.
func (v *vmStatus) reason() string {
	switch {
	case v.Reason.words != "":
		return v.Reason.words
	case v.Sync.equals(syncFailed):
		return string(job.SyncFailed)
	case v.Sync.equals(syncValidationFailed):
		return string(job.SyncValidationFailed)
	case v.Sync.equals(syncRevertFailed):
		return string(job.SyncRevertFailed)
	case v.Status.equals(statusFailed):
		return string(job.Unexplained)
	}
	return ""
}

// guid leaves out the one of zeros, which is nobody's.
func (v *vmStatus) guid() text {
	if strings.Trim(v.GUID.words, "{0-}") == "" {
		return text{}
	}
	return v.GUID
}

func (v *vmStatus) machine(clip *clipper) job.VM {
	name := either(v.Name, either(v.GUID, text{noName}))
	return job.VM{
		Name:       string(clip.name("vms", name)),
		GUID:       clip.name("vms", v.guid()),
		Job:        v.Job.positive(),
		Status:     v.Status.value,
		SyncStatus: v.Sync.value,
		Reason:     clip.reason("vms", text{v.reason()}),

		Agent:     clip.name("vms", v.Agent),
		Host:      clip.name("vms", v.Host),
		StartTime: v.Start.time(),
		EndTime:   v.End.time(),
		Size:      v.Size.value,
		UsedSpace: v.UsedSpace.value,
		GuestSize: v.GuestSize.value,

		Client:          v.Client.positive(),
		OperatingSystem: clip.name("vms", v.OperatingSystem),
		HardwareVersion: clip.name("vms", v.HardwareVersion),
		ToolsVersion:    clip.name("vms", v.ToolsVersion),
		BackupType:      v.BackupType.value,
		TransportMode:   clip.name("vms", v.TransportMode),
		CBTStatus:       clip.name("vms", v.CBTStatus),

		Archived:        v.Archived.value,
		Stub:            v.Stub.value,
		PoweredOff:      v.PoweredOff.value,
		PoweredOffSince: v.PoweredOffSince.time(),
	}
}

// merged is one of two entries of one machine: the one that says more of why it failed. Of two that both give a reason
// it has both, in an order that does not depend on theirs.
func merged(a, b job.VM, clip *clipper) job.VM {
	switch more := weight(b.Reason) - weight(a.Reason); {
	case more < 0, a.Reason == b.Reason:
		return a
	case more > 0:
		return b
	case a.Reason.IsPlaceholder():
		a.Reason = min(a.Reason, b.Reason)
		return a
	}
	lines := strings.Split(string(a.Reason)+"\n"+string(b.Reason), "\n")
	slices.Sort(lines)
	a.Reason = clip.clip("vms", strings.Join(slices.Compact(lines), "\n"), job.ReasonLimit)
	return a
}

func weight(reason job.Text) int {
	switch {
	case reason == "":
		return 0
	case reason == job.Unexplained:
		return 1
	case reason.IsPlaceholder():
		return 2
	}
	return 3
}
