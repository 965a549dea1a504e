package endtoend

import (
	"fmt"
	"time"

	"jobwatch/internal/sim"
)

// ago is a simulated time of so many minutes before somebody looks.
func ago(minutes float64) time.Duration {
	return time.Duration(float64(minutePast-time.Duration(minutes*float64(time.Minute))) * minuteSpeed)
}

const (
	noMediaAgent = "The MediaAgent [ma-07] cannot be reached over the network."
	noDrive      = "No drive of the library is free. 4 jobs are before this one."
	noWindow     = "Outside the operation window. Next window begins at 20:00."
	noSnapshot   = "The snapshot of the machine could not be made: quiescing took longer than 900 seconds."
	noRoom       = "The datastore has no room for a snapshot."
)

// troubles are all that is wrong at prod, each job of a client of its own.
func (m *minute) troubles() (all []sim.Job) {
	add := func(kind sim.Kind, client string, began float64, steps ...sim.Step) {
		job := sim.Job{ID: int64(601 + len(all)), Kind: kind, Client: client, Steps: []sim.Step{{At: ago(began), State: "Running", Phase: "Scan"}}}
		all = append(all, sim.Job{ID: job.ID, Kind: kind, Client: client, Steps: append(job.Steps, steps...)})
	}
	backup := func(minutes float64) sim.Step { return sim.Step{At: ago(minutes), State: "Running", Phase: "Backup"} }
	for i, minutes := range []float64{5, 11, 17, 23, 31, 42, 53} {
		add(sim.FileSystem, fmt.Sprintf("sql-%02d", i+1), minutes+20, backup(minutes+15),
			sim.Step{At: ago(minutes + 4), State: "Pending", Phase: "Backup", Reason: noMediaAgent, Code: "13:138"},
			sim.Step{At: ago(minutes), State: "Failed", Reason: noMediaAgent, Code: "13:138"})
	}
	for i, client := range []string{"hr-portal", "build-07"} {
		minutes := []float64{12, 25}[i]
		add(sim.FileSystem, client, minutes+18, backup(minutes+10), sim.Step{At: ago(minutes + 2), State: "Kill Pending", Phase: "Backup"}, sim.Step{At: ago(minutes), State: "Killed"})
	}
	for i, client := range []string{"vcenter-north", "vcenter-south", "hyperv-lab"} {
		machines := make([]sim.VM, 12)
		for n := range machines {
			machines[n] = sim.VM{Name: fmt.Sprintf("%s-vm%02d", client, n+1)}
		}
		lost := append([]sim.VM{}, machines...)
		for n := range 1 << i {
			lost[3*n].Reason, lost[3*n].Failed = []string{noSnapshot, noRoom}[n%2], true
		}
		add(sim.VirtualServer, client, float64(40+i), sim.Step{At: ago(35), State: "Running", Phase: "Backup", VMs: machines},
			sim.Step{At: ago(20), State: "Running", Phase: "Backup", VMs: lost}, sim.Step{At: ago(float64(9 + 4*i)), State: "Completed w/ one or more errors", VMs: lost})
	}
	for i, client := range []string{"nas-archive", "exchange-02", "sap-prd", "fileserver-9"} {
		minutes := []float64{62, 58, 55, 48}[i]
		still := backup(minutes)
		still.Stalled = true
		add(sim.FileSystem, client, minutes+20, backup(minutes+12), still)
	}
	add(sim.FileSystem, "tape-copy-1", 80, backup(72), sim.Step{At: ago(66), State: "Pending", Phase: "Backup", Reason: noDrive, Code: "19:599"})
	add(sim.FileSystem, "oracle-rac", 60, backup(52), sim.Step{At: ago(47), State: "Pending", Phase: "Backup", Reason: noWindow, Code: "19:1131"})
	add(sim.FileSystem, "print-03", 30, backup(20), sim.Step{At: ago(8), State: "Pending", Phase: "Backup", Reason: noDrive, Code: "19:599"}) // not long yet
	add(sim.FileSystem, "crm-01", 88, backup(85), sim.Step{At: ago(78), State: "Failed", Reason: "The mount path is full: 3 GB are left, 20 GB are kept free.", Code: "7:75"})
	add(sim.FileSystem, "crm-01", 60, backup(55), sim.Step{At: ago(35), State: "Completed"}) // which makes up for it
	return all
}

// branchJobs are at the CommServe that falls silent: three run when it does.
func (m *minute) branchJobs() (all []sim.Job) {
	for i := range 12 {
		job := sim.Job{ID: int64(301 + i), Client: fmt.Sprintf("branch-%02d", i+1), Steps: []sim.Step{
			{At: ago(85), State: "Running", Phase: "Scan"}, {At: ago(75), State: "Running", Phase: "Backup"},
		}}
		if i >= 3 {
			job.Steps = append(job.Steps, sim.Step{At: ago(50 + float64(i)), State: "Completed"})
		}
		all = append(all, job)
	}
	return all
}
