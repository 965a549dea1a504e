package endtoend

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// TestTheMinute holds that whoever opens the page before 5,000 jobs can read there what runs, what failed, what is stuck,
// whether the watcher works, and what it told whom: the first four without scrolling, the last one click away. What is
// true the simulator says. JOBWATCH_MINUTE=1h leaves the world up for so long instead, for people to try.
func TestTheMinute(t *testing.T) {
	slow.Test(t, "20 s", "the page of a watcher that has followed 5,000 jobs for 90 minutes, in a real browser")
	m := newMinute(t)
	m.start()
	m.settled()
	if lasts := os.Getenv("JOBWATCH_MINUTE"); lasts != "" {
		m.staysUp(lasts)
		return
	}
	s, truth := openScreen(t), m.truth()
	if all := len(m.prod.Truth()); all < minuteJobs-10 || all > minuteJobs+10 || len(truth.failed) != 7 || len(truth.stalled) != 4 || len(truth.held) != 2 {
		t.Fatalf("%d jobs; the world has changed: %+v", all, truth)
	}

	s.opens(m.page)
	s.reads("how many run", near(truth.running, "running")+"|"+near(truth.running+len(truth.stalled), "run"), near(truth.waiting, "waiting"))
	s.reads("how many failed", near(truth.allFailed, "failed"), near(len(truth.killed), "killed"), near(len(truth.partial), "with errors"))
	s.reads("what failed within the hour, and why", append(quoted(append(clientsOf(truth.failed), truth.failed[0].Reason)...), near(len(truth.failed), "jobs"))...)
	s.reads("what was made good", "1 made good since")
	s.reads("which machines failed", quoted(clientsOf(truth.partial)...)...)
	s.reads("what was killed", quoted(clientsOf(truth.killed)...)...)
	s.reads("how many are stuck, and which", append(quoted(clientsOf(truth.stalled, truth.held)...), near(len(truth.stalled), "stalled"))...)
	s.reads("why they wait", quoted(truth.held[0].Reason, truth.held[1].Reason)...)
	s.reads("does the watcher work", "All that was seen is", `prod answers`, `branch (is silent|does not answer)`, `3 of them on branch as of \d\d:\d\d`, `does not answer, for [4-9]\d min\W+connection refused`, "The watcher itself")
	s.readsNot("what is well again, or does not wait long", "crm-01", "print-03", "has trouble")

	s.opens(m.page + "?view=jobs&q=class:failed")
	s.reads("which failed", quoted(clientsOf(truth.failed)...)...)
	s.opens(m.page + "?view=jobs&q=class:stalled,held")
	s.reads("which are stuck", quoted(clientsOf(truth.stalled, truth.held)...)...)
	s.opens(m.page + "?view=jobs&q=class:partial")
	for _, job := range truth.partial {
		s.reads("which machines failed", quoted(append(job.Machines[:1:1], job.Client)...)...)
	}

	s.opens(m.page + "?view=relays")
	s.reads("which relay lags, and whether it delivers", `cmdb delivers to webhook 127\.0\.0\.1:\d+`, `pager delivers to webhook 127\.0\.0\.1:\d+, for [^;]*nothing waits`)
	m.lags(s)

	s.opens(fmt.Sprintf("%s?view=job&job=prod/%d", m.page, truth.failed[0].ID))
	s.reads("what was told of it", "Pending → Failed", `jobs\.prod\.\d+\.sql-\d+\.failure\.`, regexp.QuoteMeta(truth.failed[0].Reason))
}

// lags holds that the relay is as far behind as its receiver knows.
func (m *minute) lags(s *screen) {
	m.t.Helper()
	came := func() int { return int(m.cmdb.came.Load()) }
	told := 0
	eachMessage(m.t, m.jetStream(), "JOBS", "jobs.*.*.*.state.>", func(jetstream.Msg) { told++ })
	before := came()
	found := s.reads("how far behind the relay is", `cmdb .*?([\d,]+) events wait, the oldest for \d+ (s|min)`)
	waits, _ := strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
	if least, most := told-came()-minuteFlight, told-before+minuteFlight; waits < max(least, told/2) || waits > most {
		m.t.Errorf("%d wait of %d that were told, while %d have come", waits, told, came())
	}
}

const minuteFlight = 200 // deliveries between two status of the page, and those whose acknowledgement is under way

// answers are the truth about the five questions, as far as the simulator knows it.
type answers struct {
	running, waiting, allFailed            int
	failed, killed, partial, stalled, held []sim.Truth // failed: within the last hour; held: for over 30 minutes
}

func (m *minute) truth() (a answers) {
	now := time.Now()
	for _, job := range append(m.prod.Truth(), m.branch.Truth()...) {
		for _, row := range []struct {
			is bool
			of *[]sim.Truth
		}{
			{job.State == "Failed" && now.Sub(job.Since) < time.Hour, &a.failed},
			{job.State == "Killed", &a.killed},
			{job.Finished && len(job.Machines) > 0, &a.partial},
			{job.Stalled, &a.stalled},
			{job.State == "Pending" && now.Sub(job.Since) > 30*time.Minute, &a.held},
		} {
			if row.is {
				*row.of = append(*row.of, job)
			}
		}
		a.count(job)
	}
	slices.SortFunc(a.failed, func(a, b sim.Truth) int { return b.Since.Compare(a.Since) })
	return a
}

func (a *answers) count(job sim.Truth) {
	switch {
	case job.State == "Running" && !job.Stalled:
		a.running++
	case job.State == "Waiting" || job.State == "Queued":
		a.waiting++
	case job.State == "Failed":
		a.allFailed++
	}
}

func clientsOf(jobs ...[]sim.Truth) (names []string) {
	for _, job := range slices.Concat(jobs...) {
		names = append(names, job.Client)
	}
	return names
}

func quoted(words ...string) (patterns []string) {
	for _, w := range words {
		patterns = append(patterns, regexp.QuoteMeta(w))
	}
	return patterns
}

// near is a number beside a word, before or behind it.
func near(n int, word string) string {
	number := strconv.Itoa(n)
	if n >= 1000 {
		number = fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	return fmt.Sprintf(`\b%s %s\b|\b%s:? %s\b`, number, word, word, number)
}

// settled waits until all that was seen is told, and each CommCell was asked.
func (m *minute) settled() {
	m.t.Helper()
	m.until("all is told", func() bool {
		response, err := http.Get(m.page + "api/v1/status")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		var status struct {
			CommCells []struct{ Up *bool }
			Unsent    int
			Stream    struct{ Messages int }
		}
		return json.NewDecoder(response.Body).Decode(&status) == nil && status.Unsent == 0 && status.Stream.Messages > minuteJobs &&
			!slices.ContainsFunc(status.CommCells, func(c struct{ Up *bool }) bool { return c.Up == nil })
	})
}

// staysUp lets time go on, tells where the page is and what is true, and waits.
func (m *minute) staysUp(lasts string) {
	d, err := time.ParseDuration(lasts)
	if err != nil {
		m.t.Fatalf("JOBWATCH_MINUTE: %q, want a duration, as 1h", lasts)
	}
	m.frozen.Store(false)
	ctx, stop := signal.NotifyContext(m.t.Context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("the page: %s\nthe simulator: %s/sim\nthe configuration: %s\n%s\n", m.page, m.commServe, m.config, m.truth())
	fmt.Printf("well again, so that it needs nobody: crm-01; held for less than 30 minutes: print-03, since %s\n", m.looked.Add(-8*time.Minute).Format(time.TimeOnly))
	fmt.Printf("the watcher works; branch does not answer, since %s: three jobs ran there then, and what became of them nobody knows\n", m.looked.Add(-branchEnds).Format(time.TimeOnly))
	fmt.Print("relays: pager has been told all; cmdb takes 10 s for each state of a job, and falls behind: by over 10,000\n")
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// String is the truth for whoever judges an answer.
func (a answers) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "runs: %d, and %d that have stalled; %d wait\n", a.running, len(a.stalled), a.waiting)
	for _, of := range []struct {
		is   string
		jobs []sim.Truth
	}{{"failed within the hour", a.failed}, {"killed", a.killed}, {"with machines that failed", a.partial}, {"stalled", a.stalled}, {"held for over 30 minutes", a.held}} {
		fmt.Fprintf(&b, "%s: %d\n", of.is, len(of.jobs))
		for _, job := range of.jobs {
			fmt.Fprintf(&b, "  %d %s since %s: %s\n", job.ID, job.Client, job.Since.Format(time.TimeOnly), cmp.Or(job.Reason, strings.Join(job.Machines, ", "), job.State))
		}
	}
	return b.String()
}
