package publish

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
)

const benchEvents = 10_000 // of as many jobs, in each round

// BenchmarkPublish publishes events from the store to an embedded server that syncs in intervals, and beside it
// sends the same bodies with the same headers to a stream like ours of the same server, 256 in flight: `of_bare` is
// the ratio of the two rates, in the same run. Ours also takes each event from the outbox to those kept, in a
// transaction.
func BenchmarkPublish(b *testing.B) {
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: filepath.Join(b.TempDir(), "nats")})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	st, err := store.Open(filepath.Join(b.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	st.KeepSent = 24 * time.Hour
	log := slog.New(slog.DiscardHandler)
	broker := stream.New(stream.Config{URL: server.ClientURL(), Log: log})
	defer inBackground(broker.Run)()
	if _, err := broker.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	bareStream := newBareStream(b, server.ClientURL())

	gate := &gate{Broker: broker}
	gate.Lock()
	defer inBackground(New(Config{Store: st, Broker: gate, Round: time.Hour, Log: log}).Run)()

	var took, bare time.Duration
	for first := int64(1); b.Loop(); first += benchEvents {
		messages := fill(b, st, first)
		gate.Unlock()
		took += drain(b, st)
		gate.Lock()
		bareTook, _ := bareStream.send(b, messages)
		bare += bareTook
	}
	gate.Unlock()
	events := float64(b.N * benchEvents)
	b.ReportMetric(events/took.Seconds(), "events/s")
	b.ReportMetric(events/bare.Seconds(), "bare/s")
	b.ReportMetric(bare.Seconds()/took.Seconds(), "of_bare")
}

// inBackground runs a loop until stop is called, which waits for its end.
func inBackground(loop func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = loop(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// gate is a broker that takes nothing while it is locked.
type gate struct {
	Broker
	sync.RWMutex
}

func (g *gate) Publish(ctx context.Context, m stream.Outgoing) (uint64, error) {
	g.RLock()
	defer g.RUnlock()
	return g.Broker.Publish(ctx, m)
}

// fill has each job tell its first state, and gives the messages that the bare client is to send.
func fill(b *testing.B, st *store.Store, first int64) []*nats.Msg {
	messages := make([]*nats.Msg, benchEvents)
	var group errgroup.Group
	group.SetLimit(1000) // that share transactions
	for i := range messages {
		group.Go(func() error {
			seen := job.Snapshot{CommCell: "prod", Number: first + int64(i), State: "Running", Client: "fall.example.com"}
			seen.Settle()
			err := st.Commit(store.PollResult{
				Seen: job.Observation{Snapshot: seen, Asked: time.Now(), Answered: time.Now()}, Changes: diff.Since(job.Told{}, &seen),
			})
			if err != nil {
				return err
			}
			unsent, _, err := storetest.Oldest(st, seen.JobID())
			if err != nil {
				return err
			}
			messages[i], err = bareMessage(seen.JobID(), unsent)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return messages
}

func bareMessage(id job.ID, unsent storetest.Unsent) (*nats.Msg, error) {
	_, subject, err := event.Address(barePrefix, id, unsent.Row)
	if err != nil {
		return nil, err
	}
	m := nats.NewMsg(subject)
	m.Data = unsent.Row
	m.Header.Set("Content-Type", event.ContentType)
	m.Header.Set("Nats-Msg-Id", unsent.Event.ID)
	m.Header.Set("Nats-Expected-Stream", bareName)
	m.Header.Set("Nats-Expected-Last-Subject-Sequence", "0")
	m.Header.Set("Nats-Expected-Last-Subject-Sequence-Subject", event.Filter(barePrefix, id))
	return m, nil
}

func drain(b *testing.B, st *store.Store) time.Duration {
	start := time.Now()
	for st.Unsent() > 0 {
		if time.Since(start) > 5*time.Minute {
			b.Fatalf("%d events are left", st.Unsent())
		}
		time.Sleep(time.Millisecond)
	}
	return time.Since(start)
}

const barePrefix, bareName = "bare", "BARE"

type bareStream struct{ js jetstream.JetStream }

func newBareStream(b *testing.B, url string) bareStream {
	nc, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(defaultInFlight))
	if err != nil {
		b.Fatal(err)
	}
	ours, err := js.Stream(b.Context(), "JOBS")
	if err != nil {
		b.Fatal(err)
	}
	config := ours.CachedInfo().Config
	config.Name, config.Subjects = bareName, event.Subjects(barePrefix)
	if _, err := js.CreateStream(b.Context(), config); err != nil {
		b.Fatal(err)
	}
	return bareStream{js}
}

func (s bareStream) send(b *testing.B, messages []*nats.Msg) (took time.Duration, sequences []uint64) {
	start := time.Now()
	acks := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		var err error
		if acks[i], err = s.js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			b.Fatal(err)
		}
	}
	<-s.js.PublishAsyncComplete()
	took = time.Since(start)
	sequences = make([]uint64, len(acks))
	for i, ack := range acks {
		select {
		case stored := <-ack.Ok():
			sequences[i] = stored.Sequence
		case err := <-ack.Err():
			b.Fatal(fmt.Errorf("%s: %w", messages[i].Subject, err))
		}
	}
	return took, sequences
}
