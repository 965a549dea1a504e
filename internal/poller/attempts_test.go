package poller

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/sim"
	"jobwatch/internal/store/storetest"
)

// simulated is a bench whose CommServe is the simulator.
func simulated(t *testing.T, config sim.Config, format string, log *strings.Builder, jobs ...sim.Job) *bench {
	play := sim.New(config)
	for _, j := range jobs {
		play.Add(j)
	}
	client, err := commvault.New(commvault.Config{
		CommCell: "prod", URL: "http://cs.test/webconsole/api", Token: "QSDK sim", Format: format, Transport: play.Inside(),
		Log: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return newBench(t, func(c *Config) { c.Source = client })
}

// hundreds are machines of which each tenth fails, in the first attempt for one reason, in the second each hundredth.
func hundreds(attempt int64) []sim.VM {
	vms := make([]sim.VM, 500)
	for i := range vms {
		vms[i] = sim.VM{Name: fmt.Sprintf("vm-%03d", 499-i), Job: int64(7000 + i)}
		if attempt == 1 && i%10 == 0 || attempt == 2 && i%100 == 0 {
			vms[i].Reason = "No snapshot."
		}
	}
	return vms
}

func TestHundredsOfMachinesInTwoAttempts(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		synctest.Test(t, func(t *testing.T) {
			begun := hundreds(0)
			b := simulated(t, sim.Config{}, format, &strings.Builder{}, sim.Job{ID: 71, Kind: sim.VirtualServer, Client: "vc", Steps: []sim.Step{
				{State: "Running", Phase: "Backup", Attempt: 1, VMs: begun},
				{At: time.Minute, State: "Running", Phase: "Backup", Attempt: 1, VMs: hundreds(1)},
				{At: 2 * time.Minute, State: "Running", Phase: "Backup", Attempt: 2, VMs: begun},
				{At: 3 * time.Minute, State: "Completed w/ one or more errors", Attempt: 2, VMs: hundreds(2)},
			}})
			b.tells("prod/71 state:  → Running", "prod/71 phase:  → Backup", "prod/71 watch:  → 1")
			time.Sleep(time.Minute)
			b.cycle()
			b.hasFailed(50, 50)
			b.tells()
			time.Sleep(time.Minute)
			b.tells("prod/71 watch: 1 → 2") // those that succeed now are told no more
			b.hasFailed(0, 0)
			time.Sleep(time.Minute)
			b.cycle()
			b.hasFailed(5, 5, "prod/71 state: Running → Completed w/ one or more errors", "prod/71 failure: Running → Completed w/ one or more errors")
			b.tells()
		})
	}
}

// hasFailed wants one event for each of so many machines, in the answer's order and behind the rest, that names its job.
func (b *bench) hasFailed(told, failed int, before ...string) {
	b.t.Helper()
	l, _, err := b.store.Show(job.ID{CommCell: "prod", Number: 71})
	if err != nil || l.Snapshot.VMs.Total != 500 || l.Snapshot.VMs.Failed != failed {
		b.t.Fatalf("%+v, want %d of 500 failed (%v)", l.Snapshot.VMs, failed, err)
	}
	want := before
	for _, vm := range l.Snapshot.Machines {
		if vm.Reason != "" {
			want = append(want, fmt.Sprintf("%s of job %d", vm.Name, *vm.Job))
		}
	}
	if got := b.takeOf(l.ID()); !slices.Equal(got, want) || len(got) != told+len(before) {
		b.t.Fatalf("told %d\n%s\nwant\n%s", len(got), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// takeOf gives the events that wait, in their order; those of machines by the machine and its job.
func (b *bench) takeOf(id job.ID) (told []string) {
	b.t.Helper()
	for sequence := uint64(1); ; sequence++ {
		next, found, err := storetest.Oldest(b.store, id)
		if err != nil || !found {
			return told
		}
		words := describe(b.t, next.Event)
		if data, err := next.Event.Job(); err == nil && data.Change.VM != "" {
			words = fmt.Sprintf("%s of job %d", data.Change.VM, data.Change.VMJob)
		}
		if size := len(encode(b.t, next.Event)); size >= 64<<10 {
			b.t.Errorf("%s: %d bytes", words, size)
		}
		told = append(told, words)
		if err := b.store.Acknowledge(id, next.Event, sequence); err != nil {
			b.t.Fatal(err)
		}
	}
}

// A server that is too old to tell attempts, and fails now and then besides, tells all the rest.
func TestAnOldServerTellsAllButAttempts(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		synctest.Test(t, func(t *testing.T) {
			var log strings.Builder
			var jobs []sim.Job
			for id := int64(71); id <= 76; id++ {
				jobs = append(jobs, sim.Job{ID: id, Steps: []sim.Step{
					{State: "Running", Attempt: 1}, {At: time.Minute, State: "Running", Attempt: 2}, {At: 2 * time.Minute, State: "Completed", Attempt: 2},
				}})
			}
			b := simulated(t, sim.Config{Old: true}, format, &log, jobs...)
			for _, words := range []string{" → Running", "", "Running → Completed"} {
				var want []string
				for id := 71; id <= 76 && words != ""; id++ {
					want = append(want, fmt.Sprintf("prod/%d state: %s", id, words))
				}
				b.tells(want...)
				time.Sleep(time.Minute)
			}
			if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "too old to tell attempts") {
				t.Errorf("logged %s", &log)
			}
		})
	}
}
