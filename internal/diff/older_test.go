package diff_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
)

// older is what a version that knew machines by name alone would tell: machines of one name were one, with the reasons of
// all, and each other text was another reason.
func older(told map[string]job.Text, seen *job.Snapshot) []job.Change {
	var names []string
	reasons := map[string][]string{}
	for _, vm := range seen.Machines {
		if !slices.Contains(names, vm.Name) {
			names = append(names, vm.Name)
		}
		if vm.Reason != "" && !vm.Reason.IsPlaceholder() {
			reasons[vm.Name] = append(reasons[vm.Name], string(vm.Reason))
		}
	}
	var changes []job.Change
	for _, name := range names {
		slices.Sort(reasons[name])
		reason := job.Text(strings.Join(slices.Compact(reasons[name]), "; "))
		if reason != "" && reason != told[name] {
			changes = append(changes, job.Change{Kind: job.KindFailure, Detail: job.DetailVM, VM: name, From: told[name], To: reason})
		}
	}
	return changes
}

// Two watchers of both versions that see the same soon have nothing to say.
func TestTurnsWithAnOlderWatcherEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var told job.Told
		by := map[string]job.Text{} // the older one's fold of the same events
		tell := func(changes []job.Change, seen *job.Snapshot) int {
			for _, c := range changes {
				by[c.VM] = c.To
			}
			told = told.TellAll(changes, seen, time.Time{})
			return len(changes)
		}
		for range 3 {
			seen := job.Snapshot{Machines: drawMachines(t)}
			seen.Machines = slices.DeleteFunc(seen.Machines, func(vm job.VM) bool { return vm.GUID == "" }) // not beside some that have one
			for i := range seen.Machines {                                                                  // nor are they renamed meanwhile
				seen.Machines[i].Name = map[job.Text]string{"g-1": "mail", "g-2": "mail", "g-3": "db", "g-4": "fall"}[seen.Machines[i].GUID]
			}
			if rapid.Bool().Draw(t, "the older one first") {
				tell(older(by, &seen), &seen)
			}
			for round := 1; ; round++ {
				if tell(diff.Since(told, &seen), &seen)+tell(older(by, &seen), &seen) == 0 {
					break
				}
				if round == 4 {
					t.Fatalf("they go on telling: %+v, told %+v, %v", seen.Machines, told, by)
				}
			}
		}
	})
}
