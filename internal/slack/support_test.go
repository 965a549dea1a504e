package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/fakeslack"
)

// memory is a bucket of the test's. It may fail before it has written, or after.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	at     map[string]uint64
	last   uint64
	puts   int
	fault  func(put int) (before, after bool)
}

func newMemory() *memory { return &memory{values: map[string][]byte{}, at: map[string]uint64{}} }

var errBucket = errors.New("no responders")

func (m *memory) Get(_ context.Context, key string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.values[key], m.at[key], nil
}

func (m *memory) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	before, after := false, false
	if m.fault != nil {
		before, after = m.fault(m.puts)
	}
	switch {
	case before:
		return 0, errBucket
	case m.at[key] != revision:
		return 0, fmt.Errorf("wrong revision: is %d, not %d", m.at[key], revision)
	}
	m.last++
	m.values[key], m.at[key] = value, m.last
	if after {
		return 0, errBucket
	}
	return m.last, nil
}

func (m *memory) Delete(_ context.Context, key string, _ uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.values, key)
	delete(m.at, key)
	return nil
}

// world is a relay to a fake Slack.
type world struct {
	*testing.T
	fake   *fakeslack.Server
	memory *memory
	config Config
	slack  *Slack
}

func newWorld(t *testing.T, edits ...func(*Config)) *world {
	w := &world{T: t, fake: fakeslack.New(t), memory: newMemory()}
	w.config = Config{
		Relay: "ops", Token: func() (string, error) { return fakeslack.Token, nil }, Channel: fakeslack.Channel,
		APIURL: w.fake.URL, Memory: w.memory,
	}
	for _, edit := range edits {
		edit(&w.config)
	}
	w.restarts()
	return w
}

// restarts begins as another process: it knows what the memory and Slack hold.
func (w *world) restarts() {
	w.Helper()
	var err error
	if w.slack, err = New(w.config); err != nil {
		w.Fatal(err)
	}
	w.slack.doubt = 0 // time does not pass in these tests
}

func (w *world) deliver(events ...*relay.Event) {
	w.Helper()
	if done, err := w.slack.Deliver(w.Context(), relay.Batch{Events: events}); err != nil || done != len(events) {
		w.Fatalf("delivered %d of %d: %v", done, len(events), err)
	}
}

// refuses wants the events refused.
func (w *world) refuses(kind relay.Kind, events ...*relay.Event) *relay.Refusal {
	w.Helper()
	_, err := w.slack.Deliver(w.Context(), relay.Batch{Events: events})
	refusal, ok := errors.AsType[*relay.Refusal](err)
	if !ok || refusal.Kind != kind {
		w.Fatalf("error %v, want a refusal of kind %d", err, kind)
	}
	return refusal
}

// root wants one message in the channel.
func (w *world) root() fakeslack.Message {
	w.Helper()
	roots := w.ours()
	if len(roots) != 1 {
		w.Fatalf("%d messages in the channel, want one: %+v", len(roots), roots)
	}
	return roots[0]
}

// ours are the channel's messages but those of others.
func (w *world) ours() []fakeslack.Message {
	return slices.DeleteFunc(w.fake.Roots(), func(m fakeslack.Message) bool { return m.Text == lunch })
}

const lunch = "Lunch?"

// othersTalk has people write more than a page of the channel holds.
func (w *world) othersTalk() {
	for range 3 {
		w.fake.Post(fakeslack.Message{Text: lunch})
	}
}

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func snapshot(number int64, state job.Text) job.Snapshot {
	s := job.Snapshot{CommCell: "prod", Number: number, State: state, Client: "fall", Subclient: "nightly"}
	info := job.LookUp(state, false)
	if info.Finished {
		end := noon.Add(time.Hour)
		s.EndTime = &end
	}
	s.Settle()
	return s
}

// happens is an event about a job; n is its number.
func happens(n uint64, s job.Snapshot, c job.Change) *relay.Event {
	seen, before := noon.Add(time.Duration(n)*30*time.Second), noon.Add(time.Duration(n-1)*30*time.Second)
	data := event.JobData{Change: event.Observed{Change: c, ObservedAt: seen}, Severity: job.Info, Job: s}
	if n > 1 {
		data.Change.NotBefore = &before
	}
	return wrap(s.JobID(), n, "jobwatch.job."+c.Kind+".v1", seen, data)
}

func becomes(n uint64, s job.Snapshot, from job.Text) *relay.Event {
	return happens(n, s, job.Change{Kind: job.KindState, Detail: job.Slug(s.State), From: cut(from, job.NameLimit), To: s.State})
}

func wrap(id job.ID, n uint64, kind string, seen time.Time, data any) *relay.Event {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	e := event.Event{
		SpecVersion: "1.0", ID: fmt.Sprintf("%s-%d", id, n), Type: kind, Time: seen, Data: text,
		Source: "/commcells/" + id.CommCell, PartitionKey: id.String(),
	}.Numbered(n)
	whole, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	return &relay.Event{Sequence: n, ID: e.ID, Job: id, Data: whole}
}

func commCell(n uint64, detail string, reason job.Text) *relay.Event {
	seen := noon.Add(time.Duration(n) * time.Minute)
	return wrap(job.ID{CommCell: "prod"}, n, "jobwatch.commcell."+detail+".v1", seen,
		event.CommCellData{CommCell: "prod", Detail: detail, Reason: cut(reason, job.ReasonLimit), Severity: job.Warning, ObservedAt: seen})
}
