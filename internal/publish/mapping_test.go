package publish

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/slow"
)

// subjectsOf are the subjects of what the jobs 1 to n of seesJobs tell, in each job's order.
func subjectsOf(n int) (subjects []string) {
	for number := 1; number <= n; number++ {
		for _, detail := range []string{"state.running", "phase.scan", "phase.backup", "state.completed"} {
			subjects = append(subjects, fmt.Sprintf("jobs.prod.%d.fall.%s", number, detail))
		}
	}
	return subjects
}

func (x *watcher) seesJobs(from, to int64) {
	for number := from; number <= to; number++ {
		x.sees(number, "Running", "Scan")
		x.sees(number, "Running", "Backup")
		x.sees(number, "Completed", "")
	}
}

// isTold fails unless each of n jobs is told whole, once and in order, under its own subjects.
func (a *accounts) isTold(n int) {
	a.t.Helper()
	var got []string
	for number := 1; number <= n; number++ {
		for _, s := range a.under(fmt.Sprintf("jobs.prod.%d.", number)) {
			if !strings.Contains(s, ".other.") {
				got = append(got, s)
			}
		}
	}
	if want := subjectsOf(n); !slices.Equal(got, want) {
		a.t.Errorf("the stream tells\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (x *watcher) isStopped(p *Publisher, words string) {
	x.w.t.Helper()
	x.w.until("it is stopped: "+words, func() bool {
		var misfit *stream.MisfitError
		err := p.Stopped()
		return errors.As(err, &misfit) && strings.Contains(err.Error(), words)
	})
	if byReason, _ := p.Refusals(); byReason[stream.Misfit] == 0 {
		x.w.t.Error("the refusals count no misfit")
	}
}

func TestAMappingIsFoundBeforeAnythingIsStored(t *testing.T) {
	for _, row := range []struct{ name, mapping, words string }{
		{"all", `"jobs.>": "elsewhere.>"`, "goes to elsewhere.prod."},
		{"phases", `"jobs.*.*.*.phase.*": "elsewhere.$1.$2.$3.$4"`, "phase.scan goes to elsewhere.prod."},
		{"phases, within their jobs", `"jobs.*.*.*.phase.*": "jobs.$1.$2.$3.other.$4"`, "phase.scan goes to jobs.prod."},
		{"into another stream", `"jobs.>": "others.>"`, "goes to stream OTHERS"},
		{"out of every stream", `"jobs.>": "nowhere.>"`, "goes to nowhere.prod."},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAccounts(t, mapped(row.mapping))
			if _, err := a.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "OTHERS", Subjects: []string{"others.>"}}); err != nil {
				t.Fatal(err)
			}
			x := a.watcher()
			x.seesJobs(1, 3)
			p := x.publisher(a.broker())
			run(t, p.Run)
			x.isStopped(p, row.words)
			if wrong := len(a.under("elsewhere.")); wrong > 0 {
				t.Errorf("%d events are stored elsewhere", wrong)
			}
			before := a.stored()
			x.seesJobs(4, 5)
			x.isStopped(p, row.words)
			if after := a.stored(); len(after) != len(before) {
				t.Errorf("%d more are stored while it is stopped", len(after)-len(before))
			}
			a.reload(mapped(noMapping))
			x.w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
			a.isTold(5)
			if err := p.Stopped(); err != nil {
				t.Errorf("still stopped: %v", err)
			}
		})
	}
}

// TestAMappingThatIsNotTraced: the user may not publish to its inbox, so NATS traces nothing. The first event of a kind goes
// elsewhere, and no other; or is refused there.
func TestAMappingThatIsNotTraced(t *testing.T) {
	slow.Test(t, "4 s", "an account of a real server is changed while events are sent")
	for _, row := range []struct {
		rights string
		wrong  int
	}{{`"jobs.>", "commcells.>", "$JS.API.>", "elsewhere.>"`, 1}, {`"jobs.>", "commcells.>", "$JS.API.>"`, 0}} {
		t.Run(row.rights, func(t *testing.T) {
			limited := func(mapping string) string {
				return `A {jetstream: enabled, users: [{user: admin, password: x}, {user: jobwatch, password: x, permissions: {publish: [` +
					row.rights + `], subscribe: ["_INBOX.>"]}}]` + "\n mappings: {" + mapping + "}}"
			}
			a := newAccounts(t, limited(`"jobs.>": "elsewhere.>"`))
			x := a.watcher()
			x.seesJobs(1, 20)
			p := x.publisher(a.broker())
			run(t, p.Run)
			x.isStopped(p, "to elsewhere.prod.")
			if wrong := len(a.under("elsewhere.")); wrong != row.wrong {
				t.Errorf("%d events are stored elsewhere, want %d", wrong, row.wrong)
			}
			a.reload(limited(noMapping))
			x.w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
			a.isTold(20)
		})
	}
}

// TestAMappingUnderWay: what was acknowledged under another subject is told again under its own.
func TestAMappingUnderWay(t *testing.T) {
	slow.Test(t, "4 s", "an account of a real server is changed while events are sent")
	for _, row := range []struct{ name, mapping string }{
		{"all", `"jobs.>": "elsewhere.>"`},
		{"phases", `"jobs.*.*.*.phase.*": "elsewhere.$1.$2.$3.$4"`},
		{"phases, within their jobs", `"jobs.*.*.*.phase.*": "jobs.$1.$2.$3.other.$4"`},
		{"of one CommCell to another", `"jobs.prod.>": "jobs.test.>"`},
		{"half of them", `"jobs.>": [{destination: "elsewhere.>", weight: 50%}, {destination: "jobs.>", weight: 50%}]`},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := newAccounts(t, mapped(noMapping))
			x := a.watcher()
			x.store.KeepSent = 1 << 40
			x.seesJobs(1, 2)
			p := x.publisher(a.broker())
			run(t, p.Run)
			x.w.until("all is sent", func() bool { return x.store.Unsent() == 0 })
			a.reload(mapped(row.mapping))
			for number := int64(3); number <= 30; number++ {
				x.sees(number, "Running", "Scan")
			}
			x.isStopped(p, "goes to ")
			a.reload(mapped(noMapping))
			for number := int64(3); number <= 30; number++ {
				x.sees(number, "Running", "Backup")
				x.sees(number, "Completed", "")
			}
			x.w.until("all is sent", func() bool { return x.store.Unsent() == 0 && p.Stopped() == nil })
			x.w.until("what was stored elsewhere is told again", func() bool { return len(a.own(30)) >= 4*30 })
			a.isTold(30)
		})
	}
}

// own are the subjects stored that are some job's own.
func (a *accounts) own(n int) (subjects []string) {
	wanted := subjectsOf(n)
	for _, s := range a.stored() {
		if slices.Contains(wanted, s) {
			subjects = append(subjects, s)
		}
	}
	return subjects
}
