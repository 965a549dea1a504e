package relay

import (
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// backlog fills the stream with events of the size that they have, without waiting for each.
func (w *world) backlog(events, jobs int) {
	w.t.Helper()
	js := w.admin()
	filler := strings.Repeat("x", 1900)
	for n := range events {
		job, number := n%jobs+1, n/jobs+1
		id := fmt.Sprintf("%s-%012d", epoch, job*1000+number)
		data := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/commcells/prod","type":"jobwatch.job.state.v1","subject":"jobs/%d",`+
			`"time":"2026-11-23T14:00:00Z","datacontenttype":"application/json","dataschema":"urn:jobwatch:job-change:v1","sequence":"%020d","partitionkey":"prod/%d",`+
			`"data":{"change":{"kind":"state","detail":"running","from":null,"to":"Running","notBefore":null,"observedAt":"2026-11-23T14:00:00Z"},`+
			`"severity":"info","job":{"commcell":"prod","id":%d,"client":"fall","state":"Running","stateClass":"active","pendingReason":%q}}}`,
			id, job, number, job, job, filler)
		m := &nats.Msg{Subject: fmt.Sprintf("jobs.prod.%d.fall.state.running", job), Data: []byte(data), Header: nats.Header{"Nats-Msg-Id": {id}}}
		if _, err := js.PublishMsgAsync(m, jetstream.WithStallWait(time.Minute)); err != nil {
			w.t.Fatal(err)
		}
	}
	select {
	case <-js.PublishAsyncComplete():
	case <-time.After(5 * time.Minute):
		w.t.Fatal("the stream is not filled")
	}
}

var rssAnon = regexp.MustCompile(`RssAnon:\s+(\d+) kB`)

// drain has a process deliver the whole backlog, and says what that took of the processor, and of memory at most.
func drain(t testing.TB, kind string, events int) (cpu time.Duration, memory int) {
	w := newWorld(t)
	w.backlog(events, 2000)
	to := &inbox{}
	receiver := httptest.NewServer(to)
	defer receiver.Close()
	child := w.child(kind, receiver.URL)
	until(t, "all has arrived", func() bool {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", child.Process.Pid))
		if m := rssAnon.FindSubmatch(status); m != nil {
			n, _ := strconv.Atoi(string(m[1]))
			memory = max(memory, n<<10)
		}
		return to.count() >= events
	})
	_ = child.Process.Kill()
	_ = child.Wait()
	return child.ProcessState.UserTime() + child.ProcessState.SystemTime(), memory
}

// BenchmarkRelay measures a relay beside a bare pull consumer that posts the same bodies: the processor's time of an event,
// their ratio, and the most anonymous memory. JOBWATCH_RELAY_SPEED says how many events; 20,000 without it.
func BenchmarkRelay(b *testing.B) {
	events := 20_000
	if n, err := strconv.Atoi(os.Getenv("JOBWATCH_RELAY_SPEED")); err == nil {
		events = n
	}
	for b.Loop() {
		plain, _ := drain(b, "plain", events)
		relay, memory := drain(b, "relay", events)
		b.ReportMetric(float64(plain.Microseconds())/float64(events), "plain-µs/event")
		b.ReportMetric(float64(relay.Microseconds())/float64(events), "relay-µs/event")
		b.ReportMetric(float64(relay)/float64(plain), "times")
		b.ReportMetric(float64(memory>>20), "MB")
	}
}
