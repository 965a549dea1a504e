package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/job"
	"jobwatch/internal/testing/slow"
)

// back asks for a page of what was told, in short: the sequences, and where it goes on.
func (w *world) back(query string) (sequences string, next uint64) {
	w.Helper()
	var got told
	w.getJSON("/api/v1/told"+query, &got)
	var all []string
	for _, e := range got.Events {
		all = append(all, fmt.Sprint(e.Sequence))
		if !strings.HasPrefix(e.Subject, "jobs.prod.") && !strings.HasPrefix(e.Subject, "commcells.prod.") {
			w.Errorf("%d has the subject %s", e.Sequence, e.Subject)
		}
	}
	if got.Next != nil {
		next = *got.Next
	}
	return strings.Join(all, " "), next
}

func (w *world) jetStream() jetstream.JetStream {
	nc, err := nats.Connect(w.nats.ClientURL())
	w.must(err)
	w.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	w.must(err)
	return js
}

// What was told is read back page by page to the first that the stream holds, gaps in it or not.
func TestToldBackToTheFirst(t *testing.T) {
	w := newWorld(t)
	w.until("the stream is there", func() bool {
		code, _ := w.get("/api/v1/told")
		return code == http.StatusOK
	})
	if got, next := w.back(""); got != "" || next != 0 {
		t.Errorf("of an empty stream: %q, %d", got, next)
	}
	for n := range 30 {
		w.sees(job.Snapshot{Number: 71, State: []job.Text{"Running", "Pending"}[n%2], Client: "x"})
	}
	w.sent()
	for query, want := range map[string]string{
		"?limit=3": "30 29 28 | 28", "?limit=3&before=28": "27 26 25 | 25", "?limit=3&before=4": "3 2 1 | 0", "?limit=3&before=2": "1 | 0", "?before=1": " | 0", "?limit=3&before=9000": "30 29 28 | 28",
	} {
		if got, next := w.back(query); fmt.Sprint(got, " | ", next) != want {
			t.Errorf("%s: got %s | %d, want %s", query, got, next, want)
		}
	}
	js, err := w.jetStream().Stream(t.Context(), "JOBS")
	w.must(err)
	for n := uint64(5); n < 27; n++ {
		w.must(js.DeleteMsg(t.Context(), n))
	}
	w.must(js.Purge(t.Context(), jetstream.WithPurgeSequence(3)))
	var pages []string
	for before, more := "", true; more; {
		got, next := w.back("?limit=2" + before)
		pages = append(pages, got)
		before, more = fmt.Sprint("&before=", next), next != 0
	}
	if got := strings.Join(pages, " | "); got != "30 29 | 28 27 | 4 3" {
		t.Errorf("with gaps: got %s", got)
	}
	w.must(js.Purge(t.Context()))
	if got, next := w.back("?before=20"); got != "" || next != 0 {
		t.Errorf("of a purged stream: %q, %d", got, next)
	}
	w.stopNATS()
	w.until("the connection is lost", func() bool { return w.server.Broker.Usable() != nil })
	if code, body := w.get("/api/v1/told"); code != http.StatusServiceUnavailable || !strings.Contains(body, `{"error":"`) {
		t.Errorf("without NATS: %d %s", code, body)
	}
}

// What is wanted is found however rare it is, and only that.
func TestToldIsChosen(t *testing.T) {
	slow.Test(t, "3 s", "a CommCell that does not answer is asked repeatedly")
	w := newWorld(t)
	w.sees(job.Snapshot{Number: 70, State: "Failed", Client: "SQL-01"}) // state, failure
	w.sent()
	for n := range 40 {
		w.sees(job.Snapshot{Number: 71, State: []job.Text{"Running", "Pending"}[n%2], Client: "web/2"})
	}
	w.sent()
	w.commServe.goes(errAway)
	w.poll()
	w.sent()
	now := time.Now()
	for query, want := range map[string]string{
		"kind=failure": "2", "severity=error": "2 1", "kind=commcell&severity=warning": "43", "kind=commcell&severity=error": "", "class=failed": "2 1", "class=failed&class=held&limit=1": "42", "client=sql-*": "2 1", "client=SQL-01&kind=state": "1", "client=*eb/?&limit=1": "42",
		"kind=commcell": "43", "commcell=lab": "", "commcell=prod&kind=failure": "2", "subject=jobs.*.70.>": "2 1", "subject=jobs.*.70.>&kind=state": "1", "subject=none.at.all": "", "subject=*.*.*.*.failure.>": "2",
		"since=1h&kind=failure": "2", "until=1h": "", "since=" + url.QueryEscape(now.Add(time.Hour).Format(time.RFC3339)): "", "kind=failure&until=" + url.QueryEscape(now.Add(time.Hour).Format(time.RFC3339)): "2",
	} {
		if got, _ := w.back("?" + query); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"before=0", "before=x", "limit=501", "kind=none", "severity=none", "class=none", "client=[", "since=x", "until=-1h", "subject=a..b", "subject=a%20b", "commcell=a%20b"} {
		if code, body := w.get("/api/v1/told?" + query); code != http.StatusBadRequest || !strings.Contains(body, strings.SplitN(query, "=", 2)[0]) && query != "commcell=a%20b" {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
}

// One answer looks at so many messages and no more; the next goes on where it ended.
func TestToldLooksAtSoManyAtOnce(t *testing.T) {
	slow.Test(t, "3 s", "a stream of 30,000 messages")
	w := newWorld(t)
	w.sees(running(71))
	w.sent()
	js := w.jetStream()
	const others = toldReads + toldReads/2 // of another program
	for range others {
		_, err := js.PublishAsync("jobs.prod.9.x.state.other", []byte("{}"), jetstream.WithStallWait(time.Minute))
		w.must(err)
	}
	<-js.PublishAsyncComplete()
	got, next := w.back("")
	if got != "" || next < 3 || next > others {
		t.Fatalf("at first: %s, %d", got, next)
	}
	if got, next := w.back(fmt.Sprint("?before=", next)); got != "2 1" || next != 0 {
		t.Errorf("then: %s, %d", got, next)
	}
	if got, _ := w.back("?subject=jobs.*.71.>"); got != "2 1" {
		t.Errorf("chosen by NATS: %s", got)
	}
}
