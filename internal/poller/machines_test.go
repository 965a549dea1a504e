package poller

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/sim"
	"jobwatch/internal/store/storetest"
)

// From the simulator to the outbox, in both formats: machines of one name, some without a reason or a GUID, and clients.
func TestMachinesOfOneNameToTheOutbox(t *testing.T) {
	const unexplained = "failed; the CommServe gives no reason"
	for _, format := range []string{"json", "xml"} {
		synctest.Test(t, func(t *testing.T) {
			b := simulated(t, sim.Config{}, format, &strings.Builder{}, sim.Job{ID: 71, Kind: sim.VirtualServer, Client: "vc", Steps: []sim.Step{
				{State: "Running", VMs: []sim.VM{{Name: "app", GUID: "g-1"}, {Name: "app", GUID: "g-2"}, {Name: "db", GUID: sim.NoGUID}}},
				{At: time.Minute, State: "Running", VMs: []sim.VM{{Name: "app", GUID: "g-1"}, {Name: "app", GUID: "g-2", Failed: true}, {Name: "db", GUID: sim.NoGUID, Sync: 5}}},
				{At: 2 * time.Minute, State: "Running", VMs: []sim.VM{
					{Name: "app", GUID: "g-2", Reason: "disk a\ndisk b"}, {Name: "app", GUID: "g-1", Failed: true}, {Name: "db", GUID: sim.NoGUID, Sync: 8}}},
				{At: 3 * time.Minute, State: "Running", VMs: []sim.VM{{Name: "app", GUID: "g-1"}, {Name: "app", GUID: "g-2", Reason: "disk b\ndisk a"}, {Name: "db", GUID: sim.NoGUID}}},
				{At: 4 * time.Minute, State: "Running", Clients: []sim.Client{{Name: "fs-01"}, {Name: "fs-02", Reason: "It needs a reboot."}}},
			}})
			b.tells("prod/71 state:  → Running")
			for _, want := range [][]string{
				{"app/g-2:  → " + unexplained, "db/:  → live sync failed; the CommServe gives no reason"},
				{
					"app/g-2: " + unexplained + " → disk a\ndisk b", "app/g-1:  → " + unexplained,
					"db/: live sync failed; the CommServe gives no reason → live sync validation failed; the CommServe gives no reason",
				},
				nil,
				{"fs-02/:  → It needs a reboot."},
			} {
				time.Sleep(time.Minute)
				b.cycle()
				b.machinesTell(want...)
				b.cycle()
				b.machinesTell()
			}
		})
	}
}

func (b *bench) machinesTell(want ...string) {
	b.t.Helper()
	for _, words := range want {
		next, found, err := storetest.Oldest(b.store, of71)
		if err != nil || !found {
			b.t.Fatalf("nothing is told; want %s (%v)", words, err)
		}
		data, err := next.Event.Job()
		if c := data.Change; err != nil || c.VM+"/"+c.VMGUID+": "+string(c.From)+" → "+string(c.To) != words {
			b.t.Errorf("told %+v, want %s (%v)", c, words, err)
		}
		if err := b.store.Acknowledge(of71, next.Event, next.Event.Number()); err != nil {
			b.t.Fatal(err)
		}
	}
	if next, found, _ := storetest.Oldest(b.store, of71); found {
		b.t.Errorf("told besides: %s", describe(b.t, next.Event))
	}
}

var of71 = job.ID{CommCell: "prod", Number: 71}
