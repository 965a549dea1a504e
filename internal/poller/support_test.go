package poller

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/robfig/cron/v3"

	"jobwatch/internal/commvault"
	"jobwatch/internal/event"
	"jobwatch/internal/failpoint"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/testing/eventtest"
)

// script is a CommServe that answers as it is told to.
type script struct {
	mu     sync.Mutex
	jobs   map[int64]job.Snapshot
	broken map[int64]error    // the answer for a job instead
	listed map[int64]job.Text // the list's word for a job's state, where it is another
	down   error              // the answer to everything instead
	takes  time.Duration      // each request
	behind time.Duration      // its clock, ours
	asked  []int64            // 0 is the list
	most   int                // requests at once, at most
	now    int
}

func newScript() *script {
	return &script{jobs: map[int64]job.Snapshot{}, broken: map[int64]error{}, listed: map[int64]job.Text{}}
}

const (
	unlisted  = job.Text("not listed")
	stateless = job.Text("listed without a status")
)

func (s *script) is(number int64, edits ...func(*job.Snapshot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := job.Snapshot{CommCell: "prod", Number: number, Client: "fall"}
	for _, edit := range edits {
		edit(&snapshot)
	}
	snapshot.Settle()
	s.jobs[number] = snapshot
}

func state(words job.Text) func(*job.Snapshot) { return func(s *job.Snapshot) { s.State = words } }
func phase(words job.Text) func(*job.Snapshot) { return func(s *job.Snapshot) { s.Phase = words } }
func elapsed(n int64) func(*job.Snapshot)      { return func(s *job.Snapshot) { s.ElapsedSeconds = &n } }
func client(name job.Text) func(*job.Snapshot) { return func(s *job.Snapshot) { s.Client = name } }
func ended(t time.Time) func(*job.Snapshot)    { return func(s *job.Snapshot) { s.EndTime = &t } }
func updated(t time.Time) func(*job.Snapshot)  { return func(s *job.Snapshot) { s.LastUpdateTime = &t } }

func (s *script) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	asked := time.Now()
	if err := s.request(ctx, number); err != nil {
		return job.Observation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken[number]; err != nil {
		return job.Observation{}, err
	}
	snapshot, known := s.jobs[number]
	if !known {
		return job.Observation{}, &commvault.Error{Operation: "JobDetails", Job: number, Kind: commvault.UnknownJob, Err: commvault.ErrUnknownJob}
	}
	return job.Observation{Snapshot: snapshot, Asked: asked, Answered: time.Now()}, nil
}

func (s *script) List(ctx context.Context, finishedWithin time.Duration, yield func([]commvault.Line) error) error {
	if err := cmp.Or(s.request(ctx, 0), s.broken[0]); err != nil {
		return err
	}
	s.mu.Lock()
	var lines []commvault.Line
	for number, snapshot := range s.jobs {
		if end := snapshot.EndTime; s.listed[number] != unlisted && (end == nil || time.Now().Add(-s.behind).Sub(*end) <= finishedWithin) {
			status := cmp.Or(s.listed[number], snapshot.State)
			if status == stateless {
				status = ""
			}
			lines = append(lines, commvault.Line{
				Number: number, Status: status, Phase: snapshot.Phase, Reason: snapshot.Reason,
				ReasonCode: snapshot.ReasonCode, FailedFiles: snapshot.FailedFiles, FailedFolders: snapshot.FailedFolders,
				StartTime: snapshot.StartTime, EndTime: end, Client: snapshot.Client,
			})
		}
	}
	s.mu.Unlock()
	return yield(lines)
}

func (s *script) request(ctx context.Context, number int64) error {
	s.mu.Lock()
	s.asked = append(s.asked, number)
	s.now++
	s.most = max(s.most, s.now)
	takes, down := s.takes, s.down
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
	}()
	if takes == 0 {
		return cmp.Or(ctx.Err(), down)
	}
	select {
	case <-time.After(takes):
		return down
	case <-ctx.Done():
		return ctx.Err()
	}
}

// requests gives what was asked since it was last called.
func (s *script) requests() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// bench is a Poller of a script, with a real store.
type bench struct {
	*Poller
	t      *testing.T
	script *script
	store  *store.Store
	tally  *tally
	writes int
}

// tally is a Meter that a test can read while no poll is in flight.
type tally struct {
	mu      sync.Mutex
	polls   map[string]int
	took    int
	told    map[string]int
	delays  []time.Duration
	cycles  int
	skipped int
}

func (t *tally) count(edit func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	edit()
}

func (t *tally) Polled(result string)    { t.count(func() { t.polls[result]++ }) }
func (t *tally) PollTook(time.Duration)  { t.count(func() { t.took++ }) }
func (t *tally) CycleTook(time.Duration) { t.count(func() { t.cycles++ }) }
func (t *tally) TickSkipped()            { t.count(func() { t.skipped++ }) }
func (t *tally) Committed(changes []job.Change, _ *job.Snapshot) {
	t.count(func() {
		for _, c := range changes {
			t.told[c.Kind]++
		}
	})
}
func (t *tally) Detected(after time.Duration) { t.count(func() { t.delays = append(t.delays, after) }) }

func newBench(t *testing.T, edit func(*Config)) *bench {
	st, err := store.Open(filepath.Join(t.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { storetest.Hook(st, nil); st.Close() })
	b := &bench{t: t, script: newScript(), store: st, tally: &tally{polls: map[string]int{}, told: map[string]int{}}}
	storetest.Hook(st, func(p failpoint.Point) error {
		if p == failpoint.BeforeCommit {
			b.writes++
		}
		return nil
	})
	schedule, err := cron.ParseStandard("@every 30s")
	if err != nil {
		t.Fatal(err)
	}
	c := Config{CommCell: "prod", Source: b.script, Store: st, Schedule: schedule, Discover: true, Meter: b.tally}
	if edit != nil {
		edit(&c)
	}
	if err := st.Configure("prod", c.Jobs); err != nil {
		t.Fatal(err)
	}
	b.Poller = New(c)
	b.writes = 0
	return b
}

func (b *bench) cycle() {
	b.t.Helper()
	if err := b.Cycle(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// tells polls, and wants just these events, in any order of jobs.
func (b *bench) tells(want ...string) {
	b.t.Helper()
	b.cycle()
	b.hasTold(want...)
}

func (b *bench) hasTold(want ...string) {
	b.t.Helper()
	got := b.drain()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.t.Fatalf("told %q, want %q", got, want)
	}
}

// drain takes the events from the outbox, in words.
func (b *bench) drain() []string {
	b.t.Helper()
	var told []string
	for _, e := range b.take() {
		told = append(told, describe(b.t, e))
	}
	return told
}

// take takes the events from the outbox, as the publisher would.
func (b *bench) take() []event.Event {
	b.t.Helper()
	ids, err := b.store.Waiting()
	if err != nil {
		b.t.Fatal(err)
	}
	var told []event.Event
	for _, id := range ids {
		for sequence := uint64(1); ; sequence++ {
			next, found, err := storetest.Oldest(b.store, id)
			if err != nil {
				b.t.Fatal(err)
			}
			if !found {
				break
			}
			told = append(told, next.Event)
			if err := b.store.Acknowledge(id, next.Event, sequence); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	return told
}

func describe(t *testing.T, e event.Event) string {
	eventtest.Valid(t, "", nil, encode(t, e))
	if e.IsCommCell() {
		data, err := e.CommCell()
		if err != nil {
			t.Fatal(err)
		}
		return data.CommCell + " " + data.Detail
	}
	data, err := e.Job()
	if err != nil {
		t.Fatal(err)
	}
	c := data.Change
	if c.Kind == job.KindWatch && c.From == "" && c.To == "" {
		return e.PartitionKey + " " + c.Detail
	}
	return e.PartitionKey + " " + c.Kind + ": " + string(c.From) + " → " + string(c.To)
}

var errAway = &commvault.Error{Operation: "JobDetails", Kind: commvault.Unreachable, Err: errors.New("connection refused")}

func encode(t *testing.T, e event.Event) []byte {
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
