package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// life is a generated job: the same one for the same seed and number, beginning at 0 and ending in a
// finished state 30 to 120 simulated seconds later; one that fails to start ends where it begins.
func life(config *Config, id int64) Job {
	s := &story{rng: rand.New(rand.NewPCG(uint64(config.Seed), uint64(id)))}
	kind := pick(s.rng, kinds)
	if kind == VirtualServer {
		s.machines(config.VMs, id)
	}
	p := pick(s.rng, plots)
	if config.Calm {
		p = goesWell
	}
	s.job(kind, p)
	s.steps[len(s.steps)-1].Mute = chance(uint64(config.Seed)^uint64(id), config.Oddities)
	return Job{ID: id, Kind: kind, Client: client(s.rng, kind), Steps: s.steps}
}

// shifted is the job with all its steps later by d.
func (j Job) shifted(d time.Duration) Job {
	j.Steps = slices.Clone(j.Steps)
	for i := range j.Steps {
		j.Steps[i].At += d
	}
	return j
}

// story is a job's life while it is made up.
type story struct {
	rng   *rand.Rand
	at    time.Duration
	now   Step // what goes on until it is changed
	steps []Step
}

func (s *story) job(kind Kind, p plot) {
	if p.tellsAttempts(kind) {
		s.now.Attempt = 1
	}
	switch {
	case p == failsToStart:
		s.failToStart()
	case kind == FileSystem:
		s.backup(p, "Scan", "Backup", "Archive Index")
	case kind == VirtualServer:
		s.backup(p, "Discover", "Backup", "Archive Index", "Finalize")
	case kind == Restore:
		s.wait()
		s.backup(p, "Restore")
	case kind == DisasterRecovery:
		s.wait()
		s.backup(p, "Backup")
	case kind == Verification:
		s.wait()
		s.backup(p, "Verify Data")
	}
}

// backup runs through phases; the longest of them is the one that something befalls.
func (s *story) backup(p plot, phases ...string) {
	if s.rng.IntN(4) == 0 && s.steps == nil {
		s.wait()
	}
	for i, phase := range phases {
		if i != min(1, len(phases)-1) {
			s.run(phase, 4, 12)
			continue
		}
		if s.run(phase, 8, 10); p.befall(s) {
			return
		}
		s.run(phase, 17, 20)
	}
	if p == partial && len(s.now.VMs) > 0 && len(failing(s.now.VMs)) == 0 {
		p = goesWell
	}
	s.end(p.outcome())
}

func (s *story) wait() {
	s.now.State = pick(s.rng, waits)
	s.goOn(5, 15)
}

func (s *story) run(phase string, least, most int) {
	s.now.State, s.now.Phase, s.now.Reason, s.now.Code = "Running", phase, "", ""
	s.goOn(least, most)
}

// goOn leaves things as they are for some seconds.
func (s *story) goOn(least, most int) {
	s.tell()
	s.at += time.Duration(least)*time.Second +
		time.Duration(s.rng.Int64N(int64(most-least+1)*int64(time.Second)))
}

func (s *story) end(state string) {
	s.now.State, s.now.Phase = state, ""
	s.tell()
}

func (s *story) tell() {
	step := s.now
	step.At = s.at
	s.steps = append(s.steps, step)
}

type weighted[T any] struct {
	weight int
	is     T
}

func pick[T any](rng *rand.Rand, from []weighted[T]) T {
	total := 0
	for _, w := range from {
		total += w.weight
	}
	n := rng.IntN(total)
	for _, w := range from {
		if n -= w.weight; n < 0 {
			return w.is
		}
	}
	panic("sim: weights changed while they were picked from")
}

// Some client names hold what a NATS subject could not carry: dots, spaces, a percent sign.
var clients = []string{
	"mail01.example.com", "mail02.example.com", "file-01", "file-02", "file-03", "wiki", "build.example.com",
	"web_1", "web_2", "erp-db", "erp-app", "crm.example.org", "Front Desk 3", "Lager Süd", "lab%7", "intranet",
	"ledger", "payroll", "archive-nas", "print.example.com",
}

var hypervisors = []string{"vcenter-east.example.com", "vcenter-west.example.com", "hyperv-cluster1"}

var machineNames = []string{"dc", "web", "sql", "app", "jump", "cache", "queue", "ldap"}

// reason is why a job waits. A # in its text is a number that changes while it does.
type reason struct{ code, text string }

var reasons = []reason{
	{"19:599", "No drive of the library is free. # jobs are before this one."},
	{"13:138", "The MediaAgent [ma-01] cannot be reached over the network."},
	{"9:40", `A file that the index needs is locked by another process: "C:\Index\42.lock" & others.`},
	{"62:468", "All 12 of 12 streams of the storage policy are taken. Waited for # minutes."},
	{"7:75", "The mount path is full: # GB are left, 20 GB are kept free."},
	{"19:1131", "Outside the operation window. Next window begins at 20:00."},
}

func (r reason) with(n int) string { return strings.ReplaceAll(r.text, "#", strconv.Itoa(n)) }

var machineReasons = []string{
	"The snapshot of the machine could not be made: quiescing took longer than 900 seconds.",
	"No disk of the machine could be opened for reading over any transport mode.",
	"The machine is not on any host any more.",
	"The datastore has no room for a snapshot.",
	"Disk [1] cannot be read.\nDisk [2] cannot be read.",
	"", // some servers give none
}

// client gives "" for a job without one, and consumes the same randomness either way.
func client(rng *rand.Rand, kind Kind) string {
	n := rng.IntN(len(clients))
	switch kind {
	case DisasterRecovery, Verification:
		return ""
	case VirtualServer:
		return hypervisors[n%len(hypervisors)]
	default:
		return clients[n]
	}
}

func machine(rng *rand.Rand, i int) string {
	return fmt.Sprintf("%s-%02d", machineNames[rng.IntN(len(machineNames))], 10*(i+1)+rng.IntN(10))
}

// mix scatters a number over all 64 bits (the finalizer of SplitMix64), for what is to look random
// and yet follow from seed and number.
func mix(n uint64) uint64 {
	n += 0x9e3779b97f4a7c15
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// chance is true for a share of all numbers.
func chance(n uint64, share float64) bool { return float64(mix(n)) < share*math.MaxUint64 }

// guid is a GUID made of a number.
func guid(n uint64) string {
	a, b := mix(n), mix(^n)
	return fmt.Sprintf("%08X-%04X-4%03X-%04X-%012X", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff,
		uint16(b)&0x3fff|0x8000, b>>16)
}
