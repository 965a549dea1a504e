package endtoend

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/event"
	"jobwatch/internal/stream"
)

const backlogJobs, backlogEvents = 20_000, 100_000

// BenchmarkBacklog has the watcher see 20,000 jobs through four phases while NATS is away, five events of each, and
// then has NATS come back: `waiting` is the most memory of its own that it takes until all are in the store, `draining`
// the most until all are in the stream, where each job's events must stand once and in order.
func BenchmarkBacklog(b *testing.B) {
	for b.Loop() {
		course := newCourse(b, "", "Scan", "Backup", "Archive Index", "Finalize")
		s := surround(b, course, "    schedule: \"@every 1s\"\n    concurrency: 64")
		watcher := startProcess(b, "watcher", "run", "-c", s.config)
		most := int64(0)
		until := func(what string, holds func() bool) {
			waitFor(b, what, func() bool {
				most = max(most, watcher.memory())
				return holds()
			})
		}
		until("the watcher polls", func() bool { return course.phases[0].lists.Load() > 2 })
		s.nats.Close()
		course.pass(until)
		b.ReportMetric(mebibytes(most), "waiting-MiB")

		most = 0
		nats, err := stream.StartEmbedded(stream.EmbeddedConfig{
			Listen: strings.TrimPrefix(s.nats.ClientURL(), "nats://"), Dir: s.natsDir,
		})
		if err != nil {
			b.Fatal(err)
		}
		defer nats.Close()
		told := jobsStream(b, nats.ClientURL())
		until("all has arrived", func() bool { return messages(b, told) >= backlogEvents })
		b.ReportMetric(mebibytes(most), "draining-MiB")
		b.ReportMetric(mebibytes(size(b, s.store)), "file-MiB")
		inOrder(b, told)
	}
}

// course is a herd that goes from one phase to the next. In the first one it is not there.
type course struct {
	phases []*herd
	now    atomic.Int32
}

func newCourse(b *testing.B, phases ...string) *course {
	c := &course{}
	for i, phase := range phases {
		c.phases = append(c.phases, newHerdAt(b, int64(min(i, 1)*backlogJobs), phase))
	}
	return c
}

func (c *course) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.phases[c.now.Load()].ServeHTTP(w, r)
}

// pass lets the watcher see all jobs in each phase, and finish the cycle in which it did.
func (c *course) pass(until func(what string, holds func() bool)) {
	for i, phase := range c.phases[1:] {
		c.now.Store(int32(i + 1))
		until("all jobs are polled", func() bool { return phase.answers.Load() >= backlogJobs })
		cycles := phase.lists.Load()
		until("the next cycle", func() bool { return phase.lists.Load() > cycles })
	}
}

func jobsStream(b *testing.B, url string) jetstream.Stream {
	nc, err := nats.Connect(url)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	told, err := js.Stream(b.Context(), "JOBS")
	if err != nil {
		b.Fatal(err)
	}
	return told
}

func messages(b *testing.B, told jetstream.Stream) uint64 {
	info, err := told.Info(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return info.State.Msgs
}

// inOrder reads the stream.
func inOrder(b *testing.B, told jetstream.Stream) {
	consumer, err := told.OrderedConsumer(b.Context(), jetstream.OrderedConsumerConfig{FilterSubjects: []string{"jobs.>"}})
	if err != nil {
		b.Fatal(err)
	}
	all, err := consumer.Messages()
	if err != nil {
		b.Fatal(err)
	}
	defer all.Stop()
	last := map[string]uint64{}
	for range backlogEvents {
		m, err := all.Next()
		if err != nil {
			b.Fatal(err)
		}
		e, err := event.Parse(m.Data())
		if last[e.PartitionKey]++; err != nil || e.Number() != last[e.PartitionKey] {
			b.Fatal(fmt.Errorf("%s: event %d comes as number %d (%w)", e.PartitionKey, e.Number(), last[e.PartitionKey], err))
		}
	}
	if count := messages(b, told); len(last) != backlogJobs || count != backlogEvents {
		b.Fatalf("%d events of %d jobs, want %d of %d", count, len(last), backlogEvents, backlogJobs)
	}
}
