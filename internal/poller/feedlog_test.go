package poller

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store/storetest"
)

// logs gives the texts that the events waiting carry, and takes them from the outbox.
func (b *bench) logs() []string {
	b.t.Helper()
	var logs []string
	for sequence := uint64(1); ; sequence++ {
		next, found, err := storetest.Oldest(b.store, job71)
		if err != nil {
			b.t.Fatal(err)
		}
		if !found {
			return logs
		}
		describe(b.t, next.Event) // which is valid
		data, err := next.Event.Job()
		if err != nil {
			b.t.Fatal(err)
		}
		said := data.Change.Kind + ":"
		for _, e := range data.Change.Log {
			said += " " + string(e.Text)
		}
		logs = append(logs, said)
		if err := b.store.Acknowledge(job71, next.Event, sequence); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *bench) hasLogged(want ...string) {
	b.t.Helper()
	if got := b.logs(); !slices.Equal(got, want) {
		b.t.Errorf("logs %q, want %q", got, want)
	}
}

func TestEventsCarryWhatTheFeedSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, nil)
		f.says(71, "19:183", "stop")
		passes(5 * time.Second)
		b.hasLogged() // a poll without changes: it stays for the next event
		b.script.is(71, state("Suspended"), phase("Backup"))
		f.says(71, "19:1086", "suspended")
		f.says(72, "19:1", "another's")
		passes(5 * time.Second)
		b.hasLogged("state: stop suspended", "phase: stop suspended") // each event of the poll
		b.script.is(71, state("Running"), phase("Backup"))
		passes(30 * time.Second)
		b.hasLogged("state:") // seen by a cycle, and nothing said meanwhile
		for i := range job.FeedLimit + 5 {
			f.says(71, "19:1", fmt.Sprint(i))
		}
		b.script.is(71, state("Killed"))
		passes(5 * time.Second)
		if got := b.logs(); len(got) != 2 || got[0] != "state: 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24" {
			t.Errorf("logs %q, want the newest %d", got, job.FeedLimit)
		}
	})
}

// What was shown only after the answer may tell of what the answer does not show.
func TestALogEndsWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l feedLog
		l.add(71, []job.FeedEntry{{Text: "before", Time: time.Now()}, {Text: "of no time"}})
		answered := time.Now()
		time.Sleep(time.Second)
		l.add(71, []job.FeedEntry{{Text: "after", Time: answered}})
		if got := l.until(71, answered); len(got) != 1 || got[0].Text != "before" {
			t.Errorf("got %v, want what came before", got)
		}
		l.carried(71, answered)
		if got := l.until(71, time.Now()); len(got) != 1 || got[0].Text != "after" {
			t.Errorf("then %v, want what came after", got)
		}
		l.carried(71, time.Now())
		if len(l.jobs) != 0 {
			t.Errorf("keeps %v of a job whose entries are told", l.jobs)
		}
	})
}

func TestALogIsDroppedWithItsJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, nil)
		b.script.is(71, state("Completed"), ended(time.Now()))
		passes(30 * time.Second)
		f.says(71, "19:1", "after the end")
		passes(5 * time.Second)
		if b.cache.log.size() != 0 {
			t.Error("the poll after the end keeps a log that no event can carry")
		}
		passes(10 * time.Minute)
		if n := b.cache.log.size(); n != 0 {
			t.Errorf("keeps what was said of %d jobs", n)
		}
	})
}

func (l *feedLog) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.jobs)
}

func TestLogsAreBounded(t *testing.T) {
	var l feedLog
	var n namedJobs
	for number := range int64(2 * maxLogged) {
		l.add(number, []job.FeedEntry{{Time: time.Now()}})
		n.add(number, job.FeedEntry{})
	}
	if len(l.jobs) != maxLogged || len(n.take()) != maxNamed {
		t.Errorf("%d jobs in the log, want %d", len(l.jobs), maxLogged)
	}
}
