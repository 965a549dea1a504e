package web

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

// listener is one who follows the events.
type listener struct {
	w      *world
	body   io.ReadCloser
	lines  *bufio.Reader
	lastID string
}

// follows begins to follow; it returns when the server has taken it.
func (w *world) follows(query, lastID string) *listener {
	return w.followsAt("/api/v1/events"+query, lastID)
}

func (w *world) followsAt(address, lastID string) *listener {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	w.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+address, nil)
	w.must(err)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	response, err := w.client.Do(r)
	w.must(err)
	w.Cleanup(func() { response.Body.Close() })
	if got := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || got != "text/event-stream" {
		w.Fatalf("%s: %s, %s", address, response.Status, got)
	}
	return &listener{w: w, body: response.Body, lines: bufio.NewReader(response.Body)}
}

// joined waits until the server hands new events to so many followers.
func (w *world) joined(followers int) {
	w.Helper()
	w.until(fmt.Sprintf("%d follow", followers), func() bool {
		w.server.live.mu.Lock()
		defer w.server.live.mu.Unlock()
		return len(w.server.live.clients) == followers
	})
}

// next reads an event: "state prod/71 Running". Comments and what else is no event are passed over.
func (l *listener) next() string {
	l.w.Helper()
	name, data := l.frame()
	return name + " " + l.words(data)
}

// frame reads what has a name and data.
func (l *listener) frame() (name, data string) {
	l.w.Helper()
	fields := map[string]string{}
	for {
		line, err := l.lines.ReadString('\n')
		if err != nil {
			l.w.Fatalf("the events end: %v", err)
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case name == "" && fields["data"] != "":
			l.lastID = fields["id"]
			return fields["event"], fields["data"]
		case name != "":
			fields[name] = value
		}
	}
}

func (l *listener) words(data string) string {
	l.w.Helper()
	e, err := event.Parse([]byte(data))
	l.w.must(err)
	if e.IsCommCell() {
		of, err := e.CommCell()
		l.w.must(err)
		return of.CommCell + " " + of.Detail
	}
	of, err := e.Job()
	l.w.must(err)
	return e.PartitionKey + " " + string(of.Change.To)
}

func (l *listener) wants(events ...string) {
	l.w.Helper()
	for _, want := range events {
		if got := l.next(); got != want {
			l.w.Fatalf("got %q, want %q", got, want)
		}
	}
}

func state(number int64, words job.Text) job.Snapshot {
	return job.Snapshot{Number: number, State: words}
}

func TestEventsLive(t *testing.T) {
	w := newWorld(t)
	w.sees(state(71, "Waiting"))
	w.sent()
	all, phases, failures := w.follows("", ""), w.follows("?kind=phase&commcell=prod", ""), w.follows("?kind=failure&kind=commcell", "")
	none := w.follows("?commcell=test", "")
	w.joined(4)
	w.sees(running(71))
	all.wants("state prod/71 Running", "phase prod/71 Backup")
	phases.wants("phase prod/71 Backup")
	w.sees(state(71, "Failed"))
	all.wants("state prod/71 Failed", "failure prod/71 Failed")
	w.commServe.goes(errAway)
	w.poll()
	all.wants("commcell prod unreachable")
	failures.wants("failure prod/71 Failed", "commcell prod unreachable")
	if all.lastID != "6" {
		t.Errorf("the last id is %s, want the sequence in the stream, 6", all.lastID)
	}
	none.body.Close()
	w.joined(3)
}

func TestEventsResume(t *testing.T) {
	w := newWorld(t)
	w.server.live.size = 2 // the ring holds 2 to 3 events; what lies before comes from the stream
	var all []string
	more := func() {
		t.Helper()
		words := []job.Text{"Waiting", "Running"}[len(all)%2]
		w.sees(state(71, words))
		w.sent()
		all = append(all, "state prod/71 "+string(words))
		w.until("the server has read all", func() bool {
			w.server.live.mu.Lock()
			defer w.server.live.mu.Unlock()
			return w.server.live.next == uint64(len(all))+1
		})
	}
	for range 8 {
		more()
	}
	const now = 1000 // for a last id, that of a stream that is no more
	for _, row := range []struct {
		query, lastID string
		from          int
	}{
		{"", "7", 7},
		{"", "6", 6},
		{"", "2", 2},
		{"", "0", 0},
		{"?recent=1", "5", 5},
		{"?recent=1", "", now - 1},
		{"", "", now},
		{"", "1000", now},
	} {
		l := w.follows(row.query, row.lastID)
		w.joined(1)
		if row.from >= now-1 {
			row.from += len(all) - now
		}
		more()
		l.wants(all[row.from:]...)
		l.body.Close()
		w.joined(0)
	}
}

// What a follower knows is not told again by a server that has just started and reads the stream.
func TestEventsResumeAfterARestart(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.sees(state(71, "Waiting"))
		w.sees(state(71, "Running"))
	}
	w.sent()
	w.stop()
	w.serve(w.server.Config)
	l := w.follows("", "38")
	l.wants("state prod/71 Waiting", "state prod/71 Running")
	w.joined(1)
	knowsAll := w.follows("", "40")
	w.joined(2)
	w.sees(state(71, "Failed"))
	for _, l := range []*listener{l, knowsAll} {
		l.wants("state prod/71 Failed", "failure prod/71 Failed")
	}
}

func TestEventsRefused(t *testing.T) {
	w := newWorld(t)
	w.poll()
	for _, row := range []struct{ query, lastID, want string }{
		{"?recent=x", "", `recent=\"x\": wants a number from 1 to 500`},
		{"?recent=501", "", `recent=\"501\": wants a number from 1 to 500`},
		{"", "-1", `Last-Event-ID \"-1\" is no number of an event here`},
	} {
		code, body, _ := w.ask(http.MethodGet, "/api/v1/events"+row.query, func(r *http.Request) { r.Header.Set("Last-Event-ID", row.lastID) })
		if code != http.StatusBadRequest || !strings.Contains(body, row.want) {
			t.Errorf("%s, %q: got %d %s, want 400 %s", row.query, row.lastID, code, body, row.want)
		}
	}
	for range maxFollowers {
		w.server.slots <- struct{}{}
	}
	if code, body, header := w.ask(http.MethodGet, "/api/v1/events", nil); code != http.StatusServiceUnavailable || header.Get("Retry-After") == "" {
		t.Errorf("one too many: got %d %s", code, body)
	}
	<-w.server.slots
	w.follows("", "")
}

// TestEventsAcrossAnOutage takes NATS away from under those who follow.
func TestEventsAcrossAnOutage(t *testing.T) {
	w := newWorld(t)
	l := w.follows("", "")
	w.joined(1)
	w.sees(state(71, "Waiting"))
	l.wants("state prod/71 Waiting")
	w.stopNATS()
	w.until("the connection is lost", func() bool { return w.server.Broker.Usable() != nil })
	w.sees(state(71, "Running"))
	w.startNATS()
	l.wants("state prod/71 Running")
}

func TestHeartbeat(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Heartbeat = time.Millisecond })
	l := w.follows("", "")
	for beats := 0; beats < 3; {
		line, err := l.lines.ReadString('\n')
		w.must(err)
		if line == ": still here\n" {
			beats++
		}
	}
}

func TestEventsEndWithTheServer(t *testing.T) {
	w := newWorld(t)
	l := w.follows("", "")
	w.joined(1)
	w.stop()
	if _, err := io.ReadAll(l.lines); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the events end with %v", err)
	}
}

func message(t *testing.T, sequence uint64) stream.Message {
	seen := job.Observation{Snapshot: running(71)}
	seen.Snapshot.CommCell = "prod"
	e, err := event.NewMinter(nil).Job(sequence, job.Change{Kind: job.KindState, To: "Running"}, seen, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return stream.Message{Sequence: sequence, Data: data}
}

// A follower that does not read is dropped; the others and the stream go on.
func TestSlowFollowerIsDropped(t *testing.T) {
	l := newLive(nil)
	slow, _, _ := l.join(0, 0)
	quick, _, _ := l.join(0, 0)
	for sequence := uint64(1); sequence <= clientQueue+1; sequence++ {
		if err := l.take(message(t, sequence)); err != nil {
			t.Fatal(err)
		}
		if got := <-quick.events; got.sequence != sequence {
			t.Fatalf("got event %d, want %d", got.sequence, sequence)
		}
	}
	for range clientQueue {
		<-slow.events
	}
	if _, inTime := <-slow.events; inTime {
		t.Error("the slow one was not dropped")
	}
	l.leave(slow)
	l.leave(quick)
}

func TestEventOfSeveralLinesIsSentAsOne(t *testing.T) {
	l := newLive(nil)
	if err := l.take(message(t, 1)); err != nil {
		t.Fatal(err)
	}
	if err := l.take(stream.Message{Sequence: 2, Data: []byte("none of ours")}); err != nil {
		t.Fatal(err)
	}
	if len(l.ring) != 1 || slices.Contains(l.ring[0].data, '\n') || l.next != 3 {
		t.Errorf("the ring holds %d events, next is %d", len(l.ring), l.next)
	}
}
