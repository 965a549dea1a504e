package publish

import (
	"cmp"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
	"jobwatch/internal/stream"
)

const (
	drainJobs   = 20_000
	drainEvents = 5 * drainJobs
)

// drainLife is what a job shows while NATS is away: five events.
var drainLife = []struct{ state, phase job.Text }{
	{"Running", "Scan"}, {"Running", "Backup"}, {"Running", "Archive Index"}, {"Completed", ""},
}

// BenchmarkDrain publishes what has waited for a NATS that was away, 100,000 events of 20,000 jobs, and beside it the
// same bodies with the same headers to a stream like ours of the same server, 256 in flight and one of each job:
// `of_bare` is the ratio of the two rates, in the same run. Each job's events must have arrived once and in order.
func BenchmarkDrain(b *testing.B) {
	server, err := stream.StartEmbedded(stream.EmbeddedConfig{Listen: "127.0.0.1:0", Dir: filepath.Join(b.TempDir(), "nats")})
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	log := slog.New(slog.DiscardHandler)
	broker := stream.New(stream.Config{URL: server.ClientURL(), Log: log})
	defer inBackground(broker.Run)()
	if _, err := broker.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	bareStream := newBareStream(b, server.ClientURL())

	var took, bare time.Duration
	for first := int64(1); b.Loop(); first += drainJobs {
		took += drainOutage(b, broker, first)
		bare += bareStream.sendRounds(b, arrivals(b, broker, uint64(first-1)*5+1))
	}
	events := float64(b.N * drainEvents)
	b.ReportMetric(events/took.Seconds(), "events/s")
	b.ReportMetric(events/bare.Seconds(), "bare/s")
	b.ReportMetric(bare.Seconds()/took.Seconds(), "of_bare")
}

// drainOutage lets 100,000 events wait in a new store, and tells how long it takes until none is left.
func drainOutage(b *testing.B, broker Broker, first int64) time.Duration {
	st, err := store.Open(filepath.Join(b.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	st.KeepSent = 24 * time.Hour
	var group errgroup.Group
	group.SetLimit(1000) // that share transactions
	for number := first; number < first+drainJobs; number++ {
		group.Go(func() error { return live(st, number) })
	}
	if err := group.Wait(); err != nil || st.Unsent() != drainEvents {
		b.Fatalf("%d events wait (%v)", st.Unsent(), err)
	}
	p := New(Config{Store: st, Broker: broker, Round: time.Hour, Log: slog.New(slog.DiscardHandler)})
	gate := &gate{Broker: broker}
	p.Broker = gate
	gate.Lock()
	defer inBackground(p.Run)()
	<-p.CaughtUp()
	gate.Unlock()
	return drain(b, st)
}

// live commits all that a job shows in its life.
func live(st *store.Store, number int64) error {
	for i, now := range drainLife {
		seen := lively(number, i)
		seen.State, seen.Phase = now.state, now.phase
		seen.Settle()
		known, err := st.Recall(seen.JobID())
		if err != nil {
			return err
		}
		err = st.Commit(store.PollResult{
			Known: known, Seen: job.Observation{Snapshot: seen, Asked: time.Now(), Answered: time.Now()},
			Changes: diff.Since(known.Told, &seen), NotBefore: known.Asked,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lively is a job with as many members as a backup has.
func lively(number int64, step int) job.Snapshot {
	started, gb := time.Now().UTC().Truncate(time.Second), int64(step)<<30
	return job.Snapshot{
		CommCell: "prod", Number: number, Client: job.Text(fmt.Sprintf("client-%d.example.com", number%1000)),
		StartTime: &started, PercentComplete: new(25 * float64(step)), SizeOfApplication: &gb, DataWritten: &gb,
		Operation: "Backup", BackupLevel: "Incremental", Agent: "Windows File System", Subclient: "default", Backupset: "defaultBackupSet",
	}
}

// arrivals reads what has arrived in the stream from a sequence on, and makes of it what the bare client is to send: first
// each job's first event, then each job's second.
func arrivals(b *testing.B, broker Broker, from uint64) [5][]*nats.Msg {
	var rounds [5][]*nats.Msg
	next := map[job.ID]uint64{}
	_, err := broker.Scan(b.Context(), from, func(m stream.Message) error {
		e, err := event.Parse(m.Data)
		if err != nil {
			return err
		}
		id, err := e.JobID()
		if err != nil {
			return err
		}
		if next[id]++; e.Number() != next[id] || m.ID != e.ID {
			return fmt.Errorf("%s: event %d comes as the %d.", id, e.Number(), next[id])
		}
		message, err := bareMessage(id, storetest.Unsent{Event: e, Row: m.Data})
		rounds[e.Number()-1] = append(rounds[e.Number()-1], message)
		return err
	})
	for i, round := range rounds {
		if err != nil || len(round) != drainJobs {
			b.Fatalf("%d jobs have told %d events (%v)", len(round), i+1, err)
		}
	}
	return rounds
}

// sendRounds sends each job's next event when that before is acknowledged.
func (s bareStream) sendRounds(b *testing.B, rounds [5][]*nats.Msg) (took time.Duration) {
	last := map[string]string{} // sequence of the job's last message, by its filter
	for _, messages := range rounds {
		for _, m := range messages {
			m.Header.Set("Nats-Expected-Last-Subject-Sequence", cmp.Or(last[filterOf(m)], "0"))
		}
		roundTook, sequences := s.send(b, messages)
		took += roundTook
		for i, m := range messages {
			last[filterOf(m)] = strconv.FormatUint(sequences[i], 10)
		}
	}
	return took
}

func filterOf(m *nats.Msg) string { return m.Header.Get("Nats-Expected-Last-Subject-Sequence-Subject") }
