package web

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/job"
)

// figures are what was measured of each name, several times.
type figures map[string][]float64

func (f figures) add(name string, ms float64) { f[name] = append(f[name], ms) }

func (f figures) report(b *testing.B) {
	for name, of := range f {
		slices.Sort(of)
		b.ReportMetric(of[len(of)/2], name+"-ms")
	}
}

// BenchmarkPageOfFiftyThousand measures what somebody waits for who looks at 50,000 jobs, and beside each of it, in the
// same browser, the least that it could be: the first paint of a page of one word, a fetch of the table alone, a frame in
// which nothing happens, the event as a client without a page reads it.
func BenchmarkPageOfFiftyThousand(b *testing.B) {
	w := manyWorld(b, manyShown)
	browser := startBrowser(b)
	f := figures{}
	for number := int64(900_000); b.Loop(); number++ {
		word := w.opens(browser, w.url+"/healthz")
		f.add("bare-paint", word.firstPaint())
		page := w.opens(browser, w.url+"?view=jobs") // at first the watcher has made no table yet
		complete := page.waitsFor(`document.querySelector("#count")?.textContent.startsWith("50,") && performance.now()`)
		f.add("first-paint", page.firstPaint())
		if number == 900_000 {
			f.add("complete-first", complete)
		} else {
			f.add("complete", complete)
		}
		w.forgetTables()
		f.add("bare-table", awaits(page, `(async () => { const began = performance.now(); await (await fetch("api/v1/table")).text(); return performance.now() - began; })()`))
		page.filters(f)
		page.hearsOf(f, w, number)
		page.closes()
		word.closes()
		w.forgetTables()
	}
	f.report(b)
}

// forgetTables has the table be made anew, as it is when something has changed.
func (w *world) forgetTables() {
	w.server.tables.mu.Lock()
	defer w.server.tables.mu.Unlock()
	w.server.tables.answers = nil
}

func (b *tab) firstPaint() float64 {
	b.Helper()
	return b.waitsFor(`performance.getEntriesByName("first-contentful-paint")[0]?.startTime`)
}

// waitsFor gives what an expression of JavaScript is in the first frame in which it is anything.
func (b *tab) waitsFor(expression string) float64 {
	b.Helper()
	is, err := chromedp.Run(b.ctx, chromedp.Poll[float64](expression, chromedp.WithPollingTimeout(pollFor)))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return is
}

func awaits(b *tab, promise string) float64 {
	b.Helper()
	is, err := chromedp.Run(b.ctx, chromedp.Evaluate[float64](promise, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%s: %v", promise, err)
	}
	return is
}

// framed is how long it takes until a frame is drawn in which something was done.
const framed = `new Promise((done) => { const began = performance.now(); %s;
	requestAnimationFrame(() => { const behind = new MessageChannel(); behind.port1.onmessage = () => done(performance.now() - began); behind.port2.postMessage(0); }); })`

// filters types queries as somebody does, letter by letter.
func (b *tab) filters(f figures) {
	b.Helper()
	b.preparesSearch()
	for _, query := range []string{"c", "cl", "class:failed", "class:failed sql", "-completed", "client:*web*", "no such words"} {
		f.add("bare-frame", awaits(b, fmt.Sprintf(framed, "")))
		f.add("filter", awaits(b, fmt.Sprintf(framed, fmt.Sprintf(
			`const input = document.getElementById("filter"); input.value = %q; input.dispatchEvent(new Event("input", { bubbles: true }))`, query))))
	}
}

// hearsOf has an event happen: how long until it is on the screen, and until a client of the line has read it.
func (b *tab) hearsOf(f figures, w *world, number int64) {
	b.Helper()
	b.moves("?view=jobs&q=" + escaped(fmt.Sprintf("prod/%d", number)))
	w.sees(running(number))
	b.has(rowOf(int(number)), "Running")
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/v1/live", nil)
	w.must(err)
	line, err := http.DefaultClient.Do(request)
	w.must(err)
	defer line.Body.Close()
	read := make(chan time.Time, 1)
	begun := make(chan bool)
	go func() {
		text := bufio.NewScanner(line.Body)
		text.Buffer(nil, 1<<20)
		for text.Scan() {
			switch {
			case text.Text() == "event: progress":
				close(begun)
			case strings.Contains(text.Text(), `"to":"Pending"`):
				read <- time.Now()
				return
			}
		}
	}()
	<-begun
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (window.seen = new Promise((done) => {
		const look = () => (document.querySelector(%q)?.textContent.includes("Pending") ? done(Date.now()) : requestAnimationFrame(look)); look(); }))`, rowOf(int(number)))))
	w.commServe.is(job.Snapshot{Number: number, State: "Pending", Client: "autumn"})
	began := time.Now()
	w.poll()
	f.add("live", awaits(b, "window.seen")-float64(began.UnixMicro())/1000)
	f.add("bare-live", float64((<-read).Sub(began).Microseconds())/1000)
	w.commServe.is(ended(number, "Completed", time.Now()))
	w.poll()
}

func (b *tab) closes() {
	b.Helper()
	if err := chromedp.Cancel(b.ctx); err != nil {
		b.Fatal(err)
	}
}
