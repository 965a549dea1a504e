package web

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/diff"
	"jobwatch/internal/job"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/relay"
	"jobwatch/internal/store"
)

func TestStatusCountsJobs(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	w.keeps(running(1), running(2), job.Snapshot{Number: 3, State: "Waiting"}, ended(4, "Completed", now.Add(-time.Hour)), ended(5, "Failed", now.Add(-23*time.Hour)),
		ended(6, "Failed", now.Add(-25*time.Hour)), ended(7, "Killed", now), ended(8, "Completed w/ one or more errors", now), ended(9, "Vanished", now), ended(10, "", now))
	stall := job.Change{Kind: job.KindWatch, Detail: job.DetailStalled}
	for _, number := range []int64{1, 2} {
		known, err := w.store.Recall(job.ID{CommCell: "prod", Number: number})
		w.must(err)
		seen := running(number)
		seen.CommCell = "prod"
		seen.Settle()
		w.must(w.store.Commit(store.PollResult{Known: known, Seen: job.Observation{Snapshot: seen, Asked: now, Answered: now}, Changes: []job.Change{stall}}))
		stall.Detail = job.DetailResumed
	}
	w.until("the status counts them", func() bool {
		s := w.status()
		return fmt.Sprint(s.Day) == "map[failed:1 killed:1 partial:1 succeeded:1 unknown:2]" && *s.Stalled == 1 && *s.CommCells[0].Jobs == 3
	})
}

// A CommCell that was silent before the start is so since then, and last answered before.
func TestStatusRemembersSilence(t *testing.T) {
	w := newWorld(t)
	at := time.Now().Add(-40 * time.Minute).Truncate(time.Second).UTC()
	cell := job.ID{CommCell: "prod"}
	w.must(w.store.CommitCommCell(cell, store.Known{}, diff.CommCell(job.Told{}, false), at, "no route to host"))
	w.must(w.store.SetLastList("prod", at.Add(-time.Minute)))
	w.commServe.goes(errAway)
	w.poll()
	is := w.status().CommCells[0]
	if is.Up == nil || *is.Up || !is.Since.Equal(at) || is.Answered == nil || !is.Answered.Equal(at.Add(-time.Minute)) {
		t.Errorf("got up %v since %v, answered %v", is.Up, is.Since, is.Answered)
	}
	w.commServe.goes(nil)
	w.poll()
	if is = w.status().CommCells[0]; !*is.Up || time.Since(*is.Since) > 5*time.Minute || time.Since(*is.Answered) > 5*time.Minute {
		t.Errorf("once it answers: up %v since %v, answered %v", *is.Up, is.Since, is.Answered)
	}
}

// Of a job that has stalled it is told since when it makes no progress, which is long before that was told.
func TestStalledSaysSinceWhen(t *testing.T) {
	w := newWorld(t)
	now := time.Now().Truncate(time.Second)
	still := now.Add(-48 * time.Minute)
	seen := running(71)
	seen.CommCell, seen.StartTime = "prod", new(now.Add(-time.Hour))
	seen.Settle()
	for _, detail := range []string{job.DetailStalled, job.DetailResumed} {
		known, err := w.store.Recall(seen.JobID())
		w.must(err)
		w.must(w.store.Commit(store.PollResult{Known: known, Seen: job.Observation{Snapshot: seen, Asked: now, Answered: now}, LastProgress: still,
			Changes: []job.Change{{Kind: job.KindWatch, Detail: detail}}}))
		var shown shownJob
		w.getJSON("/api/v1/jobs/prod/71", &shown)
		column := any(nil)
		w.until("the table has it", func() bool {
			table := w.table("")
			column = table.Columns["noProgressSince"][0]
			return (table.Columns["stalledSince"][0] != nil) == (detail == job.DetailStalled)
		})
		switch {
		case detail == job.DetailStalled && (shown.NoProgressSince == nil || !shown.NoProgressSince.Equal(still) || column != float64(still.Unix())):
			t.Errorf("stalled: since %v, in the table %v", shown.NoProgressSince, column)
		case detail == job.DetailResumed && (shown.NoProgressSince != nil || column != nil):
			t.Errorf("resumed: since %v, in the table %v", shown.NoProgressSince, column)
		}
	}
}

func TestStatusHasTheSubjectPrefix(t *testing.T) {
	if code, body := newWorld(t).get("/api/v1/status"); code != 200 || !strings.Contains(body, `"subjectPrefix":""`) {
		t.Errorf("without one: %d %s", code, body)
	}
	w := newWorld(t, func(c *Config) {
		c.Publisher = publish.New(publish.Config{Store: c.Store, Broker: c.Broker, Prefix: "acme.backup"})
	})
	if got := w.status().Prefix; got != "acme.backup" {
		t.Errorf("got %q", got)
	}
}

func TestStatusHasTheLastCycles(t *testing.T) {
	w := newWorld(t)
	if ring := w.status().CommCells[0].Ring; ring == nil || len(ring) != 0 {
		t.Errorf("before the first cycle: %v", ring)
	}
	w.sees(running(71))
	w.commServe.goes(errAway)
	w.poll()
	ring := w.status().CommCells[0].Ring
	if len(ring) != 2 || time.Since(time.Unix(ring[0][0], 0)) > time.Minute {
		t.Fatalf("got %v", ring)
	}
	if ring[0][2] != 2 || ring[0][3] != 2 || ring[1][2] == 0 || ring[1][3] != 0 { // the list and a job; then neither
		t.Errorf("asked and answered: %v", ring)
	}
	for range 130 {
		w.poll()
	}
	if again := w.status().CommCells[0].Ring; len(again) != 120 || again[119][0] < again[0][0] {
		t.Errorf("%d cycles are kept: %v", len(again), again)
	}
}

func TestStatusSaysWhatWaits(t *testing.T) {
	w := newWorld(t)
	w.sent()
	s := w.status()
	if s.Outbox.Unsent != 0 || s.Outbox.Oldest != nil || s.Store.Bytes == 0 || time.Since(s.Started) > time.Minute || s.Started.IsZero() {
		t.Errorf("got %+v, %+v, %v", s.Outbox, s.Store, s.Started)
	}
	w.stopNATS()
	w.until("the connection is lost", func() bool { return w.server.Broker.Usable() != nil })
	w.sees(running(71))
	if s := w.status(); s.Outbox.Unsent != 2 || s.Outbox.Oldest == nil || time.Since(*s.Outbox.Oldest) > time.Minute {
		t.Errorf("got %+v", s.Outbox)
	}
}

// Who reads the stream is shown, and not how the watcher does.
func TestStatusHasTheReaders(t *testing.T) {
	w := newWorld(t)
	w.sees(running(71))
	w.sent()
	nc, err := nats.Connect(w.nats.ClientURL())
	w.must(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	w.must(err)
	for _, c := range []jetstream.ConsumerConfig{
		{Durable: "siem", FilterSubjects: []string{"jobs.*.*.*.failure.>", "commcells.>"}, AckPolicy: jetstream.AckExplicitPolicy},
		{Durable: "late", DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy},
		{Durable: "since", DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: new(time.Unix(1e9, 0)), AckPolicy: jetstream.AckExplicitPolicy},
		{Durable: "second", DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: 2, FilterSubject: "jobs.*.*.*.phase.>", AckPolicy: jetstream.AckExplicitPolicy},
		{Durable: "relay-ops", Metadata: map[string]string{relay.Mark: "ops"}, AckPolicy: jetstream.AckExplicitPolicy},
	} {
		_, err := js.CreateConsumer(t.Context(), "JOBS", c)
		w.must(err)
	}
	gets := func(name string) jetstream.Msg {
		consumer, err := js.Consumer(t.Context(), "JOBS", name)
		w.must(err)
		m, err := consumer.Next()
		w.must(err)
		return m
	}
	gets("relay-ops")
	w.must(gets("second").DoubleAck(t.Context()))
	w.until("all are shown", func() bool {
		s := w.status()
		return len(s.Readers) == 5 && s.Stream != nil && s.Stream.Messages == 2
	})
	s := w.status()
	if got := s.Stream; got.Name != "JOBS" || got.First != 1 || got.Last != 2 || got.Bytes == 0 {
		t.Errorf("the stream is %+v", got)
	}
	of := map[string]reader{}
	for _, r := range s.Readers {
		of[r.Name] = r
	}
	ops, siem := of["relay-ops"], of["siem"]
	if ops.Delivered == nil || ops.Kind != "relay" || ops.Pending != 1 || ops.AckPending != 1 || ops.Filter != "" {
		t.Errorf("got %+v", ops)
	}
	if ops.Furthest != 1 || ops.Floor != 0 || ops.BeginsAt != nil || *ops.Begins != 1 {
		t.Errorf("the relay is at %d, %d", ops.Furthest, ops.Floor)
	}
	if r := of["second"]; r.Furthest != 2 || r.Floor != 2 || *r.Begins != 2 {
		t.Errorf("who has acknowledged all is at %d, %d", r.Furthest, r.Floor)
	}
	if r := of["late"]; r.Begins != nil || time.Since(*r.BeginsAt).Abs() > time.Hour {
		t.Errorf("who began with what was new begins with %v, at %v", r.Begins, r.BeginsAt)
	}
	if r := of["since"]; r.Begins != nil || r.BeginsAt.Unix() != 1e9 {
		t.Errorf("who began with a time begins with %v, at %v", r.Begins, r.BeginsAt)
	}
	if siem.Delivered != nil || siem.Kind != "other" || siem.Pending != 0 || siem.Filter != "jobs.*.*.*.failure.>, commcells.>" {
		t.Errorf("got %+v", siem)
	}
	w.stopNATS()
	w.until("the connection is lost", func() bool { return w.server.Broker.Usable() != nil })
	if s := w.status(); s.Readers != nil || s.Stream != nil {
		t.Errorf("without NATS there are %v of %v", s.Readers, s.Stream)
	}
}

func TestOneStatusServesAllLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{Config: Config{Pollers: func() []*poller.Poller { return nil }}}
		var b statusBoard
		b.made, b.text = time.Now(), []byte("held")
		time.Sleep(statusHolds - 1)
		if got := b.read(s); string(got) != "held" {
			t.Errorf("got %s", got)
		}
	})
}
