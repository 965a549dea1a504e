package stream

import (
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

func TestProbe(t *testing.T) {
	fits := jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>", "commcells.>"}, MaxAge: 0}
	for name, row := range map[string]struct {
		server func(*server.Options)
		stream *jetstream.StreamConfig
		want   []string // grade, what, and a part of the text
	}{
		"nothing there yet": {want: []string{
			"ok NATS: is nats-server 2.", "ok stream: JOBS is not there yet; run makes it", "ok rights: may publish to jobs.>"}},
		"a stream that fits": {stream: &fits, want: []string{
			"ok NATS: ", "ok stream: JOBS fits, and holds 0 events", "ok rights: may publish to jobs.>", "ok rights: may read JOBS"}},
		"a stream that differs": {
			stream: &jetstream.StreamConfig{Name: "JOBS", Subjects: fits.Subjects, Storage: jetstream.MemoryStorage},
			want: []string{"ok NATS: ", "ok stream: JOBS fits", "warning stream: stream JOBS: storage is memory",
				"ok rights: may publish", "ok rights: may read"}},
		"a stream of other subjects": {
			stream: &jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"mine"}},
			want:   []string{"ok NATS: ", "failed stream: stream JOBS: subjects are mine, needs jobs.>, commcells.>; mend with: "}},
		"another stream with our subjects": {
			stream: &jetstream.StreamConfig{Name: "THEIRS", Subjects: []string{"jobs.>"}},
			want:   []string{"ok NATS: ", "failed stream: stream JOBS cannot be made: stream THEIRS holds subjects of jobs.>", "ok rights: may publish"}},
		"no right to publish": {
			server: user("jobwatch", "jobs.>"), stream: &fits,
			want: []string{"ok NATS: ", "ok stream: ", "failed rights: publish: jobs.check.0.-.watch.check: no right; allow jobwatch's NATS user"}},
		"no right to publish, no stream": {
			server: user("jobwatch", "jobs.>"),
			want:   []string{"ok NATS: ", "ok stream: ", "failed rights: publish: jobs.check.0.-.watch.check: no right"}},
		"no right to read": {
			server: user("jobwatch", "$JS.API.STREAM.MSG.GET.>"), stream: &fits,
			want: []string{"ok NATS: ", "ok stream: ", "ok rights: may publish", "failed rights: read stream JOBS: $JS.API.STREAM.MSG.GET.JOBS: no right"}},
		"no right to look": {
			server: user("jobwatch", "$JS.API.STREAM.INFO.>"),
			want:   []string{"ok NATS: ", "failed stream: $JS.API.STREAM.INFO.JOBS: no right"}},
		"no JetStream": {
			server: func(o *server.Options) { o.JetStream = false },
			want:   []string{"ok NATS: ", "failed stream: NATS without JetStream"}},
		"other credentials": {
			server: user("somebody"),
			want:   []string{"failed NATS: credentials refused"}},
		"small messages": {
			server: func(o *server.Options) { o.MaxPayload, o.MaxPending = 1000, 1<<20 }, stream: &fits,
			want: []string{"ok NATS: ", "ok stream: ", "warning stream: max_payload is 1000", "ok rights: ", "ok rights: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, orNothing(row.server))
			cfg := Config{URL: srv.ClientURL(), User: "jobwatch", Password: "secret"}
			if row.stream != nil {
				makeStream(t, admin(t, run(t, cfg)), *row.stream)
			}
			got := Probe(soon(t), cfg)
			if len(got) != len(row.want) {
				t.Fatalf("got %q, want %q", got, row.want)
			}
			for i, want := range row.want {
				head, part, _ := strings.Cut(want, ": ")
				if string(got[i].Grade)+" "+got[i].What != head || !strings.Contains(got[i].Text, part) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
		})
	}
}

func TestProbeMakesNothing(t *testing.T) {
	srv := startServer(t)
	Probe(soon(t), Config{URL: srv.ClientURL()})
	b := run(t, Config{URL: srv.ClientURL()})
	js := admin(t, b)
	for name := range js.StreamNames(soon(t)).Name() {
		t.Errorf("there is a stream %s now", name)
	}
	ready(t, b)
	Probe(soon(t), Config{URL: srv.ClientURL()})
	if is, err := b.Info(soon(t)); err != nil || is.Last != 0 {
		t.Errorf("the stream holds %+v (%v)", is, err)
	}
}

func TestReadOnly(t *testing.T) {
	srv := startServer(t)
	reader := run(t, Config{URL: srv.ClientURL(), ReadOnly: true})
	_, err := reader.Ready(soon(t))
	expectMisfit(t, err, []string{"stream JOBS: not there yet; start the watcher, which makes it"})
	makeStream(t, admin(t, reader), jetstream.StreamConfig{Name: "JOBS", Subjects: []string{"jobs.>"}, MaxMsgsPerSubject: 1})
	ready(t, reader)
}
