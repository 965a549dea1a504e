package endtoend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/testing/eventtest"
)

// reader reads the stream again and again, holds each event against its schema once, and sees that none changes.
type reader struct {
	t    *testing.T
	data map[string][]byte // by id
	told map[string]received
}

func newReader(t *testing.T) *reader {
	return &reader{t, map[string][]byte{}, map[string]received{}}
}

// all reads all events of jobs, and checks those of the CommCell.
func (r *reader) all(js jetstream.JetStream, end func()) (all []received) {
	defer end()
	eachMessage(r.t, js, "JOBS", "jobs.>", func(m jetstream.Msg) {
		id := m.Headers().Get("Nats-Msg-Id")
		r.check(id, m)
		if _, known := r.told[id]; !known {
			r.told[id] = parseReceived(r.t, m.Subject(), id, m.Data())
		}
		all = append(all, r.told[id])
	})
	count, up := 0, true
	eachMessage(r.t, js, "JOBS", "commcells.>", func(m jetstream.Msg) {
		r.check(m.Headers().Get("Nats-Msg-Id"), m)
		count++
		up = r.turns(m, count, up)
	})
	return all
}

func (r *reader) check(id string, m jetstream.Msg) {
	data, known := r.data[id]
	if !known {
		eventtest.Valid(r.t, m.Subject(), m.Headers(), m.Data())
		r.data[id] = bytes.Clone(m.Data())
		return
	}
	if !bytes.Equal(data, m.Data()) {
		r.t.Fatalf("two events with one id:\n%s\n%s", data, m.Data())
	}
}

// turns wants unreachable and reachable in turn, numbered from 1.
func (r *reader) turns(m jetstream.Msg, number int, up bool) bool {
	var e struct {
		Sequence string
		Data     struct{ Detail string }
	}
	if err := json.Unmarshal(m.Data(), &e); err != nil {
		r.t.Fatal(err)
	}
	want := "unreachable"
	if !up {
		want = "reachable"
	}
	if e.Data.Detail != want || e.Sequence != fmt.Sprintf("%020d", number) {
		r.t.Fatalf("the CommCell's event %d should be %s: %s", number, want, m.Data())
	}
	return !up
}
