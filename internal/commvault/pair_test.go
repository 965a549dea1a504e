package commvault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/failpoint"
	"jobwatch/internal/sim"
)

// withPair writes a pair into two files and gives the Config that uses them.
func withPair(t *testing.T, s *sim.Sim) Config {
	t.Helper()
	folder := t.TempDir()
	config := Config{AccessTokenFile: filepath.Join(folder, "access"), RefreshTokenFile: filepath.Join(folder, "refresh"), Scheme: "bearer"}
	newPair(t, s, config)
	return config
}

func newPair(t *testing.T, s *sim.Sim, config Config) {
	t.Helper()
	access, refresh := s.Pair()
	inFile(t, config.AccessTokenFile, access+"\n")
	inFile(t, config.RefreshTokenFile, refresh+"\n")
}

func (s *server) pair(t *testing.T) Config {
	t.Helper()
	config := withPair(t, s.Sim)
	config.URL = s.url
	return config
}

// filesBeside gives the names in the folder of the pair.
func filesBeside(t *testing.T, config Config) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(config.AccessTokenFile))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	return names
}

func TestAPairIsRenewedOnceForAllRequestsUnderWay(t *testing.T) {
	for _, format := range []string{"json", "xml"} {
		s := newServer(t, sim.Config{})
		config := s.pair(t)
		config.Format = format
		c := newClient(t, config)
		askAtOnce(t, c)
		s.counted(t, nil)
		for want := 1; want <= 3; want++ {
			s.pass(31 * time.Minute)
			askAtOnce(t, c)
			s.counted(t, map[sim.Op]int{sim.OpRenewPair: want})
		}
		askAtOnce(t, newClient(t, config)) // another process, later
		s.counted(t, map[sim.Op]int{sim.OpRenewPair: 3})
		if got := filesBeside(t, config); !slices.Equal(got, []string{"access", "refresh", "refresh.lock"}) {
			t.Errorf("files %q", got)
		}
	}
}

// Each Client is as good as a process: the lock is on the open file.
func TestTwoProcessesRenewAPairOnce(t *testing.T) {
	s := newServer(t, sim.Config{})
	config := s.pair(t)
	a, b, late := newClient(t, config), newClient(t, config), newClient(t, config)
	askAtOnce(t, a, b, late)
	for want := 1; want <= 5; want++ {
		s.pass(31 * time.Minute)
		askAtOnce(t, a, b)
		s.counted(t, map[sim.Op]int{sim.OpRenewPair: want})
	}
	askAtOnce(t, late) // its token has been replaced five times
	s.counted(t, map[sim.Op]int{sim.OpRenewPair: 5})
	s.pass(31 * time.Minute)
	askAtOnce(t, a)
	s.pass(31 * time.Minute)
	askAtOnce(t, late) // what stands in the file has expired as well
	s.counted(t, map[sim.Op]int{sim.OpRenewPair: 7})
}

// All steps of an exchange, in order. What is not yet durable when the crash comes is lost.
var exchangeSteps = []string{
	"wrote refresh.pending",
	"renamed refresh.pending", "wrote access", "renamed access", "wrote refresh", "renamed refresh", "removed refresh.pending",
}

var errCrash = errors.New("crash")

// crashAt makes an exchange break off, once, behind a step; "" is none. It gives the steps that are done.
func crashAt(t *testing.T, c *Client, step string) *[]string {
	var done []string
	atEachStep(t, c, func(name string) error {
		done = append(done, name)
		if name == step {
			step = ""
			return errCrash
		}
		return nil
	})
	return &done
}

// atEachStep has f called behind each step that is taken with the client's files; nil: no more.
func atEachStep(t *testing.T, c *Client, f func(step string) error) {
	folder := filepath.Dir(c.session.auth.(*pairRenewer).files.refresh)
	hook := func(p failpoint.Point, of any) error {
		if name, isFile := of.(string); isFile && f != nil && filepath.Dir(name) == folder {
			return f(string(p) + " " + filepath.Base(name))
		}
		return nil
	}
	failpoint.Hook.Store(&hook)
	t.Cleanup(func() { failpoint.Hook.Store(nil) })
}

func TestACrashAtAnyPointLeavesAPair(t *testing.T) {
	for _, step := range exchangeSteps[1:] {
		t.Run(step, func(t *testing.T) {
			s := newServer(t, sim.Config{})
			config := s.pair(t)
			dead := newClient(t, config)
			crashAt(t, dead, step)
			s.pass(31 * time.Minute)
			if err := ask(t, dead); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			for range 2 {
				askAtOnce(t, newClient(t, config))
				s.counted(t, map[sim.Op]int{sim.OpRenewPair: 1})
			}
			s.pass(31 * time.Minute)
			askAtOnce(t, newClient(t, config)) // the refresh token is the right one too
			s.counted(t, map[sim.Op]int{sim.OpRenewPair: 2})
			if got := filesBeside(t, config); !slices.Equal(got, []string{"access", "refresh", "refresh.lock"}) {
				t.Errorf("files %q", got)
			}
		})
	}
}

func TestTheStepsOfAnExchange(t *testing.T) {
	s := newServer(t, sim.Config{})
	c := newClient(t, s.pair(t))
	done := crashAt(t, c, "")
	s.pass(31 * time.Minute)
	askAtOnce(t, c)
	if !slices.Equal(*done, exchangeSteps) {
		t.Errorf("got  %q\nwant %q", *done, exchangeSteps)
	}
}

// The disk may be full for a while: who holds the new pair still does not ask for another.
func TestAPairThatCannotBeWrittenIsWrittenLater(t *testing.T) {
	for _, step := range exchangeSteps {
		s := newServer(t, sim.Config{})
		config := s.pair(t)
		c := newClient(t, config)
		crashAt(t, c, step)
		s.pass(31 * time.Minute)
		used := s.Counts()[sim.OpJobDetails]
		if err := ask(t, c); !errors.Is(err, errCrash) || s.Counts()[sim.OpJobDetails] != used+1 {
			t.Fatalf("%s: %v, %d requests, want one: the new token is not used before it is written", step, err, s.Counts()[sim.OpJobDetails]-used)
		}
		askAtOnce(t, c)
		askAtOnce(t, newClient(t, config))
		s.counted(t, map[sim.Op]int{sim.OpRenewPair: 1})
	}
}

func TestAPairThatCouldNotBeWrittenIsNotRenewed(t *testing.T) {
	for _, blocked := range []string{"refresh.lock", "refresh.pending.new", "access.new"} {
		s := newServer(t, sim.Config{})
		config := s.pair(t)
		if err := os.Mkdir(filepath.Join(filepath.Dir(config.AccessTokenFile), blocked), 0o700); err != nil {
			t.Fatal(err)
		}
		c := newClient(t, config)
		askAtOnce(t, c)
		s.pass(31 * time.Minute)
		err := ask(t, c)
		if outcome(err) != "auth down" || !strings.HasPrefix(err.Error(), "commcell prod: auth.access_token_file and auth.refresh_token_file are written at each renewal: ") {
			t.Error(err)
		}
		s.counted(t, nil)
	}
}

// The crash that nothing can repair, and a pair that came out of a backup.
func TestAPairThatWasRenewedBeforeIsRefused(t *testing.T) {
	s := newServer(t, sim.Config{})
	config := s.pair(t)
	dead := newClient(t, config)
	crashAt(t, dead, exchangeSteps[0])
	s.pass(31 * time.Minute)
	_ = ask(t, dead)
	c := newClient(t, config)
	for range 5 {
		err := ask(t, c)
		want := "commcell prod: renewal of the access token refused: HTTP 400: Token reuse detected. The token has been purged.; " +
			c.session.auth.(*pairRenewer).files.advice() + " (next try " + time.Now().Add(time.Minute).Format("15:04") + ")"
		if outcome(err) != "auth down" || err.Error() != want {
			t.Fatalf("got  %v\nwant %s", err, want)
		}
	}
	s.counted(t, map[sim.Op]int{sim.OpRenewPair: 2})
	newPair(t, s.Sim, config)
	askAtOnce(t, c)
	s.counted(t, map[sim.Op]int{sim.OpRenewPair: 2})
}

func TestARefusedRenewalWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Config{})
		config := withPair(t, s)
		inFile(t, config.AccessTokenFile, "no such token")
		config.Transport = s.Inside()
		c := newClient(t, config)
		for i, minutes := range []int{1, 2, 4, 8, 16, 30, 30} {
			next := time.Now().Add(time.Duration(minutes) * time.Minute)
			for time.Now().Before(next) {
				if err := ask(t, c); !strings.HasSuffix(err.Error(), "(next try "+next.Format("15:04")+")") {
					t.Fatalf("%v, want next try %s", err, next.Format("15:04"))
				}
				time.Sleep(20 * time.Second)
			}
			if got := s.Counts()[sim.OpRenewPair]; got != i+1 {
				t.Fatalf("%d renewals after %d waits", got, i)
			}
		}
	})
}

// A wrong scheme looks like this: each renewal is granted, and no token is accepted.
func TestAPairWhoseNewTokenIsRefusedIsNotRenewedOnAndOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		renewals := 0
		config := withPair(t, sim.New(sim.Config{}))
		config.Transport = commserve(func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/V4/AccessToken/Renew") {
				renewals++
				sentOnce(t, r)
				return 200, fmt.Sprintf(`{"tokenInfo":{"accessToken":"access %d","refreshToken":"refresh %d"}}`, renewals, renewals)
			}
			return 401, ""
		})
		c := newClient(t, config)
		_ = ask(t, c)
		for i, minutes := range []int{1, 2, 4} {
			next := time.Now().Add(time.Duration(minutes) * time.Minute)
			want := "commcell prod: the access token is refused right after its renewal; is auth.scheme the right one? (next try " + next.Format("15:04") + ")"
			for time.Now().Before(next) {
				if err := ask(t, c); err.Error() != want {
					t.Fatalf("got  %v\nwant %s", err, want)
				}
				time.Sleep(20 * time.Second)
			}
			if renewals != i+1 {
				t.Fatalf("%d renewals after %d waits", renewals, i)
			}
			_ = ask(t, c)
		}
	})
}

// Who is told to stop while a new pair is on its way waits for it: it would die with the process.
func TestNobodyLeavesWhileAPairIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Config{})
		s.Add(sim.Job{ID: 71, Steps: []sim.Step{{State: "Running"}}})
		config := withPair(t, s)
		config.Transport = s.Inside()
		c := newClient(t, config)
		old, _ := os.ReadFile(config.AccessTokenFile)
		time.Sleep(31 * time.Minute)
		s.Fault(sim.Fault{Kind: sim.Slow, Op: sim.OpRenewPair, Rate: 1, Delay: 5 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.JobDetails(ctx, 71)
		now, _ := os.ReadFile(config.AccessTokenFile)
		if KindOf(err) != Timeout || string(now) == string(old) {
			t.Errorf("%v, and the file holds the old token", err)
		}
	})
}

// A server that hangs keeps nobody for longer than a program may take to stop.
func TestNobodyStaysForARenewalThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sim.New(sim.Config{})
		config := withPair(t, s)
		config.Transport = s.Inside()
		c := newClient(t, config)
		time.Sleep(31 * time.Minute)
		s.Fault(sim.Fault{Kind: sim.Slow, Op: sim.OpRenewPair, Rate: 1, Delay: 25 * time.Second})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := c.JobDetails(ctx, 71)
		if stayed := time.Since(began); KindOf(err) != Timeout || stayed > 10*time.Second {
			t.Errorf("%v after %v", err, stayed)
		}
		time.Sleep(time.Minute) // the renewal ends within the bubble
	})
}

// Somebody has put a new pair, or for a moment the half of one, into the files before the exchange was carried out.
func TestAPendingExchangeGivesWayToAnotherPair(t *testing.T) {
	for _, step := range []string{"renamed refresh.pending", "renamed access"} {
		for _, replaced := range [][]string{{"access", "refresh"}, {"access"}, {"refresh"}} {
			s := newServer(t, sim.Config{})
			config := s.pair(t)
			dead := newClient(t, config)
			crashAt(t, dead, step)
			s.pass(31 * time.Minute)
			_ = ask(t, dead)
			folder := filepath.Dir(config.AccessTokenFile)
			for _, name := range replaced {
				inFile(t, filepath.Join(folder, name), "somebody's "+name)
			}
			_ = ask(t, newClient(t, config))
			for _, name := range replaced {
				if got, _ := os.ReadFile(filepath.Join(folder, name)); string(got) != "somebody's "+name {
					t.Errorf("%s, then %q replaced: %s holds %s", step, replaced, name, got)
				}
			}
			if got := filesBeside(t, config); slices.Contains(got, "refresh.pending") {
				t.Errorf("%s, then %q replaced: files %q", step, replaced, got)
			}
		}
	}
}

func TestAPendingFileThatIsNoneSaysWhatToDo(t *testing.T) {
	for _, text := range []string{"", "{}", `{"is":{"accessToken":"5ec2e7"}}`, "5ec2e7-garbage"} {
		s := newServer(t, sim.Config{})
		config := s.pair(t)
		pending := inFile(t, config.RefreshTokenFile+".pending", text)
		want := "commcell prod: " + pending + ": holds no pair of tokens; remove it, and put a new pair into auth.access_token_file and auth.refresh_token_file"
		if err := ask(t, newClient(t, config)); outcome(err) != "auth down" || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestThePairIsFoundWhereverItStands(t *testing.T) {
	for body, want := range map[string]string{
		`{"accessToken":"a","refreshToken":"r"}`:                                                     "a r",
		`{"tokenInfo":{"accessToken":"a","refreshToken":"r"}}`:                                       "a r",
		`{"response":[{"tokens":{"refreshToken" : "r"}},{"AccessToken" : "a"}]}`:                     "a r",
		"{\"data\":{\"accessToken\":\"a\",\r\"refreshToken\":\"r\"}}":                                "a r",
		`{"accessToken":"a\/b\u002bc=","refreshToken":"r"}`:                                          "a/b+c= r",
		`{"request":{"accessToken":"x","refreshToken":"sent"},"accessToken":"a","refreshToken":"r"}`: "a r",
		`{"accessToken":"a","tokenName":"bro"ken","refreshToken":"r","x":}`:                          "a r",
		"{\"accessToken\":\"a\",\"tokenName\":\"t\xfc\n\",\"refreshToken\":\"r":                      " ",
		`<AccessToken_Resp><info accessToken="a" refreshToken="r"/></AccessToken_Resp>`:              "a r",
		`{"accessToken":"a","refreshToken":"r"`:                                                      "a r",
		`{"accessToken":"a","refreshToken":"r`:                                                       " ",
		`{"accessToken":"a","refreshToken":""}`:                                                      " ",
		`{"accessToken":"a","refreshToken":"sent"}`:                                                  " ",
		`{"accessToken":"a","error":{"errorMessage":"","errorCode":0}}`:                              " ",
		`{"errorMessage":"the refreshToken is used","errorCode":5}`:                                  " ",
		`null`: " ",
		``:     " ",
	} {
		got := pairIn([]byte(body), "sent")
		if said := got.Access + " " + got.Refresh; said != want {
			t.Errorf("%s: got %q, want %q", body, said, want)
		}
	}
}
