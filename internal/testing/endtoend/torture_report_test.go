package endtoend

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/sim"
)

// report counts what was done, and what came of it.
type report struct {
	torments map[string]int
	ends     map[string]int // of rounds, by a signal
	crashes  map[string]int // by point
	spoiled  map[string]int // answers, by fault
	restarts int            // of NATS
	answers  int
	took     time.Duration
	verdict
}

func newReport() report {
	return report{torments: map[string]int{}, ends: map[string]int{}, crashes: map[string]int{}, spoiled: map[string]int{}}
}

// kills are those by a signal and those at a point.
func (r *report) kills() int { return r.ends["SIGKILL"] + sum(r.crashes) }

func sum(counts map[string]int) (all int) {
	for _, count := range counts {
		all += count
	}
	return all
}

// judged notes what came of a part.
func (r *report) judged(x *torture, found verdict) {
	record := x.sim.Served()
	r.restarts, r.answers, r.verdict, r.took = x.nats.restarts-1, len(record), found, time.Since(x.began)
	for _, a := range record {
		if a.Fault != "" {
			r.spoiled[string(a.Fault)]++
		}
	}
}

func (r *report) add(part report) {
	for sum, counts := range map[*map[string]int]map[string]int{
		&r.torments: part.torments, &r.ends: part.ends, &r.crashes: part.crashes, &r.spoiled: part.spoiled,
	} {
		for name, count := range counts {
			(*sum)[name] += count
		}
	}
	r.restarts += part.restarts
	r.answers += part.answers
	r.took += part.took
	r.events += part.events
	r.certain += part.certain
	r.lost += part.lost
	r.doubled += part.doubled
	r.disordered += part.disordered
	r.madeUp += part.madeUp
	r.gaps += part.gaps
}

func (r report) String() string {
	return fmt.Sprintf("%d kills, %d of them at a crash point, NATS restarted %d times, %d kinds of torment, %d answers (%d certain), %s; %v",
		r.kills(), sum(r.crashes), r.restarts, len(r.torments), r.answers, r.certain, r.verdict, r.took.Round(time.Second))
}

// write writes the report for people.
func (p *plan) write(t *testing.T, name string, one, two report) {
	var b strings.Builder
	fmt.Fprintf(&b, `# The torture

Written by `+"`make torture`"+` on %s, on %s/%s with %d processors and %s, in %v. To repeat it:

    JOBWATCH_SEED=%d make torture TORTURE=%s

The seed repeats all that is chosen, and not the moments at which a process is hit. The watcher is a process of its
own between a simulated CommServe, which records its answers, and a real NATS server, which is another process; the
connection to it goes through toxiproxy. A round lets one or two things go wrong, and mostly ends with SIGKILL. Each hundred
kills are a world of their own, in which some 300 jobs live; at its end all is made well, and a checker that shares no code with
the program holds the whole stream against the record.

`, time.Now().Format("2 January 2006"), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), (one.took + two.took).Round(time.Second), p.seed, os.Getenv("JOBWATCH_TORTURE"))
	fmt.Fprint(&b, "| | one watcher | two watchers by accident |\n|---|--:|--:|\n")
	for _, row := range []struct {
		name     string
		one, two int
	}{
		{"kills", one.kills(), two.kills()},
		{"of them at a crash point", sum(one.crashes), sum(two.crashes)},
		{"NATS restarted", one.restarts, two.restarts},
		{"answers to JobDetails", one.answers, two.answers},
		{"events in the stream", one.events, two.events},
		{"**lost**", one.lost, two.lost},
		{"**doubled**", one.doubled, two.doubled},
		{"**out of order**", one.disordered + one.gaps, two.disordered + two.gaps},
		{"**made up**", one.madeUp, two.madeUp},
	} {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", row.name, row.one, row.two)
	}
	table := func(head, said string, one, two map[string]int, rows []string) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| | one watcher | two |\n|---|--:|--:|\n", head, said)
		for _, name := range rows {
			fmt.Fprintf(&b, "| %s | %d | %d |\n", name, one[name], two[name])
		}
	}
	table("How a round ended", "One that did not end so went on into the next, or ended at a crash point.", one.ends, two.ends, keys(one.ends, two.ends))
	table("Crash points", "The places where a crash matters (`internal/failpoint`): the watcher kills itself there.", one.crashes, two.crashes, keys(one.crashes, two.crashes))
	var rows []string
	for _, each := range torments() {
		rows = append(rows, each.name)
	}
	table("What went wrong", "Rounds in which it did. For two watchers a stream that loses what one of them alone has told is left out,\nand so are old answers, which only the one that knows better can tell from new ones.", one.torments, two.torments, rows)
	rows = nil
	for _, kind := range sim.FaultKinds() {
		rows = append(rows, string(kind))
	}
	table("Faults of the CommServe", "Answers to JobDetails that were spoiled; logins, lists and summaries are not counted.", one.spoiled, two.spoiled, rows)
	if err := os.WriteFile(name, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func keys(counts ...map[string]int) []string {
	all := map[string]int{}
	for _, each := range counts {
		maps.Copy(all, each)
	}
	return slices.Sorted(maps.Keys(all))
}
