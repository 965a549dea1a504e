package poller

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/job"
	"jobwatch/internal/testing/slow"
)

// feeder is the feed of a script's CommServe, read by a real client. Its clock is two hours behind ours.
type feeder struct {
	*script
	*commvault.Client

	mu      sync.Mutex
	entries []string
	code    int    // the answer's instead of 200
	body    string // instead of the entries
	header  http.Header
	reads   int
}

func (f *feeder) says(number int64, code, text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := time.Now().Add(-2 * time.Hour).Unix()
	f.entries = append(f.entries, fmt.Sprintf(`{"id":%d,"jobId":%d,"timeSource":%d,"eventCodeString":%q,"severity":0,"subsystem":"JobManager","description":%q}`,
		len(f.entries)+1, number, at, code, text))
}

func (f *feeder) answers(code int, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.code, f.body = code, body
}

func (f *feeder) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	code, body := 200, `{"commservEvents":[`+strings.Join(f.entries, ",")+`]}`
	if f.code != 0 {
		code, body = f.code, f.body
	}
	return &http.Response{StatusCode: code, Header: f.header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
}

// countReads says how often the feed was read since it was last asked.
func (f *feeder) countReads() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	reads := f.reads
	f.reads = 0
	return reads
}

func (f *feeder) Summary(ctx context.Context, number int64) (commvault.Line, error) {
	if err := f.request(ctx, -number); err != nil {
		return commvault.Line{}, err
	}
	f.script.mu.Lock()
	defer f.script.mu.Unlock()
	s, known := f.jobs[number]
	if !known {
		return commvault.Line{}, &commvault.Error{Operation: "Summary", Job: number, Kind: commvault.UnknownJob, Err: commvault.ErrUnknownJob}
	}
	return commvault.Line{Number: number, Status: s.State, StartTime: s.StartTime, EndTime: s.EndTime, Client: s.Client, Parent: s.ParentJob, UpdateTime: s.LastUpdateTime}, nil
}

func (f *feeder) JobDetails(ctx context.Context, number int64) (job.Observation, error) {
	return f.script.JobDetails(ctx, number)
}

func (f *feeder) List(ctx context.Context, finishedWithin time.Duration, yield func([]commvault.Line) error) error {
	return f.script.List(ctx, finishedWithin, yield)
}

// fed runs a Poller with a cycle each 30 s and a reading of the feed each 5 s for as long as the test does. When it
// returns the first cycle is over, and the feed has begun.
func feedBench(t *testing.T, edit func(*Config)) (*bench, *feeder, *bytes.Buffer) {
	var said bytes.Buffer
	f := &feeder{}
	b := newBench(t, func(c *Config) {
		c.Log, c.FeedEvery, c.Feed, c.FinishedWithin = slog.New(slog.NewTextHandler(&said, nil)), 5*time.Second, f, time.Hour
		if edit != nil {
			edit(c)
		}
	})
	f.script = b.script
	var err error
	if f.Client, err = commvault.New(commvault.Config{CommCell: "prod", URL: "http://cs", Token: "t", Transport: f}); err != nil {
		t.Fatal(err)
	}
	b.script.is(71, state("Running"), phase("Scan"))
	f.says(71, "19:1", "An old one.")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	passes(2 * time.Second)
	b.drain()
	b.script.requests()
	return b, f, &said
}

func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestFeedShowsAChangeBetweenCycles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, nil)
		b.script.is(71, state("Suspended"))
		f.says(71, "19:1086", "Job suspended.")
		f.says(71, "19:1", "And more of it.")
		passes(5 * time.Second)
		b.hasTold("prod/71 state: Running → Suspended")
		if got := b.script.requests(); !slices.Equal(got, []int64{71}) {
			t.Errorf("asked for %v, want 71 once", got)
		}
		passes(10 * time.Second)
		if got := b.script.requests(); got != nil {
			t.Errorf("asked for %v, though the feed says nothing more", got)
		}
	})
}

// What the feed says is never believed.
func TestFeedMakesNoTransition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, nil)
		f.says(71, "19:1081", "Job [71] has been killed.")
		f.says(99, "19:1081", "Job [99], which nobody knows, has been killed.")
		passes(5 * time.Second)
		if got := b.script.requests(); !slices.Contains(got, 71) {
			t.Errorf("asked for %v, want 71 among them", got)
		}
		b.hasTold()
	})
}

func TestFeedNamesJobsBeforeTheList(t *testing.T) {
	for name, row := range map[string]struct {
		edit  func(*Config)
		is    func(*script)
		asked []int64 // a Summary is below 0
		tells []string
		again bool // it is asked for once more when it is named again
	}{
		"a new one": {nil, func(s *script) { s.is(72, state("Running")) }, []int64{-72, 72}, []string{"prod/72 state:  → Running"}, false},
		"left out by the filter": {func(c *Config) { c.Filter = NewFilter(nil, map[string][]string{"client": {"winter"}}) },
			func(s *script) { s.is(72, state("Running"), client("winter")) }, []int64{-72}, nil, false},
		"one that ended long ago": {nil, func(s *script) {
			s.is(72, state("Completed"), ended(time.Now().Add(-2*time.Hour-61*time.Minute)))
		}, []int64{-72}, nil, true},
		"one of an older release that ended long ago": {nil, func(s *script) {
			s.is(72, state("Completed"), updated(time.Now().Add(-2*time.Hour-61*time.Minute)))
		}, []int64{-72}, nil, true},
		"one that ended just now": {nil, func(s *script) { s.is(72, state("Completed"), ended(time.Now().Add(-2*time.Hour))) },
			[]int64{-72, 72}, []string{"prod/72 state:  → Completed"}, false},
		"a machine's own":       {nil, func(s *script) { s.is(72, state("Running"), func(s *job.Snapshot) { s.ParentJob = new(int64(71)) }) }, []int64{-72}, nil, false},
		"nothing is discovered": {func(c *Config) { c.Discover, c.Jobs = false, []int64{71} }, func(s *script) { s.is(72, state("Running")) }, nil, nil, false},
		"unknown":               {nil, func(*script) {}, []int64{-72}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, f, _ := feedBench(t, row.edit)
				row.is(b.script)
				f.says(72, "19:1", "Request received.")
				passes(5 * time.Second)
				b.hasTold(row.tells...)
				if got := b.script.requests(); !slices.Equal(got, row.asked) {
					t.Errorf("asked for %v, want %v", got, row.asked)
				}
				if row.tells != nil {
					return
				}
				f.says(72, "19:1", "Again.")
				passes(5 * time.Second)
				if got := b.script.requests(); row.again != (got != nil) {
					t.Errorf("asked for %v once more", got)
				}
			})
		})
	}
}

func TestFeedThatNamesManyJobs(t *testing.T) {
	slow.Test(t, "3 s", "a thousand jobs are named at once, and polled a few at a time")
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, func(c *Config) { c.Concurrency = 4 })
		b.script.takes = 10 * time.Millisecond
		for number := range int64(1000) {
			b.script.is(1001+number, state("Running"))
			f.says(1001+number, "19:1", "Request received.")
		}
		passes(5*time.Second + 5*time.Second) // 2,000 requests, four at once
		if told := b.drain(); len(told) != 1000 {
			t.Errorf("told of %d jobs, want 1000", len(told))
		}
		b.script.mu.Lock()
		defer b.script.mu.Unlock()
		if b.script.most > 4 {
			t.Errorf("%d requests at once, want 4 at most", b.script.most)
		}
	})
}

// A poll that was asked for before the change does not show it.
func TestFeedNamesAJobThatIsBeingPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, nil)
		b.script.is(71, state("Suspended"))
		f.says(71, "19:1086", "Job suspended.")
		held := trackedJob{id: job71}
		b.cache.claim(&held)
		passes(5 * time.Second)
		b.hasTold()
		b.cache.release(held)
		passes(5 * time.Second)
		b.hasTold("prod/71 state: Running → Suspended")
	})
}

func TestFeedLeavesTheFinalPollToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, nil)
		b.script.is(71, state("Completed"), ended(time.Now()))
		f.says(71, "19:1", "Completed.")
		passes(5 * time.Second)
		b.hasTold("prod/71 state: Running → Completed")
		f.says(71, "19:2", "Something after the end.")
		passes(5 * time.Second)
		if got := b.script.requests(); !slices.Equal(got, []int64{71, 71}) {
			t.Errorf("asked for %v, want 71 twice", got)
		}
		passes(finalPollAfter - 30*time.Second)
		if got := b.script.requests(); slices.Contains(got, 71) {
			t.Errorf("the final poll came early: %v", got)
		}
		passes(time.Minute)
		if got := b.script.requests(); !slices.Contains(got, 71) {
			t.Errorf("no final poll: %v", got)
		}
	})
}

func TestFeedRefusedIsNamedOnce(t *testing.T) {
	for name, row := range map[string]struct {
		code int
		body string
		says string
	}{
		"no right":      {200, `{"errorMessage":"Access denied","errorCode":5}`, "Access denied"},
		"forbidden":     {403, ``, "HTTP 403"},
		"too old":       {404, `<html><title>Not Found</title></html>`, "HTTP 404"},
		"a page always": {200, `<!DOCTYPE html><html><title>Command Center</title></html>`, "a web page"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, f, said := feedBench(t, nil)
				f.answers(row.code, row.body)
				passes(time.Minute)
				if got := said.String(); strings.Count(got, "feed_every: 0") != 1 || !strings.Contains(got, row.says) {
					t.Errorf("said %q, want one line with feed_every: 0 and %q", got, row.says)
				}
				f.countReads()
				passes(9*time.Minute - 30*time.Second)
				if reads := f.countReads(); reads != 0 {
					t.Errorf("read %d times within ten minutes", reads)
				}
				passes(11 * time.Minute)
				if reads := f.countReads(); reads == 0 {
					t.Error("never tried again")
				}
				b.script.is(71, state("Suspended"))
				f.answers(0, "")
				f.says(71, "19:1086", "Job suspended.")
				passes(11 * time.Minute)
				if got := said.String(); strings.Count(got, "feed_every: 0") != 1 || strings.Count(got, "can be read again") != 1 {
					t.Errorf("said %q, want one line each when it was refused and when it was not", got)
				}
				b.hasTold("prod/71 state: Running → Suspended") // by a cycle, for those went on
				if b.Counts.Totals().Reason != "" {
					t.Errorf("the CommCell does not answer: %s", b.Counts.Totals().Reason)
				}
			})
		})
	}
}

func TestFeedFailuresThatPassAreSilent(t *testing.T) {
	for _, row := range []struct {
		code int
		body string
		hold time.Duration
	}{{500, "", 0}, {503, "", 0}, {429, "", 4 * time.Second}, {502, "<html><title>Bad Gateway</title></html>", 0}} {
		synctest.Test(t, func(t *testing.T) {
			b, f, said := feedBench(t, nil)
			f.answers(row.code, row.body)
			b.script.is(71, state("Suspended"))
			f.says(71, "19:1086", "Job suspended.")
			passes(20 * time.Second)
			b.hasTold()
			f.answers(0, "")
			passes(5*time.Second + row.hold) // of a 429 that does not say for how long
			b.hasTold("prod/71 state: Running → Suspended")
			if said.Len() > 0 {
				t.Errorf("HTTP %d: said %q", row.code, said)
			}
		})
	}
}

func TestFeedIsNotReadOf(t *testing.T) {
	for name, row := range map[string]struct {
		edit func(*Config)
		down error
	}{
		"a CommServe not identified yet": {func(c *Config) {
			c.Identify = func(ctx context.Context) (string, error) { <-ctx.Done(); return "", ctx.Err() }
		}, nil},
		"another CommServe":                 {func(c *Config) { c.GUID, c.Identify = "A", func(context.Context) (string, error) { return "B", nil } }, nil},
		"a CommServe that does not answer":  {nil, errAway},
		"any CommServe, with feed_every: 0": {func(c *Config) { c.FeedEvery = 0 }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, f, _ := feedBench(t, row.edit)
				b.script.mu.Lock()
				b.script.down = row.down
				b.script.mu.Unlock()
				if row.down != nil {
					passes(time.Minute)
					f.countReads()
				}
				passes(time.Minute)
				if reads := f.countReads(); reads != 0 {
					t.Errorf("read %d times", reads)
				}
			})
		})
	}
}

// What the feed showed before a start is no news; what it shows afterwards is.
func TestFeedAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, f, _ := feedBench(t, nil)
		f.says(71, "19:1", "Read by the first.")
		passes(5 * time.Second)
		b.script.requests()
		again := New(b.Config)
		go again.readFeed(t.Context())
		synctest.Wait()
		if got := b.script.requests(); got != nil {
			t.Errorf("asked for %v after a restart", got)
		}
	})
}
