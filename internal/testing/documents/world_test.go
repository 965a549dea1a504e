package documents

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/testing/ports"
)

// patience is how long a busy machine may take for one command.
const patience = 2 * time.Minute

// world is a folder, and a simulated CommServe in the place of cs.example.com.
type world struct {
	t         *testing.T
	dir       string // where the reader stands; cd leads elsewhere
	home      string
	fixed     *strings.Replacer // for what stands fixed in the documents, that of here
	page      string
	nats      string
	commServe string
	receiver  string // of the relay hello
	jobs      int    // made in the CommServe
	receives  *http.Server
	watcher   *process // watcher run
}

func newWorld(t *testing.T) *world {
	t.Helper()
	at := func() string { return "127.0.0.1:" + strconv.Itoa(ports.Free(t)) }
	w := &world{t: t, home: t.TempDir(), page: at(), nats: at(), commServe: at(), receiver: at()}
	w.dir = w.home
	own := at()
	for _, folder := range []string{"etc/secrets", "elsewhere"} {
		if err := os.MkdirAll(filepath.Join(w.home, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.fixed = strings.NewReplacer(
		"127.0.0.1:9480", w.page, "ADDR/", w.page+"/", "127.0.0.1:4222", w.nats, "127.0.0.1:8081", own,
		`"127.0.0.1", 9000`, strings.Replace(`"`+w.receiver, ":", `", `, 1),
		"https://cs.example.com", "http://"+w.commServe, "watcher sim", "watcher sim --listen "+own,
		"/etc/jobwatch", w.home+"/etc", "/var/backups", w.home+"/elsewhere", "/mnt/elsewhere", w.home+"/elsewhere", "/tmp/record", w.home+"/record",
		"trail.2026-11-29", "trail.$(date +%F)", " NAME", " hello", "--for 30m", "--for 3s",
		"curl ", "curl --fail ",
	)
	w.stays("watcher sim --speed 10 --listen "+w.commServe, w.listens(w.commServe))
	w.job(`{"id":1248,"kind":"virtual-server","client":"fall.example.com","steps":[{"after":"-20m","state":"Running","phase":"Backup","vms":[{"name":"dc-01"},{"name":"web-02"}]},
		{"after":"0s","state":"Completed w/ one or more errors","vms":[{"name":"dc-01"},{"name":"web-02","reason":"No snapshot."}]}]}`)
	w.job(`{"id":1249,"client":"sql-01","steps":[{"after":"-20m","state":"Running","phase":"Backup"}]}`)
	w.fails()
	w.write("given.yaml", fmt.Sprintf(`commcells:
  - name: prod
    url: http://%s/webconsole/api
    auth: {username: watcher, password: watcher}
    schedule: "@every 1s"
relays:
  - name: hello
    webhook: {url: "http://%s/", allow_http: true, allow: [127.0.0.0/8]}
  - name: trail
    start: all
    audit: {}
`, w.commServe, w.receiver))
	return w
}

// job makes one in the CommServe.
func (w *world) job(said string) {
	w.t.Helper()
	r, err := http.Post("http://"+w.commServe+"/sim/jobs", "application/json", strings.NewReader(said)) //nolint:noctx // a test's own
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode >= 300 {
		w.t.Fatalf("%s: %s", said, r.Status)
	}
}

// fails lets a job fail in three seconds.
func (w *world) fails() {
	w.t.Helper()
	w.jobs++
	w.job(fmt.Sprintf(`{"id":%d,"client":"sql-02","steps":[{"after":"-20m","state":"Running","phase":"Backup"},
		{"after":"30s","state":"Failed","reason":"No drive is free.","code":"19:599"}]}`, 5000+w.jobs))
}

// watches begins where most documents do: a watcher runs, and has told something.
func (w *world) watches() {
	if err := os.Rename(filepath.Join(w.dir, "given.yaml"), filepath.Join(w.dir, "watcher.yaml")); err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	w.receives = &http.Server{Addr: w.receiver, ReadHeaderTimeout: patience}
	go func() { _ = w.receives.ListenAndServe() }()
	w.t.Cleanup(func() { w.receives.Close() })
	w.await("the receiver", w.listens(w.receiver))
	w.start("watcher run")
	w.await("events in the audit trail", func() bool {
		b, err := os.ReadFile(filepath.Join(w.dir, "data/audit/trail/checkpoint"))
		lines := strings.Split(string(b), "\n")
		if err != nil || len(lines) < 2 {
			return false
		}
		n, err := strconv.Atoi(lines[1])
		return err == nil && n > 20
	})
}

// settle gives page and NATS of the configuration here ports that nobody else has.
func (w *world) settle() {
	file := filepath.Join(w.dir, "watcher.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		return // there is none yet
	}
	said := string(b)
	said = strings.ReplaceAll(said, `# embedded: {listen: "127.0.0.1:4222"`, `embedded: {listen: "127.0.0.1:4222"`)
	said = w.fixed.Replace(said)
	if !strings.Contains(said, "\nhttp:") {
		said += "http: {listen: " + w.page + "}\n"
	}
	if !strings.Contains(said, "\nnats:") {
		said += "nats: {embedded: {listen: " + w.nats + "}}\n"
	}
	if said != string(b) {
		w.write("watcher.yaml", said)
	}
}

func (w *world) write(name, said string) {
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(said), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// types runs one command of a document as it stands, but for what is fixed there.
func (w *world) types(c command) {
	w.t.Helper()
	w.settle()
	words := plain(c.text)
	typed := w.fixed.Replace(words)
	switch {
	case strings.HasPrefix(words, "watcher init"):
		typed += " --http " + w.page
		if w.listens("127.0.0.1:4222")() {
			typed += " --unchecked" // somebody's NATS, which no flag avoids; settle does
		}
		if words == "watcher init" {
			w.isAsked(typed)
		} else {
			w.shell(typed, patience)
		}
	case words == "systemctl stop watcher":
		w.stop()
	case words == "systemctl start watcher":
		w.start("watcher run")
	case strings.HasPrefix(words, "watcher run"):
		w.start(typed)
	case stays.MatchString(words):
		w.stays(typed, w.listens(regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(typed)))
	case strings.HasPrefix(words, "python3 "):
		w.receives.Close()
		w.stays(typed, w.listens(w.receiver))
	case goesOn.MatchString(words) && !ends.MatchString(words):
		p := w.stays(typed, nil)
		since := time.Now()
		w.await("a word of "+typed, func() bool {
			if time.Since(since) > 5*time.Second { // by then it may have begun to follow what comes
				w.fails()
				since = time.Now()
			}
			return p.said.Len() > 0
		})
		w.end(p)
	default:
		w.shell(typed, patience)
	}
}
