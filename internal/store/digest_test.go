package store

import (
	"reflect"
	"testing"

	"jobwatch/internal/job"
)

func number(n int64) *int64 { return &n }

func TestTheRecordKeepsTheMachines(t *testing.T) {
	yes, off := true, at.UTC()
	s := job.Snapshot{CommCell: "prod", Number: 1248, State: "Running", Truncated: []string{"vms"}, Machines: []job.VM{
		{Name: "mail", GUID: "5036e64d", Status: number(0), Size: number(5 << 30), Client: number(4007), Archived: &yes, PoweredOffSince: &off},
		{Name: "web", Status: number(2), Reason: "Disk is gone", TransportMode: "hotadd", CBTStatus: "Used"},
	}}
	s.Settle()
	line, err := encodeSnapshot(&s)
	must(t, err)
	got, err := decodeSnapshot(line)
	must(t, err)
	if !reflect.DeepEqual(got, s) {
		t.Errorf("got  %+v\nwant %+v", got, s)
	}
}

func TestDigestCountsWhatIsWorthKeepingOfAMachine(t *testing.T) {
	for _, row := range []struct {
		words  string
		change func(*job.VM)
		counts bool
	}{
		{"its name", func(vm *job.VM) { vm.Name = "mail2" }, true},
		{"its status", func(vm *job.VM) { vm.Status = number(2) }, true},
		{"a status where none was told", func(vm *job.VM) { vm.Status = nil }, true},
		{"its reason", func(vm *job.VM) { vm.Reason = "Disk is gone" }, true},
		{"its sizes", func(vm *job.VM) { vm.Size, vm.UsedSpace, vm.GuestSize = number(7), number(8), number(9) }, false},
		{"its times", func(vm *job.VM) { vm.StartTime = &at }, false},
	} {
		seen := func(vm job.VM) uint64 {
			s := job.Snapshot{CommCell: "prod", Number: 1248, State: "Running", Machines: []job.VM{vm}}
			s.Settle()
			return Digest(&s)
		}
		vm := job.VM{Name: "mail", Status: number(0), Size: number(5 << 30)}
		before := seen(vm)
		row.change(&vm)
		if counts := seen(vm) != before; counts != row.counts {
			t.Errorf("%s counts: %t, want %t", row.words, counts, row.counts)
		}
	}
}
