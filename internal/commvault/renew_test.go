package commvault

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/sim"
)

// server is a simulated CommServe over HTTP, whose clock the test moves.
type server struct {
	*sim.Sim
	url   string
	clock atomic.Int64
}

func newServer(t *testing.T, config sim.Config) *server {
	t.Helper()
	s := new(server)
	config.Clock = func() time.Duration { return time.Duration(s.clock.Load()) }
	s.Sim = sim.New(config)
	s.Add(sim.Job{ID: 71, Steps: []sim.Step{{State: "Running", Phase: "Backup"}}})
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	s.url = web.URL
	return s
}

func (s *server) pass(d time.Duration) { s.clock.Add(int64(d)) }

func (s *server) login(format string) Config {
	return Config{URL: s.url, Format: format, Username: "watcher", Password: "watcher"}
}

// counted compares how many requests of each operation came; JobDetails are not counted.
func (s *server) counted(t *testing.T, want map[sim.Op]int) {
	t.Helper()
	for _, op := range []sim.Op{sim.OpLogin, sim.OpRenewLogin, sim.OpRenewPair} {
		if got := s.Counts()[op]; got != want[op] {
			t.Errorf("%d requests of %s, want %d", got, op, want[op])
		}
	}
}

// askAtOnce sends eight requests.
func askAtOnce(t *testing.T, clients ...*Client) {
	t.Helper()
	var all errgroup.Group
	for i := range 8 {
		all.Go(func() error { return ask(t, clients[i%len(clients)]) })
	}
	if err := all.Wait(); err != nil {
		t.Error(err)
	}
}

func inFile(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestASessionIsRenewedOnceForAllRequestsUnderWay(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		s := newServer(t, sim.Config{})
		c := newClient(t, s.login(format))
		askAtOnce(t, c)
		for range 3 {
			s.pass(31 * time.Minute)
			askAtOnce(t, c)
		}
		s.counted(t, map[sim.Op]int{sim.OpLogin: 1, sim.OpRenewLogin: 3})
	}
}

func TestASessionThatCannotBeRenewedIsFollowedByALogin(t *testing.T) {
	for _, kind := range []sim.FaultKind{
		sim.ErrorFlat, sim.ErrorNested, sim.ErrorPage, sim.Unavailable, sim.LoginPage, sim.ErrorDocument, sim.Empty,
		sim.EmptyObject, sim.Null, sim.CutShort, sim.CutChunked, sim.CutDocument, sim.Doctype, sim.Redirect,
	} {
		for _, format := range []string{"json", "xml"} {
			s := newServer(t, sim.Config{})
			c := newClient(t, s.login(format))
			askAtOnce(t, c)
			s.Fault(sim.Fault{Kind: kind, Op: sim.OpRenewLogin, Rate: 1})
			s.pass(time.Hour)
			askAtOnce(t, c)
			s.counted(t, map[sim.Op]int{sim.OpLogin: 2, sim.OpRenewLogin: 1})
			if t.Failed() {
				t.Fatal(kind, format)
			}
		}
	}
}

func TestARevokedSessionIsFollowedByALogin(t *testing.T) {
	s := newServer(t, sim.Config{})
	c := newClient(t, s.login("json"))
	askAtOnce(t, c)
	s.Fault(sim.Fault{Kind: sim.TokenRevoked, Next: 1})
	askAtOnce(t, c)
	s.counted(t, map[sim.Op]int{sim.OpLogin: 2, sim.OpRenewLogin: 1})
}

// A server that renews what it then refuses would be asked for ever.
func TestARenewedSessionThatIsRefusedIsFollowedByALogin(t *testing.T) {
	g := &gate{}
	var renewals int
	c := newClient(t, withLogin(func(r *http.Request) (int, string) {
		if strings.HasSuffix(r.URL.Path, "/RenewLoginToken") {
			renewals++
			return 200, `{"token":"QSDK renewed and refused"}`
		}
		return g.serve(r)
	}))
	for want := 1; want <= 3; want++ {
		if err := ask(t, c); err != nil || g.loggedIn() != want {
			t.Fatalf("%v after %d logins, want %d", err, g.loggedIn(), want)
		}
		g.set(func(g *gate) { g.valid = "" })
	}
	if renewals != 2 {
		t.Errorf("%d renewals for 2 sessions that ended", renewals)
	}
}

func TestRenewalSendsTheTokenAlone(t *testing.T) {
	for format, want := range map[string]string{
		"json": `{"sessionId":"QSDK 1"}`,
		"xml":  `<DM2ContentIndexing_RenewLoginTokenReq sessionId="QSDK 1"></DM2ContentIndexing_RenewLoginTokenReq>`,
	} {
		g, got := &gate{}, ""
		config := withLogin(func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/RenewLoginToken") {
				got = sent(r)
				sentOnce(t, r)
			}
			return g.serve(r)
		})
		config.Format = format
		c := newClient(t, config)
		_ = ask(t, c)
		g.set(func(g *gate) { g.valid = "" })
		_ = ask(t, c)
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// sentOnce: net/http repeats what has this header, where an idle connection closes.
func sentOnce(t *testing.T, r *http.Request) {
	t.Helper()
	if _, again := r.Header["Idempotency-Key"]; again {
		t.Errorf("%s may be sent twice", r.URL.Path)
	}
}

func TestALockedAccountIsLeftAloneWhateverThePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Config{LockAfter: 1, LockTime: 15 * time.Minute})
		s.Add(sim.Job{ID: 71, Steps: []sim.Step{{State: "Running"}}})
		file := inFile(t, filepath.Join(t.TempDir(), "password"), "wrong")
		c := newClient(t, Config{Transport: s.Inside(), Username: "watcher", PasswordFile: file})
		began := time.Now()
		for time.Since(began) < 15*time.Minute {
			err := ask(t, c)
			next := began.Add(15 * time.Minute).Format("15:04")
			want := `auth: commcell prod: login as "watcher" refused: The account is locked. (next try ` + next + `)`
			if Reason(err) != want {
				t.Fatalf("got  %s\nwant %s", Reason(err), want)
			}
			inFile(t, file, "watcher")
			time.Sleep(10 * time.Second)
		}
		if err := ask(t, c); err != nil || s.Counts()[sim.OpLogin] != 2 {
			t.Errorf("%v after %d logins, want 2", err, s.Counts()[sim.OpLogin])
		}
	})
}

func TestAPasswordFileIsReadAgain(t *testing.T) {
	s := newServer(t, sim.Config{})
	file := inFile(t, filepath.Join(t.TempDir(), "password"), "wrong\n")
	config := s.login("json")
	config.Password, config.PasswordFile = "", file
	c := newClient(t, config)
	for range 5 {
		if err := ask(t, c); outcome(err) != "auth down" {
			t.Fatal(err)
		}
	}
	s.counted(t, map[sim.Op]int{sim.OpLogin: 1})
	inFile(t, file, "watcher\n")
	if err := ask(t, c); err != nil {
		t.Error(err)
	}
	s.counted(t, map[sim.Op]int{sim.OpLogin: 2})
}

func TestAPasswordFileThatIsGoneIsNoRefusal(t *testing.T) {
	s := newServer(t, sim.Config{})
	file := inFile(t, filepath.Join(t.TempDir(), "password"), "watcher")
	config := s.login("json")
	config.PasswordFile = file
	c := newClient(t, config)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	want := "commcell prod: auth.password_file: " + file + ": "
	if err := ask(t, c); outcome(err) != "auth down" || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	inFile(t, file, "watcher")
	if err := ask(t, c); err != nil {
		t.Error(err)
	}
}

func TestATokenFileIsReadAgain(t *testing.T) {
	s := newServer(t, sim.Config{})
	file := inFile(t, filepath.Join(t.TempDir(), "token"), "QSDK old\n")
	c := newClient(t, Config{URL: s.url, TokenFile: file})
	const want = "JobDetails of job 71: HTTP 401: the token is refused or has expired; put a new one in auth.token or auth.token_file: Access denied. The token is missing, wrong or expired."
	for range 2 {
		if err := ask(t, c); outcome(err) != "auth down" || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	asked := s.Counts()[sim.OpJobDetails]
	if asked != 2 {
		t.Errorf("asked %d times for 2 requests", asked)
	}
	inFile(t, file, "QSDK sim\n")
	askAtOnce(t, c)
	inFile(t, file, "QSDK older\n") // not read while the other one is good
	askAtOnce(t, c)
	if got := s.Counts()[sim.OpJobDetails] - asked; got != 16 {
		t.Errorf("asked %d times for 16 requests", got)
	}
}

func TestTheRequestWhoseTokenExpiredGoesOnWithTheNewOne(t *testing.T) {
	s := newServer(t, sim.Config{})
	access, _ := s.Pair()
	file := inFile(t, filepath.Join(t.TempDir(), "token"), access)
	c := newClient(t, Config{URL: s.url, TokenFile: file})
	askAtOnce(t, c)
	s.pass(31 * time.Minute)
	inFile(t, file, "QSDK sim")
	askAtOnce(t, c)
}

func TestABrokenTokenFileIsReportedAtOnce(t *testing.T) {
	folder := t.TempDir()
	empty := inFile(t, filepath.Join(folder, "empty"), " \n")
	for _, config := range []Config{
		{TokenFile: filepath.Join(folder, "absent")}, {TokenFile: empty},
		{Username: "watcher", PasswordFile: filepath.Join(folder, "absent")},
		{AccessTokenFile: empty, RefreshTokenFile: empty},
	} {
		config.CommCell, config.URL, config.ReadSecret = "prod", "https://cs.example.com", readSecret
		if _, err := New(config); err == nil || !strings.HasPrefix(err.Error(), "auth.") || !strings.Contains(err.Error(), folder) {
			t.Errorf("%+v: %v", config, err)
		}
	}
}

func TestReason(t *testing.T) {
	for want, err := range map[string]error{
		"auth: Jobs":  &Error{Operation: "Jobs", Kind: Auth},
		"Jobs: later": &Error{Operation: "Jobs", Kind: Throttled, Err: errors.New("later")},
		"anything":    errors.New("anything"),
	} {
		if got := Reason(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
