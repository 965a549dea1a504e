package sim

import (
	"strings"
	"time"
)

// Kind is what a job does. It decides which members its answers have.
type Kind int

const (
	FileSystem       Kind = iota // a backup of files
	VirtualServer                // a backup of virtual machines
	Restore                      // has no storage policy and no subclient name
	DisasterRecovery             // the CommServe's own backup: has no client
	Verification                 // an admin job: has no client, and no place among the backups
)

// Job is one job and all that will ever happen to it.
type Job struct {
	ID     int64
	Kind   Kind
	Parent int64  // of a machine's own job: the job of all machines
	Client string // default: one chosen by seed and ID; of no use to a Kind without client
	Steps  []Step // in order of At
}

// Step is what is true of a job from At on, until the next step. The CommServe does not know a job
// before its first step; that one's At is the job's start. A finished state is the last step, or else
// the job comes back to life.
type Step struct {
	At       time.Duration // simulated, since Config.Start; may be negative
	State    string        // "Running", "Completed", …; texts are told byte by byte, also where they are no UTF-8
	Phase    string        // "" while it waits and when it is finished
	Failures string        // "0 Folders, 3 Files"; "" means none, said as this kind of job says it
	Reason   string        // why it is delayed, or failed
	Code     string        // the reason's code: "19:579"
	VMs      []VM
	Clients  []Client
	Attempt  int64 // sent to those who ask for it; 0: not told

	Stalled bool // nothing progresses
	Forgot  bool // the CommServe does not know the job
	Mute    bool // the details name no state; list and summary do
}

// VM is a virtual machine of a job. It has failed with a Reason, with Failed or in three states of a live sync.
type VM struct {
	Name   string
	GUID   string // default: one made of name and Job; NoGUID: none
	Reason string
	Job    int64 // the machine's own job, 0 for none
	Failed bool  // its Status says so, whatever the Reason
	Sync   int64 // syncStatus: 5, 8 and 10 are failures
}

// NoGUID is the GUID of a machine that is shown without one.
const NoGUID = "-"

func (vm *VM) fails() bool {
	return vm.Reason != "" || vm.Failed || vm.Sync == 5 || vm.Sync == 8 || vm.Sync == 10
}

// Client is one that a job installs or updates, or whose logs it fetches; with a Reason that has failed.
type Client struct{ Name, Reason string }

// finished holds the states that a job does not leave, in lower case.
var finished = map[string]bool{
	"completed":                         true,
	"completed w/ one or more errors":   true,
	"completed w/ one or more warnings": true,
	"committed":                         true,
	"failed":                            true,
	"failed to start":                   true,
	"killed":                            true,
}

// busy holds the states in which a job gets on, in lower case.
var busy = map[string]bool{
	"running":                      true,
	"running (cannot be verified)": true,
	"suspend pending":              true,
	"kill pending":                 true,
	"interrupt pending":            true,
	"resume pending":               true,
	"abnormal terminated cleanup":  true,
}

func (s *Step) finished() bool { return finished[strings.ToLower(s.State)] }
func (s *Step) busy() bool     { return busy[strings.ToLower(s.State)] }
