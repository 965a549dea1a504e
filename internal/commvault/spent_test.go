package commvault

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/sim"
)

// renewals is a CommServe whose answers to a renewal are changed on their way, after it was carried out or instead of
// it, and counted.
type renewals struct {
	http.RoundTripper
	answer  func(code int, body string) (int, string) // 0: none comes; nil: unchanged
	instead bool                                      // it is not carried out
	sent    int
}

func (r *renewals) RoundTrip(request *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(request.URL.Path, "/V4/AccessToken/Renew") {
		return r.RoundTripper.RoundTrip(request)
	}
	r.sent++
	code, body := 0, ""
	if !r.instead || r.answer == nil {
		response, err := r.RoundTripper.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusOK || r.answer == nil {
			return response, err
		}
		text, _ := io.ReadAll(response.Body)
		code, body = response.StatusCode, string(text)
	}
	if code, body = r.answer(code, body); code == 0 {
		return nil, errors.New("connection reset by peer")
	}
	return &http.Response{
		StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)),
		ContentLength: int64(len(body)), Request: request,
	}, nil
}

// world is a pair at a CommServe whose answers to a renewal can be changed, on fake time.
type world struct {
	*sim.Sim
	*renewals
	Config
}

func newWorld(t *testing.T) *world {
	s := sim.New(sim.Config{})
	s.Add(sim.Job{ID: 71, Steps: []sim.Step{{State: "Running"}}})
	w := &world{Sim: s, renewals: &renewals{RoundTripper: s.Inside()}, Config: withPair(t, s)}
	w.Transport = w.renewals
	return w
}

func with(code int, body string) func(int, string) (int, string) {
	return func(int, string) (int, string) { return code, body }
}

// Whatever is wrong with the answer to a renewal that was carried out, the pair in it is taken.
func TestThePairOfARenewalIsTakenWhateverIsWrongWithItsAnswer(t *testing.T) {
	replaced := func(old, new string) func(int, string) (int, string) {
		return func(_ int, body string) (int, string) { return 200, strings.Replace(body, old, new, 1) }
	}
	for name, answer := range map[string]func(int, string) (int, string){
		"201":              func(_ int, body string) (int, string) { return 201, body },
		"a damaged member": replaced("{", `{"tokenName":"wat"cher",`),
		"a broken byte":    replaced("{", "{\"tokenName\":\"w\xfc\x00tcher,"),
		"nested":           func(_ int, body string) (int, string) { return 200, `{"a":[{"tokens":` + body + `}]}` },
		"its end is lost":  func(_ int, body string) (int, string) { return 202, body[:strings.Index(body, `,"tokenExpiry`)] },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.answer = answer
				for want := 1; want <= 2; want++ {
					time.Sleep(31 * time.Minute)
					if err := askEach(t, newClient(t, w.Config), 10*time.Minute); err != nil || w.sent != want {
						t.Fatalf("%v after %d renewals, want %d", err, w.sent, want)
					}
				}
			})
		})
	}
}

func TestABodyThatBreaksOffBehindThePairIsEnough(t *testing.T) {
	for kind, want := range map[sim.FaultKind]int{sim.Huge: 1, sim.GzipBomb: 1, sim.Slow: 1} {
		s := newServer(t, sim.Config{})
		c := newClient(t, s.pair(t))
		s.pass(31 * time.Minute)
		s.Fault(sim.Fault{Kind: kind, Op: sim.OpRenewPair, Next: 1})
		if err := ask(t, c); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		s.counted(t, map[sim.Op]int{sim.OpRenewPair: want})
	}
}

// Where no pair can be read the refresh token is spent all the same, for this process and each that comes after it.
func TestARefreshTokenThatWasAnsweredForIsNeverSentAgain(t *testing.T) {
	half := func(_ int, body string) (int, string) {
		return 200, strings.Replace(body, "refreshToken", "refresh", 1)
	}
	for name, answer := range map[string]func(int, string) (int, string){
		"an empty object":    with(200, `{}`),
		"201 without a body": with(201, ``),
		"204":                with(204, ``),
		"cut short":          func(_ int, body string) (int, string) { return 200, body[:len(body)/2] },
		"half a pair":        half,
		"half a pair and words": func(_ int, body string) (int, string) {
			code, b := half(0, body)
			return code, strings.Replace(b, "{", `{"errorMessage":"late",`, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.answer = answer
				time.Sleep(31 * time.Minute)
				c := newClient(t, w.Config)
				first := ask(t, c)
				const begins = "commcell prod: the refresh token is spent, and the answer to its renewal held no pair that could be read"
				ends := "; " + c.session.auth.(*pairRenewer).files.advice()
				if outcome(first) != "auth down" || !strings.HasPrefix(first.Error(), begins+" (RenewAccessToken: ") || !strings.HasSuffix(first.Error(), ends) {
					t.Errorf("got %v", first)
				}
				for _, c := range []*Client{c, newClient(t, w.Config)} {
					if err := askEach(t, c, 2*time.Hour); err == nil || err.Error() != begins+ends || !LoginRefused(err) || w.sent != 1 {
						t.Fatalf("%v after %d renewals", err, w.sent)
					}
				}
				w.answer = nil
				newPair(t, w.Sim, w.Config)
				if err := ask(t, c); err != nil || w.sent != 1 {
					t.Errorf("with a new pair: %v after %d renewals", err, w.sent)
				}
				if got := strings.Join(filesBeside(t, w.Config), " "); got != "access refresh refresh.lock" {
					t.Errorf("files %q", got)
				}
			})
		})
	}
}

// The disk is full when the mark is to be written: who knows that the token is spent sends it no more for that.
func TestASpentRefreshTokenIsRememberedWithoutADisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answer = with(200, `{}`)
		c := newClient(t, w.Config)
		full := errors.New("no space left on device")
		atEachStep(t, c, func(string) error { return full })
		time.Sleep(31 * time.Minute)
		for range 3 {
			if err := askEach(t, c, time.Hour); KindOf(err) != Auth || w.sent != 1 {
				t.Fatalf("%v after %d renewals", err, w.sent)
			}
		}
		atEachStep(t, c, nil)
		_ = ask(t, c)
		if err := ask(t, newClient(t, w.Config)); !isSpent(err) || w.sent != 1 {
			t.Errorf("%v after %d renewals", err, w.sent)
		}
	})
}

// What refuses the pair is waited for ever longer, and says what to do.
func TestARefusedPairBacksOffWhateverTheStatus(t *testing.T) {
	for name, answer := range map[string]func(int, string) (int, string){
		"450":           with(450, `{"errorMessage":"The token is dead","errorCode":2}`),
		"500 and words": with(500, `{"error":{"errorMessage":"The token is dead","errorCode":500}}`),
		"500":           with(500, ``),
		"401":           with(401, `{"errorMessage":"The token is dead"}`),
		"403":           with(403, `<html><title>The token is dead</title></html>`),
		"200":           with(200, `{"errorMessage":"The token is dead","errorCode":5}`),
		"201":           with(201, `{"error":{"errorMessage":"The token is dead","errorCode":5}}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.answer, w.instead = answer, true
				c := newClient(t, w.Config)
				time.Sleep(31 * time.Minute)
				err := askEach(t, c, time.Hour) // sent at once, and after 1, 3, 7, 15 and 31 minutes
				if w.sent != 6 {
					t.Errorf("%d renewals in an hour, want 6", w.sent)
				}
				if err == nil || !strings.HasPrefix(err.Error(), "commcell prod: renewal of the access token refused: ") || !strings.Contains(err.Error(), w.AccessTokenFile+" and "+w.RefreshTokenFile+" (auth.access_token_file and auth.refresh_token_file) (next try ") {
					t.Errorf("got %v", err)
				}
				newPair(t, w.Sim, w.Config) // is not waited with
				if err := ask(t, c); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A gateway that answers in the CommServe's place refuses nothing: the same pair is sent again, once a minute.
func TestARenewalThatAGatewayAnswersIsSentAgain(t *testing.T) {
	for name, answer := range map[string]func(int, string) (int, string){
		"503":    with(503, ``),
		"a page": with(200, `<html><title>Back at ten</title></html>`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.answer, w.instead = answer, true
				c := newClient(t, w.Config)
				time.Sleep(31 * time.Minute)
				if err := askEach(t, c, 10*time.Minute); KindOf(err) == Auth || Retryable(err) || !SourceDown(err) || w.sent != 10 {
					t.Errorf("%v after %d renewals, want 10", err, w.sent)
				}
				w.answer = nil
				if err := askEach(t, c, 2*time.Minute); err != nil || w.sent != 11 {
					t.Errorf("%v after %d renewals, want 11", err, w.sent)
				}
			})
		})
	}
}

// A renewal without an answer was carried out, or was not. In the one case the pair is good; in the other nobody holds
// a good one, and the CommServe says so.
func TestARenewalWithoutAnAnswerIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := newClient(t, w.Config)
		w.answer, w.instead = with(0, ""), true
		time.Sleep(31 * time.Minute)
		if err := ask(t, c); KindOf(err) != Unreachable {
			t.Error(err)
		}
		w.answer = nil
		if err := ask(t, c); err != nil || w.sent != 2 {
			t.Errorf("it was not carried out: %v after %d renewals", err, w.sent)
		}
		w.answer, w.instead = with(0, ""), false
		time.Sleep(31 * time.Minute)
		if err := ask(t, c); KindOf(err) != Unreachable {
			t.Error(err)
		}
		w.answer = nil
		if err := askEach(t, c, time.Minute); w.sent != 4 || err == nil || !strings.Contains(err.Error(), "Token reuse detected") {
			t.Errorf("it was carried out: %v after %d renewals", err, w.sent)
		}
	})
}

// Some servers prolong the access token, and change the refresh token alone.
func TestARenewalMayLeaveTheAccessTokenAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		granted := true
		w := newWorld(t)
		w.Transport = commserve(func(r *http.Request) (int, string) {
			if strings.HasSuffix(r.URL.Path, "/V4/AccessToken/Renew") {
				w.sent, granted = w.sent+1, true
				return 200, `{"accessToken":"the same","refreshToken":"another` + strings.Repeat("!", w.sent) + `"}`
			}
			if !granted {
				return 401, ""
			}
			return 200, answer("", "", "")
		})
		inFile(t, w.AccessTokenFile, "the same")
		c := newClient(t, w.Config)
		for want := 1; want <= 3; want++ {
			granted = false
			if err := ask(t, c); err != nil || w.sent != want {
				t.Fatalf("%v after %d renewals", err, w.sent)
			}
		}
		if held, _ := os.ReadFile(w.RefreshTokenFile); !bytes.Equal(held, []byte("another!!!\n")) {
			t.Errorf("the file holds %s", held)
		}
	})
}
