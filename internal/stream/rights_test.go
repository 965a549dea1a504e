package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/conf"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/testing/slow"
)

// rights are what a role may do.
type rights struct{ publish, subscribe []string }

// all gives each right as "publish subject" or "subscribe subject".
func (r rights) all() (all []string) {
	for _, subject := range r.publish {
		all = append(all, "publish "+subject)
	}
	for _, subject := range r.subscribe {
		all = append(all, "subscribe "+subject)
	}
	return all
}

func (r rights) without(right string) rights {
	action, subject, _ := strings.Cut(right, " ")
	other := func(s string) bool { return s == subject }
	if action == "publish" {
		r.publish = slices.DeleteFunc(slices.Clone(r.publish), other)
	} else {
		r.subscribe = slices.DeleteFunc(slices.Clone(r.subscribe), other)
	}
	return r
}

// documented are the rights that docs/nats.md lists for a role: in the server's configuration, and as the options of nats
// auth, which have to be the same.
func documented(t *testing.T, role string) rights {
	t.Helper()
	text, err := os.ReadFile("../../docs/nats.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n### "+role+"\n")
	if !found {
		t.Fatalf("docs/nats.md has no role called %q", role)
	}
	section, _, _ = strings.Cut(section, "\n#")
	blocks := regexp.MustCompile("(?s)```(?:sh)?\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(blocks) != 2 {
		t.Fatalf("%s: %d blocks, want a configuration and a command", role, len(blocks))
	}
	parsed, err := conf.Parse(blocks[0][1])
	if err != nil {
		t.Fatalf("%s: %v", role, err)
	}
	permissions := parsed["permissions"].(map[string]any)
	r := rights{texts(permissions["publish"]), texts(permissions["subscribe"])}
	var options []string
	for _, option := range regexp.MustCompile(`--(pub|sub)-allow '([^']+)'`).FindAllStringSubmatch(blocks[1][1], -1) {
		options = append(options, map[string]string{"pub": "publish ", "sub": "subscribe "}[option[1]]+option[2])
	}
	if !slices.Equal(options, r.all()) {
		t.Errorf("%s: the command gives the rights\n%q, and the configuration\n%q", role, options, r.all())
	}
	return r
}

func texts(list any) (all []string) {
	for _, item := range list.([]any) {
		all = append(all, item.(string))
	}
	return all
}

// violations are what a server has refused.
type violations struct {
	mu  sync.Mutex
	all []string
}

func (v *violations) Errorf(format string, args ...any) {
	if line := fmt.Sprintf(format, args...); strings.Contains(line, "Violation") {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.all = append(v.all, line)
	}
}

func (v *violations) Noticef(string, ...any) {}
func (v *violations) Warnf(string, ...any)   {}
func (v *violations) Fatalf(string, ...any)  {}
func (v *violations) Debugf(string, ...any)  {}
func (v *violations) Tracef(string, ...any)  {}

func (v *violations) list() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.all)
}

// restricted runs a server whose user jobwatch has these rights, and admin all.
func restricted(t *testing.T, r rights) (*server.Server, *violations) {
	t.Helper()
	list := func(subjects []string) string {
		return `["` + strings.Join(append([]string{"nothing"}, subjects...), `", "`) + `"]` // an empty list would be all
	}
	srv, _ := configured(t, fmt.Sprintf(`accounts {A {jetstream: enabled, users: [{user: admin, password: x},
		{user: jobwatch, password: x, permissions: {publish: %s, subscribe: %s}}]}}`, list(r.publish), list(r.subscribe)))
	v := new(violations)
	srv.SetLoggerV2(v, false, false, false)
	return srv, v
}

// said collects what somebody would read who has to find out what is wrong.
type said struct {
	t      *testing.T
	srv    *server.Server
	domain string
	mu     sync.Mutex
	text   []string
}

// err notes an error, if it is one.
func (s *said) err(err error) {
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.text = append(s.text, strings.Split(err.Error(), "\n")...)
	}
}

func (s *said) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.text)
}

// names says whether the right is named as the one that lacks.
func (s *said) names(right string) bool {
	_, subject, _ := strings.Cut(right, " ")
	return slices.ContainsFunc(s.lines(), func(line string) bool {
		if !strings.Contains(line, "no right") && !strings.Contains(line, "Permissions Violation") {
			return false
		}
		return slices.ContainsFunc(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" :;,\"", r) }), func(word string) bool {
			return word == subject || strings.Contains(word, ".") && server.IsValidSubject(word) && server.SubjectMatchesFilter(word, subject)
		})
	})
}

// broker is the role's connection, and what it logs.
func (s *said) broker(change func(*Config)) *Broker {
	s.t.Helper()
	cfg := s.config()
	cfg.Log = logTo(s)
	change(&cfg)
	b := run(s.t, cfg)
	if _, err := b.Ready(soon(s.t)); err != nil {
		s.err(err)
		return nil
	}
	return b
}

func (s *said) config() Config {
	return Config{URL: s.srv.ClientURL(), User: "jobwatch", Password: "x", Domain: s.domain, Samples: []string{sample}}
}

// client is the role's connection where it is no watcher.
func (s *said) client() *nats.Conn {
	s.t.Helper()
	return client(s.t, s.srv, nats.UserInfo("jobwatch", "x"), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.err(err) }))
}

func (s *said) admin() *nats.Conn {
	s.t.Helper()
	return client(s.t, s.srv, nats.UserInfo("admin", "x"))
}

// roles are those of docs/nats.md, and all that each of them does.
var roles = map[string]func(s *said){
	"A watcher":             func(s *said) { s.watches(s.broker(func(*Config) {})) },
	"A watcher with relays": func(s *said) { b := s.broker(func(*Config) {}); s.watches(b); s.relays(b) },
	"A member of a cluster": func(s *said) { b := s.broker(func(*Config) {}); s.watches(b); s.shares(b) },
	"A subscriber":          (*said).subscribes,
	"At the desk":           (*said).asks,
}

func TestTheRightsThatAreDocumented(t *testing.T) {
	slow.Test(t, "3 s", "a server for each role, and a watcher, a subscriber and others that do all that they do")
	for role, does := range roles {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			srv, refused := restricted(t, documented(t, role))
			s := &said{t: t, srv: srv}
			does(s)
			if all := refused.list(); len(all) > 0 {
				t.Errorf("the server refused:\n%s", strings.Join(all, "\n"))
			}
			if all := s.lines(); len(all) > 0 {
				t.Errorf("said:\n%s", strings.Join(all, "\n"))
			}
		})
	}
}

// TestARightThatLacksIsNamed: of each right that is documented somebody says that it lacks, once it does.
func TestARightThatLacksIsNamed(t *testing.T) {
	slow.Test(t, "15 s", "a server for each right of each role, and what is said where that one is missing")
	t.Parallel()
	watcher := documented(t, "A watcher").all()
	for role, does := range roles {
		has := documented(t, role)
		for _, right := range has.all() {
			if (role == "A watcher with relays" || role == "A member of a cluster") && slices.Contains(watcher, right) {
				continue // what they do without it is a watcher's
			}
			t.Run(role+" without "+right, func(t *testing.T) {
				t.Parallel()
				srv, refused := restricted(t, has.without(right))
				s := &said{t: t, srv: srv}
				does(s)
				if !s.names(right) {
					t.Errorf("the server refused:\n%s\nand said was:\n%s", strings.Join(refused.list(), "\n"), strings.Join(s.lines(), "\n"))
				}
			})
		}
	}
}

// watches does all that a watcher does, as far as it gets.
func (s *said) watches(b *Broker) {
	if b == nil {
		return
	}
	ctx := soon(s.t)
	_, err := b.Publish(ctx, event(1, "a", 0))
	s.err(err)
	_, err = b.Publish(ctx, Outgoing{Subject: "commcells.prod.unreachable", Filter: "commcells.prod.>", ID: "b"})
	s.err(err)
	_, err = b.Last(ctx, "jobs.prod.1.>")
	s.err(err)
	_, err = b.Scan(ctx, 0, func(Message) error { return nil })
	s.err(err)
	s.err(b.ReadUpTo(ctx, Start{Sequence: 1, Subjects: []string{"jobs.other.>"}}, 2, func(Message) error { return nil }))
	_, err = b.SequenceAt(ctx, time.Now())
	s.err(err)
	s.err(b.CheckRoute(ctx, sample))
	s.answers(b)
	for _, f := range Probe(ctx, s.config()) {
		if f.Grade != OK {
			s.err(errors.New(f.Text))
		}
	}
}

// answers has the watcher asked, by somebody who may, until it answers or says why not.
func (s *said) answers(b *Broker) {
	runs(s.t, func(ctx context.Context) error { return b.Serve(ctx, echo("jobwatch.prod.job")) })
	asker := s.admin()
	until(s.t, "it answers, or says why not", func() bool {
		for _, subject := range []string{"jobwatch.prod.job", "$SRV.PING"} {
			if _, err := asker.Request(subject, []byte("{}"), 100*time.Millisecond); err != nil {
				return strings.Contains(strings.Join(s.lines(), "\n"), "requests")
			}
		}
		return true
	})
}

func (s *said) relays(b *Broker) {
	if b == nil {
		return
	}
	relayed(s.t, b, s.err)
}

func (s *said) shares(b *Broker) {
	if b == nil {
		return
	}
	k, ctx := b.Bucket("JOBS_cluster"), soon(s.t)
	_, err := k.Get(ctx, "member.w1")
	s.err(err)
	revision, err := k.Put(ctx, Entry{Key: "member.w1", Value: []byte("{}")})
	s.err(err)
	_, err = k.Entries(ctx, "member.>")
	s.err(err)
	_, err = k.Since(ctx, 0)
	s.err(err)
	if s.domain != "" { // no leaf node lets what is written come back
		s.err(k.Delete(ctx, "member.w1", revision))
		return
	}
	heard := make(chan struct{}, 100)
	runs(s.t, func(ctx context.Context) error {
		k.Hear(ctx, []string{"member.>"}, func() { heard <- struct{}{} })
		return nil
	})
	until(s.t, "it hears, or somebody says why not", func() bool {
		next, err := k.Put(ctx, Entry{Key: "member.w1", Value: []byte("{}"), Revision: revision})
		if err != nil {
			s.err(err)
			return true
		}
		revision = next
		select {
		case <-heard:
			return true
		case <-time.After(50 * time.Millisecond):
			return len(s.lines()) > 0
		}
	})
	s.err(k.Delete(ctx, "member.w1", revision))
}

// subscribes makes a consumer, and takes an event through it, and others as they come.
func (s *said) subscribes() {
	fill(s.t, use(s.t, s.srv, func(c *Config) { c.User, c.Password = "admin", "x" }), 3)
	admin, nc := s.admin(), s.client()
	arrived := make(chan *nats.Msg, 100)
	for _, subject := range []string{"jobs.>", "commcells.>"} {
		_, err := nc.ChanSubscribe(subject, arrived)
		s.err(err)
	}
	until(s.t, "events come, or it is said why not", func() bool {
		s.err(admin.Publish("jobs.prod.1.fall.state.running", nil))
		s.err(admin.Publish("commcells.prod.reachable", nil))
		var seen []string
		for len(seen) < 2 && len(s.lines()) == 0 {
			select {
			case m := <-arrived:
				seen = append(seen, m.Subject)
			case <-time.After(20 * time.Millisecond):
				return false
			}
		}
		return true
	})
	ctx, stop := context.WithCancel(soon(s.t))
	defer stop()
	s.err(s.consumes(ctx, nc, jetstream.ConsumerConfig{Durable: "siem", FilterSubjects: []string{"jobs.>", "commcells.>"}}))
	s.err(s.consumes(ctx, nc, jetstream.ConsumerConfig{Durable: "siem", FilterSubject: "jobs.>"}))
}

// consumes makes the consumer or finds it, and takes and settles an event.
func (s *said) consumes(ctx context.Context, nc *nats.Conn, c jetstream.ConsumerConfig) error {
	before := len(s.lines())
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // else it waits for what the server has refused
		for ctx.Err() == nil && len(s.lines()) == before {
			sleep(ctx, 10*time.Millisecond)
		}
		stop()
	}()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	if _, err := js.CreateOrUpdateConsumer(ctx, "JOBS", c); err != nil {
		return err
	}
	consumer, err := js.Consumer(ctx, "JOBS", "siem")
	if err != nil {
		return err
	}
	m, err := consumer.Next(jetstream.FetchContext(ctx))
	if err != nil {
		return err
	}
	return m.DoubleAck(ctx)
}

// asks does what watcher tail, wait and replay do, and asks a watcher.
func (s *said) asks() {
	watcher := use(s.t, s.srv, func(c *Config) { c.User, c.Password = "admin", "x" })
	runs(s.t, func(ctx context.Context) error { return watcher.Serve(ctx, echo("jobwatch.prod.job")) })
	fill(s.t, watcher, 3)
	for _, subject := range []string{"jobwatch.prod.job", "$SRV.PING"} {
		ask(s.t, s.admin(), subject, "{}")
	}
	if b := s.broker(func(c *Config) { c.ReadOnly = true }); b != nil {
		ctx := soon(s.t)
		s.err(b.ReadPart(ctx, Start{Since: time.Now().Add(-time.Hour)}, func(Message) error { return nil }))
		s.err(b.ReadPart(ctx, Start{Since: time.Now().Add(-time.Hour), Subjects: []string{"jobs.other.>"}}, func(Message) error { return nil })) // none is there
		_, err := b.Last(ctx, "jobs.prod.1.>")
		s.err(err)
		s.err(b.Send(ctx, "replay.failures", nil, nil))
	}
	nc := s.client()
	for _, subject := range []string{"jobwatch.prod.job", "$SRV.PING"} {
		_, err := nc.Request(subject, []byte("{}"), 500*time.Millisecond)
		s.err(err)
	}
	s.err(nc.LastError())
}

// logTo notes warnings and errors.
func logTo(s *said) *slog.Logger {
	return slog.New(slog.NewTextHandler(writer(func(line []byte) (int, error) {
		s.err(errors.New(strings.ReplaceAll(strings.TrimSpace(string(line)), `\"`, `"`)))
		return len(line), nil
	}), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// relayed does all that a relay does.
func relayed(t *testing.T, b *Broker, note func(error)) {
	t.Helper()
	ctx := soon(t)
	k, l := b.Bucket("JOBS_RELAY_STATE"), b.Log("JOBS_RELAYS", []string{"relays.>"})
	for _, do := range []func() error{
		func() error { _, err := k.Get(ctx, "ops"); return err },
		func() error { _, err := k.Put(ctx, Entry{Key: "ops", Value: []byte("{}")}); return err },
		func() error { _, err := l.Append(ctx, Record{Subject: "relays.ops.state"}, false); return err },
		func() error { return l.Each(ctx, "relays.>", func(Record) error { return nil }) },
		func() error { _, err := l.Count(ctx, "relays.>"); return err },
		func() error { return l.Remove(ctx, "relays.ops.state") },
		func() error { return claimedAndSettled(ctx, b) },
	} {
		note(do())
	}
}

// A relay that is to begin elsewhere has its consumer removed.
func TestARelayThatMayNotRemoveItsConsumer(t *testing.T) {
	srv, _ := restricted(t, documented(t, "A watcher with relays").without("publish $JS.API.CONSUMER.DELETE.JOBS.>"))
	b := use(t, srv, func(c *Config) { c.User, c.Password = "jobwatch", "x" })
	began := time.Now()
	_, _, err := b.Claim(soon(t), Durable{Name: "relay-ops", Subjects: []string{"jobs.>"}, AckWait: time.Second, Window: 10, Anew: true})
	if err == nil || !strings.Contains(err.Error(), "$JS.API.CONSUMER.DELETE.JOBS.relay-ops: no right") {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

func claimedAndSettled(ctx context.Context, b *Broker) error {
	c, _, err := b.Claim(ctx, Durable{Name: "relay-ops", Subjects: []string{"jobs.>"}, AckWait: 100 * time.Millisecond, Window: 10})
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		briefly, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		ds, err := c.Next(briefly, 10)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		for _, d := range ds {
			c.Settle(d)
		}
		info, err := c.Info(ctx)
		if err != nil || info.Pending+uint64(info.Unsettled) == 0 {
			return err
		}
	}
}

// TestTheDocumentsServerIsTaken: nats-server reads the configuration that docs/nats.md has somebody begin with.
func TestTheDocumentsServerIsTaken(t *testing.T) {
	text, err := os.ReadFile("../../docs/nats.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## A server of your own\n")
	_, block, _ := strings.Cut(section, "```\n")
	block, _, _ = strings.Cut(block, "```")
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(block), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !options.JetStream || !options.SyncAlways || options.MaxPayload < 1_000_000 || len(options.Users) != 1 {
		t.Errorf("jetstream %v, sync always %v, max_payload %d, %d users", options.JetStream, options.SyncAlways, options.MaxPayload, len(options.Users))
	}
}
