package stream

import "testing"

// documented are the rights that docs/nats.md names.
const documented = `users: [{user: admin, password: x}, {user: jobwatch, password: x, permissions: {
	publish: ["jobs.>", "commcells.>", "_INBOX.>", "$JS.API.INFO", "$JS.API.STREAM.INFO.JOBS", "$JS.API.STREAM.CREATE.JOBS",
		"$JS.API.STREAM.NAMES", "$JS.API.STREAM.MSG.GET.JOBS", "$JS.API.CONSUMER.*.JOBS.>",
		"$JS.API.CONSUMER.MSG.NEXT.JOBS.>", "$JS.API.CONSUMER.NAMES.JOBS"]
	subscribe: ["_INBOX.>"]}}]`

func TestTheRightsThatAreDocumented(t *testing.T) {
	srv, _ := configured(t, "accounts {A {jetstream: enabled, "+documented+"}}")
	cfg := Config{URL: srv.ClientURL(), User: "jobwatch", Password: "x", Samples: []string{sample}}
	b := use(t, srv, func(c *Config) { c.User, c.Password = cfg.User, cfg.Password })
	fill(t, b, 10)
	if err := b.CheckRoute(soon(t), sample); err != nil {
		t.Error(err)
	}
	read := 0
	if _, err := b.Scan(soon(t), 0, func(Message) error { read++; return nil }); err != nil || read != 10 {
		t.Errorf("read %d: %v", read, err)
	}
	s, err := b.usable()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.nc.LastError(); err != nil {
		t.Errorf("refused: %v", err)
	}
	for _, f := range Probe(soon(t), cfg) {
		if f.Grade != OK {
			t.Errorf("check says %s %s: %s", f.Grade, f.What, f.Text)
		}
	}
}
