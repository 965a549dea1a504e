package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jobwatch/internal/job"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/fakeslack"
	"jobwatch/internal/testing/slow"
)

func life() []*relay.Event {
	running, failed := snapshot(1248, "Running"), snapshot(1248, "Failed")
	failed.Reason = "disk full"
	return []*relay.Event{
		becomes(1, running, ""),
		happens(2, running, job.Change{Kind: job.KindPhase, Detail: "backup", To: "Backup"}),
		happens(3, running, job.Change{Kind: job.KindWatch, Detail: job.DetailStalled}),
		becomes(4, failed, "Running"),
		happens(5, failed, job.Change{Kind: job.KindFailure, Detail: job.DetailState, From: "Running", To: "Failed"}),
		happens(6, failed, job.Change{Kind: job.KindFailure, Detail: job.DetailReason, To: "disk full", Code: "19:579"}),
	}
}

func TestOneMessageAJobAndALineAnEvent(t *testing.T) {
	w := newWorld(t)
	for _, e := range life() {
		w.deliver(e)
	}
	root := w.root()
	if !strings.Contains(root.Text, "Failed: job 1248, nightly on fall (prod)") || root.Changes != 5 {
		t.Errorf("%d changes to %q", root.Changes, root.Text)
	}
	thread := w.fake.Thread(root.TS)
	if len(thread) != 5 { // the phase has no line
		t.Fatalf("%d replies: %+v", len(thread), thread)
	}
	var told []bool
	for _, m := range thread {
		told = append(told, m.Broadcast())
	}
	if !slices.Equal(told, []bool{false, false, true, false, false}) { // the state, and not its failure again
		t.Errorf("told to the channel: %v", told)
	}
}

func TestWhatPiledUpIsOneReply(t *testing.T) {
	w := newWorld(t)
	w.deliver(life()...)
	root := w.root()
	thread := w.fake.Thread(root.TS)
	if len(thread) != 1 || !thread[0].Broadcast() || strings.Count(thread[0].Text, "\n") != 5 || root.Changes != 0 {
		t.Errorf("%d changes, thread %+v", root.Changes, thread)
	}
}

func TestARepeatChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.deliver(life()...)
	before := w.fake.Calls()
	w.restarts()
	w.deliver(life()[:3]...)
	w.deliver(life()...)
	if after := w.fake.Calls(); len(after) != len(before) {
		t.Errorf("Slack was called: %v", after[len(before):])
	}
}

// A stream that was restored counts on from an earlier number: its events are no repeats.
func TestEventsOfARestoredStreamAreTold(t *testing.T) {
	w := newWorld(t)
	w.deliver(life()...)
	again := snapshot(1248, "Completed")
	e := becomes(9, again, "Running")
	parsed, err := e.Parsed()
	if err != nil {
		t.Fatal(err)
	}
	data, err := parsed.Job()
	if err != nil {
		t.Fatal(err)
	}
	w.deliver(wrap(again.JobID(), 3, "jobwatch.job.state.v1", parsed.Time, data))
	root := w.root()
	if !strings.HasPrefix(root.Text, "Completed") || len(w.fake.Thread(root.TS)) != 2 {
		t.Errorf("%q with %d replies", root.Text, len(w.fake.Thread(root.TS)))
	}
}

func TestADeletedMessageComesAgainOnce(t *testing.T) {
	w := newWorld(t)
	w.deliver(life()[:3]...)
	w.fake.Delete(w.root().TS)
	w.deliver(life()[3:]...)
	root := w.root()
	if thread := w.fake.Thread(root.TS); len(thread) != 1 || strings.Contains(thread[0].Text, "Stalled") {
		t.Errorf("thread %+v", thread)
	}
}

func TestCommCellOutages(t *testing.T) {
	w := newWorld(t)
	w.deliver(commCell(1, "unreachable", "no route"))
	w.deliver(commCell(2, "reachable", ""), commCell(3, "unreachable", "no route"), commCell(4, "unreachable", "refused"))
	w.deliver(commCell(5, "reachable", ""))
	roots := w.fake.Roots()
	if len(roots) != 2 || len(w.fake.Thread(roots[0].TS)) != 2 || len(w.fake.Thread(roots[1].TS)) != 3 {
		t.Errorf("%d roots: %+v", len(roots), roots)
	}
}

func TestGroup(t *testing.T) {
	w := newWorld(t)
	w.deliver(becomes(1, snapshot(1, "Running"), "")) // has a message of its own
	var events []*relay.Event
	for n := int64(1); n <= 5; n++ {
		events = append(events, becomes(2, snapshot(n, "Failed"), "Running"))
	}
	batch := relay.Batch{Group: "fall", Events: events}
	for range 2 { // the second time as after a crash
		if done, err := w.slack.Deliver(t.Context(), batch); err != nil || done != 5 {
			t.Fatal(done, err)
		}
		w.restarts()
	}
	roots := w.fake.Roots()
	if len(roots) != 2 || !strings.HasPrefix(roots[0].Text, "Failed: job 1,") || roots[1].Text != "5 jobs of fall: 5 Failed" {
		t.Fatalf("%d roots: %+v", len(roots), roots)
	}
	if thread := w.fake.Thread(roots[0].TS); len(thread) != 2 || thread[1].Broadcast() {
		t.Errorf("thread %+v", thread)
	}
	w.deliver(happens(3, snapshot(4, "Failed"), job.Change{Kind: job.KindFailure, Detail: job.DetailReason, To: "disk full"}))
	roots = w.fake.Roots()
	if len(roots) != 3 || len(w.fake.Thread(roots[2].TS)) != 1 {
		t.Errorf("what came of job 4 later: %+v", roots)
	}
}

// deliverAll tries until all is delivered, each time as another process.
func (w *world) deliverAll(batches ...[]*relay.Event) {
	w.Helper()
	for _, events := range batches {
		for tries := 0; len(events) > 0; tries++ {
			if tries == 50 {
				w.Fatal("never delivered")
			}
			done, err := w.slack.Deliver(w.Context(), relay.Batch{Events: events})
			if events = events[done:]; err != nil {
				w.othersTalk()
				w.restarts()
			}
		}
	}
}

// Whatever is cut, killed or forgotten between a post and its record: one message a job, and each line once.
func TestCrashBetweenPostAndRecord(t *testing.T) {
	for at := 1; at <= 12; at++ {
		for _, happened := range []bool{false, true} {
			for _, of := range []string{"memory", "slack"} {
				t.Run(fmt.Sprintf("%s/%d/happened=%v", of, at, happened), func(t *testing.T) {
					w := newWorld(t)
					w.fake.Page(2) // the search has to turn pages
					if of == "memory" {
						w.memory.fault = func(put int) (bool, bool) { return put == at && !happened, put == at && happened }
					} else {
						w.fake.Faults(func(_ string, n int) fakeslack.Fault {
							return fakeslack.Fault{Cut: n+1 == at && !happened, CutAfter: n+1 == at && happened}
						})
					}
					w.deliverAll(life()[:1], life()[1:4], life()[4:])
					w.eachOnce(5)
				})
			}
		}
	}
}

// eachOnce wants one root, and each event's line once.
func (w *world) eachOnce(lines int) {
	w.Helper()
	var thread strings.Builder
	for _, m := range w.fake.Thread(w.root().TS) {
		thread.WriteString(m.Text + "\n")
	}
	if got := strings.Count(thread.String(), "UTC\n"); got != lines {
		w.Errorf("%d lines, want %d:\n%s", got, lines, thread.String())
	}
	if !strings.HasPrefix(w.root().Text, "Failed") {
		w.Errorf("the root shows %q", w.root().Text)
	}
}

func TestCrashWhileAGroupIsTold(t *testing.T) {
	for at := 1; at <= 6; at++ {
		for _, happened := range []bool{false, true} {
			w := newWorld(t)
			w.fake.Page(2)
			w.memory.fault = func(put int) (bool, bool) { return put == at && !happened, put == at && happened }
			w.fake.Faults(func(_ string, n int) fakeslack.Fault {
				return fakeslack.Fault{CutAfter: n == 1 && happened, Cut: n == 1 && !happened}
			})
			var events []*relay.Event
			for n := range int64(4) {
				events = append(events, becomes(2, snapshot(1+n, "Failed"), "Running"))
			}
			for tries, done := 0, 0; done < len(events); tries++ {
				if tries == 10 {
					t.Fatal("never delivered")
				}
				var err error
				if done, err = w.slack.Deliver(t.Context(), relay.Batch{Group: "fall", Events: events}); err != nil {
					w.othersTalk()
					w.restarts()
				}
			}
			if roots := w.ours(); len(roots) != 1 || roots[0].Text != "4 jobs of fall: 4 Failed" {
				t.Errorf("put %d, happened %v: %d messages: %+v", at, happened, len(roots), roots)
			}
		}
	}
}

func TestAnyCrashesLeaveOneMessageAJob(t *testing.T) {
	slow.Test(t, "1 s", "several crashes in a row")
	rapid.Check(t, func(r *rapid.T) {
		w := newWorld(t)
		w.fake.Page(rapid.IntRange(1, 5).Draw(r, "page"))
		fate := rapid.SliceOfN(rapid.IntRange(0, 5), 40, 40)
		puts, calls := fate.Draw(r, "puts"), fate.Draw(r, "calls")
		w.memory.fault = func(put int) (bool, bool) { return put < 40 && puts[put] == 1, put < 40 && puts[put] == 2 }
		w.fake.Faults(func(_ string, n int) fakeslack.Fault {
			if n >= 40 {
				return fakeslack.Fault{}
			}
			switch calls[n] {
			case 1:
				return fakeslack.Fault{Cut: true}
			case 2:
				return fakeslack.Fault{CutAfter: true}
			case 3:
				return fakeslack.Fault{Status: http.StatusServiceUnavailable}
			}
			return fakeslack.Fault{}
		})
		cut := rapid.IntRange(0, 6).Draw(r, "cut")
		w.deliverAll(life()[:cut], life()[cut:])
		w.eachOnce(5)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	w := newWorld(t)
	w.fake.Faults(func(method string, n int) fakeslack.Fault {
		return fakeslack.Fault{Status: http.StatusTooManyRequests, Error: "ratelimited", RetryAfter: "30"}
	})
	refusal := w.refuses(relay.Away, life()[0])
	if refusal.After < 29*time.Second || refusal.After > 30*time.Second || refusal.Status != http.StatusTooManyRequests {
		t.Errorf("%+v", refusal)
	}
	refusal = w.refuses(relay.Away, becomes(1, snapshot(7, "Running"), ""))
	if calls := w.fake.Calls(); len(calls) != 1 || refusal.After == 0 {
		t.Errorf("called meanwhile: %v, %+v", calls, refusal)
	}
}

func TestAMessageASecond(t *testing.T) {
	w := newWorld(t)
	w.fake.Limit(time.Minute)
	if refusal := w.refuses(relay.Away, life()...); refusal.After < 59*time.Second { // after the message, before its reply
		t.Errorf("%+v", refusal)
	}
	w.fake.Limit(0)
	w.restarts()
	w.deliver(life()...)
	w.eachOnce(5)
}

func TestLimitInsideABody(t *testing.T) {
	w := newWorld(t)
	w.fake.Faults(func(method string, n int) fakeslack.Fault {
		return fakeslack.Fault{Error: "ratelimited", RetryAfter: "7"}
	})
	if refusal := w.refuses(relay.Away, life()[0]); refusal.After < 6*time.Second {
		t.Errorf("%+v", refusal)
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		fault fakeslack.Fault
		kind  relay.Kind
		says  string
	}{
		{fakeslack.Fault{Error: "invalid_auth"}, relay.Away, "xoxb-"},
		{fakeslack.Fault{Error: "token_revoked"}, relay.Away, "install the app again"},
		{fakeslack.Fault{Error: "missing_scope"}, relay.Away, "channels:history"},
		{fakeslack.Fault{Error: "channel_not_found"}, relay.Away, "C0123456789"},
		{fakeslack.Fault{Error: "not_in_channel"}, relay.Away, "/invite"},
		{fakeslack.Fault{Error: "is_archived"}, relay.Away, "unarchive"},
		{fakeslack.Fault{Error: "invalid_blocks"}, relay.Unfit, "invalid_blocks"},
		{fakeslack.Fault{Error: "msg_too_long"}, relay.Unfit, "msg_too_long"},
		{fakeslack.Fault{Error: "internal_error"}, relay.Uncertain, "internal_error"},
		{fakeslack.Fault{Status: 503}, relay.Uncertain, "503"},
		{fakeslack.Fault{Status: 302}, relay.Away, "302"},
		{fakeslack.Fault{Cut: true}, relay.Uncertain, "chat.postMessage"},
	} {
		w := newWorld(t)
		w.fake.Faults(func(string, int) fakeslack.Fault { return row.fault })
		refusal := w.refuses(row.kind, life()[0])
		if !strings.Contains(refusal.Reason, row.says) || strings.Contains(refusal.Reason, "\n") || strings.Contains(refusal.Reason, fakeslack.Token) {
			t.Errorf("%+v: %q", row.fault, refusal.Reason)
		}
		w.fake.Faults(nil)
		w.deliver(life()...)
		w.eachOnce(5)
	}
}

func TestARefusedTokenIsReadAgain(t *testing.T) {
	token := fakeslack.Token
	w := newWorld(t, func(c *Config) { c.Token = func() (string, error) { return token, nil } })
	w.fake.Accept("xoxb-new")
	w.refuses(relay.Away, life()[0])
	token = "xoxb-new"
	w.deliver(life()[0])
}

func TestNoConnectionIsAway(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.APIURL = "http://127.0.0.1:1/" })
	w.refuses(relay.Away, life()[0])
}

func TestIncomingWebhook(t *testing.T) {
	w := newWorld(t)
	hook := func() (string, error) { return w.fake.Webhook + "\n", nil }
	w.config = Config{Relay: "ops", WebhookURL: hook, Memory: w.memory}
	w.restarts()
	w.deliver(life()...)
	if got := w.fake.Plain(); len(got) != 6 {
		t.Errorf("%d messages for 6 events", len(got))
	}
	w.fake.Faults(func(string, int) fakeslack.Fault { return fakeslack.Fault{Status: 404, Error: "no_service"} })
	if refusal := w.refuses(relay.Away, life()[0]); strings.Contains(refusal.Reason, "secret") {
		t.Errorf("the address is said: %q", refusal.Reason)
	}
	w.fake.Faults(func(string, int) fakeslack.Fault { return fakeslack.Fault{Cut: true} })
	if refusal := w.refuses(relay.Uncertain, life()[0]); strings.Contains(refusal.Reason, "secret") {
		t.Errorf("the address is said: %q", refusal.Reason)
	}
	if err := w.slack.Check(t.Context()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("check: %v", err)
	}
}

func TestCheckSaysThatAnAddressIsNotSlacks(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.APIURL = strings.TrimSuffix(c.APIURL, "api/") })
	if err := w.slack.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "is slack.api_url right?") {
		t.Error(err)
	}
}

func TestCheckSendsNothing(t *testing.T) {
	w := newWorld(t)
	if found, err := w.slack.Look(t.Context()); err != nil || !strings.HasPrefix(found, "Slack accepts the token of jobwatch in fake, and it is in #backup;") {
		t.Errorf("%q, %v", found, err)
	}
	w.fake.Archive(true)
	if err := w.slack.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "unarchive") {
		t.Error(err)
	}
	w.fake.Archive(false)
	w.fake.Inside(false)
	if err := w.slack.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "/invite") {
		t.Error(err)
	}
	if len(w.fake.Roots()) > 0 {
		t.Error("a message was sent")
	}
}

func TestNewRefuses(t *testing.T) {
	token := func() (string, error) { return "xoxb-1", nil }
	for _, row := range []struct {
		config Config
		says   string
	}{
		{Config{Token: token, Channel: "#ops"}, "is no id"},
		{Config{Token: token, Channel: "ops"}, "copy the id"},
		{Config{}, "webhook_url_file"},
		{Config{Token: token, Channel: "C0123456789", WebhookURL: token}, "leave out"},
		{Config{WebhookURL: token}, "holds no address"},
		{Config{Token: token, Channel: "C0123456789", Broadcast: []string{"faild"}}, "none of"},
		{Config{Token: token, Channel: "C0123456789", Links: []Link{{"x", "javascript:1"}}}, "links"},
		{Config{Token: func() (string, error) { return "", errors.New("token_file: none") }, Channel: "C0123456789"}, "token_file"},
	} {
		_, err := New(row.config)
		if err == nil || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "xoxb") {
			t.Errorf("%+v: %v", row.config, err)
		}
	}
}

// Slack is told to read nothing into the words.
func TestNothingIsUnfurledOrLinked(t *testing.T) {
	w := newWorld(t)
	w.deliver(life()...)
	for _, m := range append(w.fake.Thread(w.root().TS), w.root()) {
		for name, want := range map[string]string{"parse": "none", "link_names": "false", "unfurl_links": "false", "unfurl_media": "false", "mrkdwn": "false"} {
			if got := m.Form.Get(name); got != want {
				t.Errorf("%s is %q in %v", name, got, m.Form)
			}
		}
	}
}

// A dead letter that is delivered once more may be older than what was told meanwhile: the thread has it, and the message
// is not turned back.
func TestARedrivenEventIsTold(t *testing.T) {
	w := newWorld(t)
	late := life()[2]
	w.deliver(append(life()[:2], life()[3:]...)...)
	w.deliver(late)
	root := w.root()
	if n := len(w.fake.Thread(root.TS)); n != 1 {
		t.Fatalf("%d replies: a repeat was told", n)
	}
	late.Redriven = true
	w.deliver(late)
	if thread := w.fake.Thread(root.TS); len(thread) != 2 || !strings.Contains(thread[1].Text, "Stalled") {
		t.Errorf("thread %+v", thread)
	}
	if root := w.root(); !strings.HasPrefix(root.Text, "Failed") || root.Changes != 0 {
		t.Errorf("%d changes to %q", root.Changes, root.Text)
	}
}

// Where the workspace lets nobody change a message after a while, the thread goes on, and no other message comes.
func TestAMessageThatCanNoLongerBeChanged(t *testing.T) {
	w := newWorld(t)
	w.deliver(life()[:3]...)
	w.fake.Faults(func(method string, _ int) fakeslack.Fault {
		if method == "chat.update" {
			return fakeslack.Fault{Error: "edit_window_closed"}
		}
		return fakeslack.Fault{}
	})
	w.deliver(life()[3:]...)
	if thread := w.fake.Thread(w.root().TS); len(thread) != 2 {
		t.Errorf("thread %+v", thread)
	}
}

// The message was posted, its answer lost, and somebody has deleted it: Slack takes its client_msg_id no more.
func TestAMessageThatWasDeletedBeforeItWasKnown(t *testing.T) {
	w := newWorld(t)
	w.fake.Faults(func(string, int) fakeslack.Fault { return fakeslack.Fault{CutAfter: true} })
	w.refuses(relay.Uncertain, life()[0])
	w.fake.Delete(w.root().TS)
	w.fake.Faults(nil)
	w.refuses(relay.Uncertain, life()[0])
	w.deliver(life()...)
	w.eachOnce(5)
}

// More than a reply holds becomes several, each within Slack's limits.
func TestVeryMuchThatPiledUp(t *testing.T) {
	w := newWorld(t)
	s, events := snapshot(1248, "Failed"), []*relay.Event{}
	for n := uint64(1); n <= 100; n++ {
		c := job.Change{Kind: job.KindFailure, Detail: job.DetailVM, To: job.Text(strings.Repeat("no 𝄞 ", 200)), VM: strings.Repeat("v", 500)}
		events = append(events, happens(n, s, c))
	}
	w.deliver(events...)
	lines := 0
	for _, m := range w.fake.Thread(w.root().TS) {
		lines += strings.Count(string(m.Blocks), "Machine failed")
	}
	if lines != 100 {
		t.Errorf("%d lines", lines)
	}
}

// Slack is slow: it posts when nobody waits for its answer any more, and after it was asked whether it has.
func TestAPostThatShowsLate(t *testing.T) {
	for name, row := range map[string]struct{ before, late, replies int }{
		"the root":       {0, 1, 1},
		"its reply":      {0, 2, 1},
		"another reply":  {2, 1, 2},
		"one after that": {3, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *Config) { c.Timeout = 500 * time.Millisecond })
			w.slack.doubt = 30 * time.Second
			for n := range row.before {
				w.deliver(life()[n])
			}
			posts := 0
			w.fake.Faults(func(method string, n int) (f fakeslack.Fault) {
				if method == "chat.postMessage" {
					if posts++; posts == row.late {
						f.Wait = time.Second
					}
				}
				return f
			})
			refused := 0
			until := time.Now().Add(20 * time.Second)
			for {
				_, err := w.slack.Deliver(t.Context(), relay.Batch{Events: life()[row.before : row.before+1]})
				if err == nil {
					break
				}
				if refused++; time.Now().After(until) {
					t.Fatal(err)
				}
			}
			if replies := w.fake.Thread(w.root().TS); len(replies) != row.replies || refused < 2 {
				t.Errorf("refused %d times, %d replies", refused, len(replies))
			}
		})
	}
}

// Slack is slow: it changes the message when nobody waits for its answer any more. What is shown later stays.
func TestAChangeThatComesLate(t *testing.T) {
	for name, again := range map[string]func(*world){
		"the same process": func(*world) {},
		"another process":  (*world).restarts,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.deliver(life()[0])
			changes := 0
			w.fake.Faults(func(method string, _ int) (f fakeslack.Fault) {
				if method == "chat.update" {
					if changes++; changes == 1 {
						f.Wait = time.Second
					}
				}
				return f
			})
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			if _, err := w.slack.Deliver(ctx, relay.Batch{Events: life()[1:2]}); err == nil {
				t.Fatal("Slack has answered")
			}
			again(w)
			w.slack.doubt = time.Hour
			if refusal := w.refuses(relay.Uncertain, life()[1:]...); refusal.After < time.Minute {
				t.Errorf("it is to be tried again after %v", refusal.After)
			}
			for until := time.Now().Add(time.Minute); w.root().Changes == 0; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(until) {
					t.Fatal("the message is never changed")
				}
			}
			w.slack.doubt = 0
			w.deliver(life()[1:]...)
			if root := w.root(); root.Changes != 2 || !strings.HasPrefix(root.Text, "Failed") {
				t.Errorf("%d changes to %q", root.Changes, root.Text)
			}
		})
	}
}
