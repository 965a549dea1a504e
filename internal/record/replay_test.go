package record_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/record"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestReplayTellsTheSameButForNames records what a watcher asks of a CommServe whose jobs go through all that jobs do, and
// wants of the record the same events, in the same order.
func TestReplayTellsTheSameButForNames(t *testing.T) {
	slow.Test(t, "4 s", "minutes of some dozen jobs, recorded and played, in both formats, with ids kept and renumbered")
	t.Parallel()
	for format, renumber := range map[string]bool{"json": false, "xml": true} {
		t.Run(format, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				play := sim.New(sim.Config{
					Seed: 7, Jobs: 6, Arrivals: 0.02, VMs: 2, Clock: func() time.Duration { return time.Since(began) }, Oddities: 0.1,
					Username: "watcher", Password: "watcher",
				})
				for _, j := range personal() {
					play.Add(j)
				}
				w, dir := newWriter(t, func(c *record.Config) { c.Renumber = renumber })
				listen := func(c *commvault.Config) { c.Wrap = w.Tap }
				const long = 150 * time.Second
				was := lived(t, newClient(t, format, play.Inside(), listen), long)
				stats := closed(t, w)
				namesStay(t, dir)
				is := lived(t, newClient(t, format, player(t, dir), nil), long+time.Minute)
				if len(was) < 50 || stats.Entries < 100 || len(stats.Jobs) < 8 {
					t.Fatalf("%d events, %d entries of %d jobs", len(was), stats.Entries, len(stats.Jobs))
				}
				compare(t, was, is, renumber)
			})
		})
	}
}

var replaced = regexp.MustCompile(`"X[a-z]+|X[a-z]+"|<X|X[a-z]+=`)

// namesStay wants all names of members that the simulator uses to be known.
func namesStay(t *testing.T, dir string) {
	t.Helper()
	_, entries, err := record.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if at := replaced.FindStringIndex(e.Body); at != nil {
			t.Fatalf("a name is replaced that may stay: %.200s", e.Body[max(0, at[0]-100):])
		}
	}
}

// personal are jobs with names of people in each field that the simulator lets be told.
func personal() []sim.Job {
	guid := "7f1d3a52-0c9e-4b7a-9d12-6f0e8c5b4a31"
	vms := func(reason string) []sim.VM {
		return []sim.VM{
			{Name: "Zyxquellwobb-pc", GUID: guid, Reason: reason, Job: 9001},
			{Name: "zyxquellwobb.corp.example.org", Reason: "", Job: 9002},
			{Name: "Zyxquellwobb-pc", GUID: sim.NoGUID, Failed: true},
			{Name: "", GUID: sim.NoGUID, Reason: "Zyxquellwobb\nWobbquellzyx 7"},
			{Name: "live", Sync: 5},
		}
	}
	return []sim.Job{
		{ID: 71, Kind: sim.VirtualServer, Client: "Zyxquellwobb", Steps: []sim.Step{
			{State: "Running", Phase: "Scan", Attempt: 1, VMs: vms("")},
			{At: 20 * time.Second, State: "Wird von Zyxquellwobb gesichert", Phase: "Zyxquellwobbs Phase", Attempt: 1, VMs: vms("Zyxquellwobb 1 of 2")},
			{At: 40 * time.Second, State: "wird von zyxquellwobb gesichert ", Phase: "Backup", Attempt: 2, VMs: vms("Zyxquellwobb 2 of 2")},
			{At: 60 * time.Second, State: "Pending", Phase: "Backup", Reason: "Zyxquellwobb holds 12 of 40 streams", Attempt: 2, VMs: vms("Wobbquellzyx")},
			{At: 70 * time.Second, State: "Pending", Phase: "Backup", Reason: "Zyxquellwobb holds 13 of 40 streams", Attempt: 2},
			{At: 80 * time.Second, State: "Pending", Phase: "Backup", Reason: "Wobbquellzyx holds 13 of 40 streams", Attempt: 2},
			{At: 90 * time.Second, State: "Pending", Phase: "Backup", Reason: "Another", Code: "19:599", Attempt: 2},
			{At: 100 * time.Second, State: "Failed", Failures: "3 Folders, 12 Files", Reason: "Zyxquellwobb \xfc", Code: "19:599", Attempt: 2, VMs: vms("Wobbquellzyx")},
		}},
		{ID: 72, Client: "\xd6zyxquellwobb", Steps: []sim.Step{
			{State: "Running", Phase: "Scan"},
			{At: 20 * time.Second, State: "Running", Phase: "Backup", Failures: "zyxquellwobb, 2"},
			{At: 50 * time.Second, State: "Running", Phase: "Backup", Failures: "0 Folders, 2 Files", Clients: []sim.Client{{Name: "Zyxquellwobb", Reason: "Zyxquellwobb"}}},
			{At: 90 * time.Second, Forgot: true},
		}},
	}
}

// compare holds two runs against each other. A name of the first stands for one of the second, wherever it is told.
func compare(t *testing.T, was, is []event.Event, renumbered bool) {
	t.Helper()
	if len(was) != len(is) {
		t.Errorf("%d events, and then %d", len(was), len(is))
	}
	wasOf, isOf := told(t, was), told(t, is)
	if a, b := courses(wasOf), courses(isOf); !slices.Equal(a, b) {
		t.Errorf("jobs went through\n%s\nand then through\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
	if renumbered {
		return
	}
	texts, machines := newPairs(), newPairs()
	for id, events := range wasOf {
		again := isOf[id]
		if course(events) != course(again) {
			t.Errorf("%s went through\n%s\nand then through\n%s", id, course(events), course(again))
			continue
		}
		for i := range events {
			a, b := &events[i].Change, &again[i].Change
			texts.want(t, string(a.From), string(b.From))
			texts.want(t, string(a.To), string(b.To))
			machines.want(t, a.VM, b.VM)
			machines.want(t, a.VMGUID, b.VMGUID)
			machines.want(t, string(events[i].Job.Client), string(again[i].Job.Client))
		}
	}
}

// told are the events of each job, of the CommCell itself none.
func told(t *testing.T, events []event.Event) map[string][]event.JobData {
	all := map[string][]event.JobData{}
	for _, e := range events {
		if e.IsCommCell() {
			continue
		}
		data, err := e.Job()
		if err != nil {
			t.Fatal(err)
		}
		all[e.PartitionKey] = append(all[e.PartitionKey], data)
	}
	return all
}

// courses are what jobs went through, whatever their numbers.
func courses(all map[string][]event.JobData) (is []string) {
	for _, events := range all {
		is = append(is, course(events))
	}
	slices.Sort(is)
	return is
}

// course is what a job went through, but for names.
func course(events []event.JobData) string {
	var b strings.Builder
	for i := range events {
		e := &events[i]
		fmt.Fprintf(&b, "%s %s %s", e.Change.Kind, e.Severity, e.Job.StateClass)
		if job.LookUp(e.Change.To, false).Class != job.Unknown {
			b.WriteString(" " + string(e.Change.To))
		}
		b.WriteString(", ")
	}
	return b.String()
}

// pairs are originals and their stand-ins, there and back.
type pairs struct{ there, back map[string]string }

func newPairs() pairs { return pairs{map[string]string{}, map[string]string{}} }

func (p pairs) want(t *testing.T, was, is string) {
	t.Helper()
	if before, known := p.there[was]; known && before != is {
		t.Errorf("%q stands for %q, and for %q", is, was, before)
	}
	if before, known := p.back[is]; known && before != was && !job.Same(job.Text(before), job.Text(was)) {
		t.Errorf("%q and %q have the stand-in %q", was, before, is)
	}
	p.there[was], p.back[is] = is, was
}
