package endtoend

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/fakeslack"
	"jobwatch/internal/testing/nameserver"
	"jobwatch/internal/testing/slow"
)

// TestRelaysUnderFire has one process relay to a webhook, to Slack and to an audit log, and kills it at random, while the
// receivers fail in every way: each event has to arrive, in the order of its job, and none may become a dead letter.
// JOBWATCH_RELAY_FIRE=200 kills it so many times, and has everybody refused for a whole minute.
func TestRelaysUnderFire(t *testing.T) {
	slow.Test(t, "1 min", "each kill costs a lease and an AckWait")
	t.Parallel()
	f := newFire(t)
	for round := range f.kills {
		f.begin(round)
		f.startRelays()
		f.killAtRandom()
		f.end(round)
	}
	delivered := strings.Count(f.jobs.said.String(), "relay delivers")
	f.startRelays()
	f.jobs.until("it delivers", func() bool { return strings.Count(f.jobs.said.String(), "relay delivers") >= delivered+3 })
	f.child.stop(t)
	f.startRelays()
	f.jobs.stop() // what the stream holds is all that there will be
	events := f.jobs.read()
	f.jobs.until("the webhook has taken all", func() bool { return f.to.distinct() == len(events) }, f.status)
	f.jobs.until("Slack shows all", func() bool { return f.unshown(events) == "" }, func() string { return f.unshown(events) }, f.status)
	f.jobs.until("the audit log has all", func() bool { return f.logged() == len(events) }, f.status)
	f.jobs.until("nothing waits", func() bool { return strings.Count(f.status(), `"pending": 0,`) == 3 }, f.status)
	f.child.kill()

	f.to.judge(t, events, f.kills*fireSlots)
	f.judgeSlack(events)
	f.judgeAudit(events)
	for _, name := range []string{"hook", "chat", "trail"} {
		if dead := typed(t, "relay", "dead", name, "-c", f.jobs.config, "-o", "json").Succeeds(t).Out; strings.TrimSpace(dead) != "[]" {
			t.Errorf("dead letters of what time alone would have delivered: %s", dead)
		}
	}
}

const fireSlots = 16

// fire is a world whose relays are killed.
type fire struct {
	t     *testing.T
	kills int
	jobs  *world
	names *nameserver.Server
	to    *fireReceiver
	slack *fakeslack.Server
	trail string // the audit log's folder
	child *relayChild
}

func newFire(t *testing.T) *fire {
	f := &fire{t: t, kills: 3, names: nameserver.New(t), slack: fakeslack.New(t)}
	if more, err := strconv.Atoi(os.Getenv("JOBWATCH_RELAY_FIRE")); err == nil {
		f.kills = more
	}
	clock := &lifeClock{step: 30 * time.Millisecond}
	f.jobs = newWorld(t, 200, sim.New(sim.Config{Seed: 200, Jobs: 20, Arrivals: 0.02, Clock: clock.now}), clock.turnedBy)
	f.jobs.clock = clock
	secret := base64.StdEncoding.EncodeToString([]byte("a secret of twenty-four bytes or more"))
	f.to = newFireReceiver(t, "whsec_"+secret)
	f.names.LeadsTo(fireAddress)
	f.slack.Faults(slackFault)
	f.trail = filepath.Join(f.jobs.dir, "trail")
	f.jobs.relay(`  - {name: hook, subjects: ["jobs.>"], start: all, timeout: 3s, webhook: {url: "http://hooks.example.com:%s/", allow: [%s], allow_http: true, secret_files: [%q]}}
  - {name: chat, subjects: ["jobs.>"], start: all, timeout: 3s, slack: {token_file: %q, channel: %s, api_url: %q, broadcast: [failed]}}
  - {name: trail, subjects: ["jobs.>"], start: all, audit: {dir: %q, rotate: {size: 64KiB}}}
`, f.to.port, fireAddress, f.jobs.keep("whsec", "whsec_"+secret), f.jobs.keep("token", fakeslack.Token), fakeslack.Channel, f.slack.URL, f.trail)
	f.jobs.child = f.jobs.command(&f.jobs.said, "run", "--no-relays")
	clock.run(10)
	return f
}

// begin is what goes wrong in a round, beside the kill at its end.
func (f *fire) begin(round int) {
	switch round % 10 {
	case 1:
		f.names.LeadsTo("127.0.0.1")
	case 4:
		f.to.set(func() { f.to.gone = true })
	case 7:
		lasts := 5 * time.Second
		if round == 7 {
			lasts = time.Minute
		}
		f.to.set(func() { f.to.lockout = time.Now().Add(lasts) })
		f.slack.Accept()
		time.AfterFunc(lasts, func() { f.slack.Accept(fakeslack.Token) })
	}
}

// end undoes what does not end by itself.
func (f *fire) end(round int) {
	switch round % 10 {
	case 1:
		f.names.LeadsTo(fireAddress)
	case 4:
		f.startRelays()
		f.jobs.until("a 410 has turned it off", func() bool { return strings.Contains(f.status(), `"state": "off"`) }, f.status)
		f.to.set(func() { f.to.gone = false })
		typed(f.t, "relay", "on", "hook", "-c", f.jobs.config).Succeeds(f.t)
	}
}

// relayChild is a process that relays.
type relayChild struct{ *exec.Cmd }

func (f *fire) startRelays() {
	f.t.Helper()
	f.child.kill()
	c := exec.CommandContext(f.t.Context(), "watcher", "relay", "run", "--http", "127.0.0.1:0", "-c", f.jobs.config)
	c.Env = append(os.Environ(), nameServerVariable+"="+f.names.Address())
	c.Stderr = &f.jobs.said
	if err := c.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.child = &relayChild{c}
}

func (c *relayChild) kill() {
	if c != nil {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

// stop stops it as an administrator does.
func (c *relayChild) stop(t *testing.T) {
	t.Helper()
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Errorf("SIGTERM ends it with %v", err)
	}
}

// killAtRandom kills it while it claims what was delivered before, or after some more was delivered.
func (f *fire) killAtRandom() {
	arrived := func() int { return f.to.count() + len(f.slack.Calls()) }
	before, until := arrived(), time.Now().Add(15*time.Second)
	if f.jobs.random.IntN(4) == 0 {
		before, until = 1<<40, time.Now().Add(time.Duration(f.jobs.random.IntN(12_000))*time.Millisecond)
	}
	more := 1 + f.jobs.random.IntN(60)
	f.jobs.until("it is time to kill", func() bool { return arrived() >= before+more || time.Now().After(until) })
	f.child.kill()
	f.child = nil
}

func (f *fire) status() string {
	return typed(f.t, "relay", "status", "-c", f.jobs.config, "-o", "json").Out
}

// roots are the messages of jobs.
func (f *fire) roots() map[int64][]fakeslack.Message {
	f.t.Helper()
	of := map[int64][]fakeslack.Message{}
	for _, root := range f.slack.Roots() {
		var metadata struct {
			Payload struct{ Key string } `json:"event_payload"`
		}
		if err := json.Unmarshal(root.Metadata, &metadata); err != nil {
			f.t.Fatal(err)
		}
		job, err := strconv.ParseInt(strings.TrimPrefix(metadata.Payload.Key, "job.sim."), 10, 64)
		if err != nil {
			f.t.Fatalf("%s: %v", root.Metadata, err)
		}
		of[job] = append(of[job], root)
	}
	return of
}

func lastStates(events []received) map[int64]string {
	states := map[int64]string{}
	for _, e := range events {
		if change, is := strings.CutPrefix(e.what, "state: "); is {
			_, states[e.job], _ = strings.Cut(change, " → ")
		}
	}
	return states
}

// unshown are the jobs whose last state is not in their message, with what is.
func (f *fire) unshown(events []received) string {
	roots := f.roots()
	var b strings.Builder
	for job, state := range lastStates(events) {
		if len(roots[job]) == 0 {
			fmt.Fprintf(&b, "job %d is %s, and has no message\n", job, state)
		} else if root := roots[job][0]; !strings.Contains(root.Text, state) {
			fmt.Fprintf(&b, "job %d is %s: %s, changed %d times, %s\n", job, state, root.Text, root.Changes, root.Metadata)
		}
	}
	return b.String()
}

// judgeSlack: each job has one message, and no line of its thread stands there twice.
func (f *fire) judgeSlack(events []received) {
	f.t.Helper()
	jobs := lastStates(events)
	replies := 0
	for job, roots := range f.roots() {
		if len(roots) > 1 || jobs[job] == "" {
			f.t.Errorf("job %d has %d messages, and is %q", job, len(roots), jobs[job])
		}
		thread := f.slack.Thread(roots[0].TS)
		replies += len(thread)
		for n, reply := range thread {
			if slices.ContainsFunc(thread[:n], func(before fakeslack.Message) bool { return string(before.Metadata) == string(reply.Metadata) }) {
				f.t.Errorf("job %d is told twice: %s", job, reply.Text)
			}
		}
	}
	f.t.Logf("Slack: %d jobs, %d replies, %d calls", len(jobs), replies, len(f.slack.Calls()))
}

// logged is how many lines the audit log has.
func (f *fire) logged() int {
	var report struct{ Size int }
	_ = json.Unmarshal([]byte(typed(f.t, "audit", "verify", f.trail, "-o", "json").Out), &report)
	return report.Size
}

// judgeAudit: the log holds, each event stands in it once, and none is missing.
func (f *fire) judgeAudit(events []received) {
	f.t.Helper()
	typed(f.t, "audit", "verify", f.trail, "-c", f.jobs.config).Succeeds(f.t)
	times := map[string]int{}
	for line := range strings.Lines(typed(f.t, "audit", "export", f.trail).Succeeds(f.t).Out) {
		var l struct{ Event struct{ ID string } }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			f.t.Fatal(err)
		}
		times[l.Event.ID]++
	}
	for _, e := range events {
		if times[e.id] != 1 {
			f.t.Errorf("%s stands %d times in the audit log", e.id, times[e.id])
		}
		delete(times, e.id)
	}
	if len(times) > 0 {
		f.t.Errorf("made up in the audit log: %v", times)
	}
	eachMessage(f.t, f.jobs.jetStream(), "JOBS_RELAYS", "relays.trail.checkpoint", func(m jetstream.Msg) {
		if !strings.Contains(string(m.Data()), "\n\n— ") {
			f.t.Errorf("published as a checkpoint: %s", m.Data())
		}
	})
	f.t.Logf("audit: %d events", len(events))
}

// slackFault is what goes wrong with a call of Slack's, by its number.
func slackFault(_ string, n int) fakeslack.Fault {
	switch (n * 7919) % 61 {
	case 0:
		return fakeslack.Fault{Status: 429, Error: "ratelimited", RetryAfter: "1"}
	case 1:
		return fakeslack.Fault{Status: 500}
	case 2:
		return fakeslack.Fault{Cut: true}
	case 3:
		return fakeslack.Fault{CutAfter: true}
	case 4:
		return fakeslack.Fault{Wait: 4 * time.Second} // and then it is done
	case 5:
		return fakeslack.Fault{Error: "fatal_error"}
	}
	return fakeslack.Fault{}
}

// fireAddress is where the webhook's name leads, when it does not lead to this machine itself.
const fireAddress = "127.0.0.2"
