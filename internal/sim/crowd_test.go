package sim

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asked is what came of a request for job 7.
func (s *Sim) askedFor7() *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/JobDetails", strings.NewReader(`{"jobId":7}`))
	r.Header.Set("Authtoken", "QSDK sim")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestBearsSoManyAtOnce(t *testing.T) {
	for _, row := range []struct{ bears, atOnce, want int }{
		{0, 9, 9},
		{1, 1, 1},
		{1, 2, 1},
		{2, 9, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := running(7)
			s.Fault(Fault{Kind: Slow, Rate: 1})
			s.Bear(row.bears)
			answers := make(chan *httptest.ResponseRecorder, row.atOnce)
			for range row.atOnce {
				go func() { answers <- s.askedFor7() }()
			}
			good := 0
			for range row.atOnce {
				switch a := <-answers; {
				case a.Code == 200:
					good++
				case a.Code != 429 || a.Header().Get("Retry-After") != "":
					t.Errorf("%d, Retry-After %q", a.Code, a.Header().Get("Retry-After"))
				}
			}
			if good != row.want {
				t.Errorf("bears %d of %d: %d were answered, want %d", row.bears, row.atOnce, good, row.want)
			}
			time.Sleep(time.Minute)
			if a := s.askedFor7(); a.Code != 200 {
				t.Errorf("bears %d, later: %d", row.bears, a.Code)
			}
		})
	}
}

// A fault of so many requests is not used up by those that are refused.
func TestFaultsBefallWhoIsBorne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := running(7)
		s.Bear(1)
		s.Fault(Fault{Kind: Slow, Next: 2})
		first := make(chan int)
		go func() { first <- s.askedFor7().Code }()
		synctest.Wait()
		if a := s.askedFor7(); a.Code != 429 || len(s.Faults()) != 1 || s.Faults()[0].Next != 1 {
			t.Errorf("%d, faults %v", a.Code, s.Faults())
		}
		if code := <-first; code != 200 {
			t.Errorf("the first: %d", code)
		}
		if served := s.Served(); len(served) != 2 || served[0].Fault != TooMany || served[0].Whole {
			t.Errorf("%+v", served)
		}
	})
}

func TestBearsOverHTTP(t *testing.T) {
	s, ask := controlled(t)
	for _, row := range []struct {
		body   string
		status int
		want   int64
	}{
		{"2", 204, 2},
		{"-1", 400, 2},
		{`"two"`, 400, 2},
		{"3 4", 400, 2},
		{"0", 204, 0},
	} {
		status, said := ask("POST", "/sim/bears", row.body)
		if got := s.crowd.bears.Load(); status != row.status || got != row.want {
			t.Errorf("%s: %d %s, bears %d, want %d", row.body, status, said, got, row.want)
		}
	}
	ask("POST", "/sim/bears", "5")
	if _, said := ask("GET", "/sim", ""); !strings.Contains(said, "\nbears 5 requests at once\n") {
		t.Errorf("got %s", said)
	}
}
