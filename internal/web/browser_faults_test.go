package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// proxied serves what the world serves at another address, behind what around makes of a plain proxy.
func (w *world) proxied(around func(proxy http.Handler) http.Handler) (address string) {
	w.Helper()
	target, err := url.Parse(w.url)
	w.must(err)
	front := httptest.NewServer(around(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}))
	w.Cleanup(front.Close)
	return front.URL
}

// pageCountsAllJobs has more jobs than a page of the API, of which the newest run and fail, and a table that takes long.
func pageCountsAllJobs(t *testing.T, browser context.Context) {
	w := newWorld(t)
	const old = 12_000 // which were never asked for
	var ids []job.ID
	for n := range int64(old) {
		ids = append(ids, job.ID{CommCell: "prod", Number: n + 1})
	}
	w.must(w.store.Track(store.Discovered, ids...))
	now := time.Now()
	w.keeps(ended(old+1, "Failed", now.Add(-time.Hour)), ended(old+2, "Killed", now), running(old+3), running(old+4),
		job.Snapshot{Number: old + 5, State: "Waiting"}, ended(old+6, "Completed", now))
	release := make(chan struct{})
	front := w.proxied(func(proxy http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/table" {
				select {
				case <-release:
				case <-r.Context().Done():
				}
			}
			proxy.ServeHTTP(rw, r)
		})
	})
	b := w.opens(browser, front+"?view=jobs")
	b.has("#count", "loading 12,006 jobs…", "of all: 2 running, 2 failed or incomplete, 12,006 in all")
	b.has("#chip-active", "2")
	b.has("#nojobs", "Loading…")
	close(release)
	b.has("#count", "12,006 jobs; of all: 2 running")
	b.has("#chip-unknown", "12,000")
	for i, number := range []int{old + 4, old + 3, old + 5, old} { // what runs, what waits, and then the latest
		b.has(fmt.Sprintf("#jobs tr[aria-rowindex='%d']", i+2), fmt.Sprintf("prod/%d", number))
	}
	for query, found := range map[string]string{"killed": "prod/12002", "class:failed": "prod/12001", "is:waiting -class:unknown": "prod/12005", "prod/6789": "prod/6789"} {
		b.do(chromedp.Navigate(front + "?view=jobs&q=" + escaped(query)))
		b.order(found)
		b.has("#count", "1 of 12,006 jobs match")
	}
	b.clean()
}

// pageGrowsOld has the watcher die: the page says since when it knows nothing, and claims nothing more.
func pageGrowsOld(t *testing.T, browser context.Context) {
	w := newWorld(t)
	w.sees(running(71))
	b := w.opens(browser, w.url)
	b.has("#cells .up", "answers")
	b.shows("document.querySelector('#silence').hidden && document.title === 'Overview · jobwatch'")
	w.stop()
	b.has("#cells .last", "last answer 1") // 10 s and more: ages go on
	b.has("#silence", "Nothing was heard from the watcher since")
	b.shows("!document.querySelector('#silence').hidden && document.title.startsWith('(!) ')")
	b.has("#cells li", "prod", "nothing heard of it")
	b.shows(`document.querySelectorAll("#cells .up, #cells .down").length === 0 && document.querySelector("#cells .shape.unknown")`)
	w.serve(w.server.Config)
	b.has("#cells .up", "answers")
	b.has("#link", "Live")
	b.shows("document.querySelector('#silence').hidden && !document.title.startsWith('(!)')")
}

// pageLeavesADeadLine: a line that says nothing more, and does not break, is left for another.
func pageLeavesADeadLine(t *testing.T, browser context.Context) {
	w := newWorld(t)
	w.sees(running(71))
	var first sync.Once
	dead := make(chan struct{})
	front := w.proxied(func(proxy http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/live" {
				first.Do(func() { rw = swallower{rw, dead} })
			}
			proxy.ServeHTTP(rw, r)
		})
	})
	b := w.opens(browser, front+"?view=jobs")
	b.has("#link", "Live")
	b.has(rowOf(71), "Running")
	close(dead)
	w.sees(ended(71, "Completed", time.Now()))
	b.has(rowOf(71), "Completed")
	b.has("#link", "Live")
	b.clean()
}

// swallower hands on no answer any more once it is dead.
type swallower struct {
	http.ResponseWriter
	dead chan struct{}
}

func (s swallower) Write(data []byte) (int, error) {
	select {
	case <-s.dead:
		return len(data), nil
	default:
		return s.ResponseWriter.Write(data)
	}
}

func (s swallower) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// pageKeepsLinesStraight has texts that override the direction: they stand as written, and turn nothing around.
func pageKeepsLinesStraight(t *testing.T, browser context.Context) {
	const evil = "fs\u202egpj.elif \u2066\x1b[2J\u200f"
	const shown = `fs\u202egpj.elif \u2066\u001b[2J\u200f`
	w := newWorld(t)
	w.becomes(http.StatusServiceUnavailable, "ok    nats")
	b := w.opens(browser, w.url+"?view=jobs")
	events := w.opens(browser, w.url+"?view=events")
	events.has("#link", "Live")
	b.has("#link", "Live")
	s := job.Snapshot{Number: 71, State: "Running", Phase: evil, Client: evil, Operation: evil}
	w.sees(s)
	s.State, s.Reason, s.Machines = "Pending", evil, []job.VM{{Name: evil, Reason: evil}}
	w.sees(s)
	for _, cell := range []string{"client", "operation", "phase", "reason"} {
		b.has("#jobs ."+cell, shown)
	}
	events.has("#events", "prod/71 · "+shown, shown+": "+shown)
	events.has("#events .what bdi", shown)
	b.has("#jobs .client bdi", shown)
	w.commServe.goes(fmt.Errorf("%s", evil))
	w.poll()
	b.do(chromedp.Navigate(w.url))
	b.has("#cells .down .reason", shown)
	events.shows(`!/[\p{Bidi_Control}\x1b]/u.test(document.body.textContent)`)
	b.shows(`!/[\p{Bidi_Control}\x1b]/u.test(document.body.textContent)`)
	b.clean()
}
