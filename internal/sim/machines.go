package sim

import (
	"encoding/json"
	"hash/fnv"
	"time"
)

// Status numbers are documented nowhere: 0 was seen on machines that are done, 2 on others.
const (
	machineDone  = 0
	machineOther = 2
)

// vmStatus is clientStatusInfo.vmStatus as of a step.
func (l *live) vmStatus(s *step) []byte {
	began, ended := s.At, time.Duration(0)
	if len(l.steps) > 0 {
		began = l.steps[0].At
	}
	if s.done {
		ended = s.At
	}
	list := []object{}
	for _, vm := range s.VMs {
		list = append(list, l.machineStatus(vm, began, ended, s.done))
	}
	text, err := json.Marshal(list)
	if err != nil {
		panic(err) // only texts and numbers are put in
	}
	return text
}

func (l *live) machineStatus(vm VM, began, ended time.Duration, done bool) object {
	size := 10<<30 + int64(hash(vm.Name)%(90<<30))
	o := object{
		"vmName": vm.Name, "GUID": guid(hash(vm.Name)), "FailureReason": vm.Reason, "Status": machineOther,
		"BackupStartTime": l.config.wall(began).Unix(), "BackupEndTime": 0, "jobID": 0, "clientId": 4000 + hash(vm.Name)%100,
		"Agent": "proxy-01", "Host": "esx-01.example.com", "TransportMode": "hotadd", "CBTStatus": "Used",
		"BackupType": 2, "backupLevel": 0, "Size": size, "UsedSpace": size / 2, "GuestSize": size / 3,
		"OperatingSystem": "Debian GNU/Linux 12 (64-bit)", "ToolsVersion": "Current", "HardwareVersion": "vmx-19",
		"ArchivedByCurrentJob": false, "PoweredOffByCurrentJob": false, "PoweredOffSince": 0,
		"StubStatus": 0, "syncStatus": 0, "destinationVMName": "",
	}
	if done {
		o["BackupEndTime"] = l.config.wall(ended).Unix()
	}
	if done && vm.Reason == "" {
		o["Status"] = machineDone
	}
	return o
}

func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // a hash takes every byte
	return h.Sum64()
}
