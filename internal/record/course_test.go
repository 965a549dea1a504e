package record_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/record"
)

// TestEachAnswerIsGivenOnceAndNotSooner asks a player at moments, and wants the answers of their time, in their order.
func TestEachAnswerIsGivenOnceAndNotSooner(t *testing.T) {
	for _, row := range []struct {
		name, want string
		speed      float64
		entries    []record.Entry
		at         []int // seconds
	}{
		{"in time", "a b c", 1, answers("0 200 a", "5 200 b", "10 200 c"), []int{0, 5, 10}},
		{"a little early", "a b c", 1, answers("0 200 a", "6 200 b", "11 200 c"), []int{0, 5, 10}},
		{"often", "a a a b b", 1, answers("0 200 a", "5 200 b", "10 200 c"), []int{0, 1, 3, 5, 6}},
		{"seldom", "a b c c", 1, answers("0 200 a", "5 200 b", "10 200 c"), []int{0, 20, 30, 40}},
		{"before the first", "a a b", 1, answers("60 200 a", "70 200 b"), []int{0, 10, 70}},
		{"a failure", "x a a", 1, answers("0 500 x", "9 200 a"), []int{0, 1, 2}},
		{"two failures", "x y a", 1, answers("0 500 x", "9 503 y", "12 200 a"), []int{0, 1, 2}},
		{"in another order", "a b c", 1, answers("10 200 c", "0 200 a", "5 200 b"), []int{0, 5, 10}},
		{"faster", "a b c", 10, answers("0 200 a", "50 200 b", "100 200 c"), []int{0, 5, 10}},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, began := served{record.NewPlayer(row.entries, row.speed, nil)}, time.Now()
			var got []string
			for _, at := range row.at {
				time.Sleep(time.Until(began.Add(time.Duration(at) * time.Second)))
				got = append(got, ask(t, p, "http://cs/webconsole/api/Job/71"))
			}
			if is := strings.Join(got, " "); is != row.want {
				t.Errorf("%s: got %s, want %s", row.name, is, row.want)
			}
		})
	}
}

// answers reads entries of one question: seconds, status, body.
func answers(texts ...string) (all []record.Entry) {
	for _, text := range texts {
		e := record.Entry{Op: "Job/{id}", Job: 71}
		if _, err := fmt.Sscan(text, &e.At, &e.Status, &e.Body); err != nil {
			panic(err)
		}
		e.At *= 1000
		all = append(all, e)
	}
	return all
}

func ask(t *testing.T, transport http.RoundTripper, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// TestWhatTheClientGaveUpIsNoAnswer: a record that ends is no time-out of the CommServe. What it took too long for is one.
func TestWhatTheClientGaveUpIsNoAnswer(t *testing.T) {
	w, dir := newWriter(t, nil)
	for _, err := range []error{context.Canceled, context.DeadlineExceeded} {
		ask(t, w.Tap(listener(func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("zyxquell: %w", err) })), "http://cs/Job/71")
		ask(t, w.Tap(listener(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(failing{err})}, nil
		})), "http://cs/Job/72")
	}
	closed(t, w)
	_, entries, err := record.Read(dir)
	if err != nil || len(entries) != 2 || entries[0].Failure != "timeout" || entries[1].Failure != "timeout" || entries[1].Status != 0 {
		t.Errorf("%v: %+v", err, entries)
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, errors.Join(f.error) }

// TestOfARequestItsOwnWordsAreKept, and no more.
func TestOfARequestItsOwnWordsAreKept(t *testing.T) {
	w, dir := newWriter(t, nil)
	tap := w.Tap(listener(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}, nil
	}))
	ask(t, tap, "http://cs/zyxquell/Job?completedJobLookupTime=3600&jobFilter=&jobCategory=Active&zyxquell=wobbhaus")
	ask(t, tap, "http://cs/Events?fromTime=1497264303&jobFilter=Zyxquell&completedJobLookupTime=zyxquell")
	ask(t, tap, "http://cs/zyxquell/wobbhaus?zyxquell")
	closed(t, w)
	_, entries, err := record.Read(dir)
	if err != nil || len(entries) != 3 || entries[0].Op != "Job" || entries[0].Query != "completedJobLookupTime=3600&jobCategory=Active&jobFilter=" ||
		entries[1].Op != "Events" || entries[1].Query != "fromTime=1497264303" || entries[2].Op != "other" || entries[2].Query != "" {
		t.Errorf("%v: %+v", err, entries)
	}
	nothingPlanted(t, dir, "0")
}
