package commvault

import (
	"slices"
	"strings"

	"jobwatch/internal/job"
)

// unnamed is a machine that failed and has neither name nor GUID: its failure must not go unsaid.
const unnamed = "-"

// machines gives one entry a name, since a name is all that an event can call a machine by. Nil is:
// the answer speaks of none; an entry that names nothing and complains of nothing is none.
func machines(statuses list[vmStatus], clip *clipper) []job.VM {
	if statuses == nil {
		return nil
	}
	vms := make([]job.VM, 0, len(statuses))
	places := make(map[string]int, len(statuses))
	for i := range statuses {
		if statuses[i].empty() {
			continue
		}
		vm := statuses[i].machine(clip)
		if place, again := places[vm.Name]; again {
			vms[place] = merged(vms[place], vm, clip)
			continue
		}
		places[vm.Name] = len(vms)
		vms = append(vms, vm)
	}
	return vms
}

func (v *vmStatus) empty() bool {
	return v.Name.words == "" && v.GUID.words == "" && v.Reason.words == ""
}

func (v *vmStatus) machine(clip *clipper) job.VM {
	name := either(v.Name, either(v.GUID, text{unnamed}))
	return job.VM{
		Name:      string(clip.name("vms", name)),
		GUID:      clip.name("vms", v.GUID),
		Job:       v.Job.positive(),
		Status:    v.Status.value,
		Reason:    clip.reason("vms", v.Reason),
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

const reasonSeparator = "; "

// merged is the failing one of two of the same name; of two that fail it tells both reasons, in an
// order that does not depend on theirs.
func merged(a, b job.VM, clip *clipper) job.VM {
	switch {
	case b.Reason == "" || a.Reason == b.Reason:
		return a
	case a.Reason == "":
		return b
	}
	reasons := strings.Split(string(a.Reason)+reasonSeparator+string(b.Reason), reasonSeparator)
	slices.Sort(reasons)
	a.Reason = clip.clip("vms", strings.Join(slices.Compact(reasons), reasonSeparator), job.ReasonLimit)
	return a
}
