package sim

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestServedTellsWhatTheAnswersTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		s.Add(Job{ID: 7, Kind: VirtualServer, Client: "vc-1", Steps: []Step{
			{State: "Running", Phase: "Backup", VMs: []VM{{Name: "a"}, {Name: "b"}}},
			{At: time.Second, State: "Pending", Phase: "Backup", Reason: "No drive.", Code: "1:2", VMs: []VM{{Name: "a", Reason: "gone"}, {Name: "b"}}},
			{At: 2 * time.Second, State: "Failed", Failures: "1 Folders, 2 Files", Reason: "No drive.", VMs: []VM{{Name: "a", Reason: "gone"}}},
		}})
		c := call(t, s)
		begun := time.Now()
		for range 3 {
			c.details(7)
			time.Sleep(time.Second)
		}
		none, gone := []VM(nil), []VM{{Name: "a", GUID: guid(hash("a")), Reason: "gone"}}
		at := func(seconds time.Duration, told Served) Served {
			told.JobID, told.Whole, told.Began, told.Client = 7, true, s.config.Start, "vc-1"
			told.Asked, told.Served = begun.Add(seconds*time.Second), begun.Add(seconds*time.Second)
			if told.Updated = begun; told.Finished {
				told.Updated = told.Served
			}
			return told
		}
		want := []Served{
			at(0, Served{State: "Running", Phase: "Backup", Failures: "0 Folders, 0 Files", VMs: none}),
			at(1, Served{State: "Pending", Phase: "Backup", Failures: "0 Folders, 0 Files", Reason: "No drive.", Code: "1:2", VMs: gone}),
			at(2, Served{State: "Failed", Failures: "1 Folders, 2 Files", Reason: "No drive.", VMs: gone, Finished: true}),
		}
		if got := s.Served(); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	})
}

func TestServedTellsWhatIsOldAndWhatOnlyTheSummaryTells(t *testing.T) {
	s := New(Config{Clock: func() time.Duration { return time.Minute }})
	s.Add(Job{ID: 7, Steps: []Step{{State: "Running", Phase: "Scan"}, {At: time.Minute, State: "Completed", Mute: true}}})
	c := call(t, s)
	for _, kind := range []FaultKind{BrokenState, Slow, Stale} {
		s.Fault(Fault{Kind: kind, Next: 1, Delay: delayOf(kind)})
		c.details(7)
	}
	for _, end := range s.Served()[:2] {
		if !end.Whole || end.Old || end.State != "" || end.Summary != "Completed" || !end.Finished {
			t.Errorf("a mute end: %+v", end)
		}
	}
	if old := s.Served()[2]; old.Whole || !old.Old || old.State != "Running" || old.Phase != "Scan" {
		t.Errorf("a stale answer: %+v", old)
	}
}

// brokenWriter fails where a network would: at the write, or at the flush.
type brokenWriter struct {
	*httptest.ResponseRecorder
	write, flush error
}

func (b brokenWriter) FlushError() error { return b.flush }
func (b brokenWriter) Write(p []byte) (int, error) {
	if b.write != nil {
		return 0, b.write
	}
	return b.ResponseRecorder.Write(p)
}

func TestAnAnswerThatCouldNotBeWrittenIsNotWhole(t *testing.T) {
	reset := errors.New("connection reset")
	for _, w := range []brokenWriter{{write: reset}, {flush: reset}, {}} {
		s := running(7)
		w.ResponseRecorder = httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/JobDetails", strings.NewReader(`{"jobId":7}`))
		r.Header.Set("Authtoken", "QSDK sim")
		s.ServeHTTP(w, r)
		if got, want := s.Served()[0].Whole, w.write == nil && w.flush == nil; got != want {
			t.Errorf("write %v, flush %v: whole is %v", w.write, w.flush, got)
		}
	}
}

func TestAClientThatIsGoneIsToldNothing(t *testing.T) {
	s := running(7)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, _ := http.NewRequestWithContext(ctx, "POST", "http://cs.test/JobDetails", strings.NewReader(`{"jobId":7}`))
	r.Header.Set("Authtoken", "QSDK sim")
	if _, err := s.Inside().RoundTrip(r); !errors.Is(err, context.Canceled) || s.Served()[0].Whole {
		t.Errorf("got %v, served %+v", err, s.Served()[0])
	}
}

func TestRefusedRequestsAreNotWhole(t *testing.T) {
	s := running(7)
	c := call(t, s)
	if status, _ := c.text("POST", "JobDetails", `jobId=7`); status != http.StatusBadRequest {
		t.Errorf("no JSON: got %d", status)
	}
	c.token = "QSDK wrong"
	if status, _ := c.text("POST", "JobDetails", `{"jobId":7}`); status != http.StatusUnauthorized {
		t.Errorf("wrong token: got %d", status)
	}
	for _, told := range s.Served() {
		if told.Whole || told.State != "" {
			t.Errorf("served %+v", told)
		}
	}
}

func TestManyAskAtOnce(t *testing.T) {
	s := New(Config{Jobs: 20, Arrivals: 1, Speed: 100})
	s.Fault(Fault{Kind: ErrorFlat, Rate: 0.1})
	var all sync.WaitGroup
	for id := range int64(8) {
		all.Go(func() {
			c := call(t, s)
			for range 50 {
				c.text("POST", "JobDetails", `{"jobId":100`+string('1'+rune(id))+`}`)
				c.text("POST", "Jobs", `{}`)
				s.Add(Job{ID: 1 + id, Steps: []Step{{State: "Running"}}})
			}
		})
	}
	all.Wait()
	if got := s.Counts(); got[OpJobDetails] != 400 || got[OpJobs] != 400 || len(s.Served()) != 400 {
		t.Errorf("counts %v, served %d", got, len(s.Served()))
	}
}

func TestNoRecord(t *testing.T) {
	s := New(Config{NoRecord: true, Jobs: 1})
	call(t, s).details(firstJob)
	if len(s.Served()) != 0 || s.Counts()[OpJobDetails] != 1 {
		t.Errorf("served %d, counts %v", len(s.Served()), s.Counts())
	}
}
