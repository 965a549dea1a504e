package web

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"jobwatch/internal/job"
	"jobwatch/internal/testing/slow"
)

const manyShown = 50_000

// TestFiftyThousandJobs holds what the page may take of a browser and of the wire. How fast it is depends on the machine:
// BenchmarkPageOfFiftyThousand measures that.
func TestFiftyThousandJobs(t *testing.T) {
	slow.Test(t, "20 s", "the page with 50,000 jobs, in a real browser")
	w := manyWorld(t, manyShown)
	b := w.opens(startBrowser(t), w.url+"?view=jobs")
	b.has("#count", "50,000 jobs;")
	sent := w.wire.sent.Load()
	t.Logf("%d bytes were sent until the list was complete", sent)
	if sent > 1_000_000 {
		t.Errorf("%d bytes were sent until the list was complete", sent)
	}
	b.countsAsTheServer(w)
	b.do(chromedp.Evaluate[chromedp.Void]("void (window.same = true)"))
	for _, address := range everyView("prod/1020") {
		b.moves(address)
		b.shows("document.querySelector('main h1') && !document.querySelector('main').textContent.includes('Loading')")
		b.fewElements(address)
	}

	for number := range int64(300) {
		w.commServe.is(running(900_000 + number))
	}
	w.poll()
	b.moves("?view=jobs")
	b.has("#count", "50,300 jobs;")
	b.moves("?view=jobs&q=prod/900299")
	b.has(rowOf(900_299), "Running")
	began := time.Now()
	w.sees(job.Snapshot{Number: 900_299, State: "Pending", Client: "client-900299", Reason: "no drive is free"})
	b.has(rowOf(900_299), "Pending", "no drive is free")
	t.Logf("an event is on the screen after %v", time.Since(began))
	b.moves("?view=jobs")
	b.countsAsTheServer(w)
	b.fewElements("after the events")
	if tables := evaluate[int](b, `performance.getEntriesByType("resource").filter((one) => one.name.includes("/api/v1/table")).length`); int64(tables) > w.wire.lines.Load() || !evaluate[bool](b, "window.same === true") {
		t.Errorf("the table was asked for %d times, and a line %d times", tables, w.wire.lines.Load())
	}
	b.smallHeap()
	b.clean()
}

func evaluate[T any](b *tab, expression string) T {
	b.Helper()
	is, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return is
}

// moves goes to another view without loading the page anew, as a link does.
func (b *tab) moves(address string) {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const link = document.createElement("a"); link.href = %q; document.body.append(link); link.click(); link.remove(); }`, address)))
	b.shows(fmt.Sprintf("location.search === %q", address))
}

// countsAsTheServer waits until the counts above the list are those of the status, which may be some seconds old.
func (b *tab) countsAsTheServer(w *world) {
	b.Helper()
	var shown, told map[string]int
	w.until("the page counts as the status does", func() bool {
		var is status
		w.getJSON("/api/v1/status", &is)
		told = is.Jobs.Classes
		shown = evaluate[map[string]int](b, `Object.fromEntries([...document.querySelectorAll(".chips a")].map((chip) => [chip.id.replace("chip-", ""), Number(chip.querySelector("b").textContent.replaceAll(",", ""))]))`)
		delete(shown, "stalled") // none is
		return maps.Equal(shown, told)
	})
	sum := 0
	for _, n := range shown {
		sum += n
	}
	if sum < manyShown {
		b.Errorf("%d jobs are counted: %v", sum, shown)
	}
}

func (b *tab) fewElements(where string) {
	b.Helper()
	if n := evaluate[int](b, `document.querySelectorAll("*").length`); n >= 2000 {
		b.Errorf("%s: %d elements", where, n)
	}
}

// preparesSearch waits until the page has made what the search looks into.
func (b *tab) preparesSearch() {
	b.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`void import(new URL("page/state.js", location)).then(({ known }) => { window.prepared = () => [...known.rows.values()].every((row) => row.words !== null); })`))
	b.shows("window.prepared?.()")
}

// smallHeap wants the page to hold little once all that it makes ready is made, and what is not needed is given back.
func (b *tab) smallHeap() {
	b.Helper()
	b.preparesSearch()
	used := func() float64 {
		if _, err := chromedp.Call(b.ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			b.Fatal(err)
		}
		usage, err := chromedp.Call(b.ctx, runtime.GetHeapUsage, cdp.Empty{})
		if err != nil {
			b.Fatal(err)
		}
		return usage.UsedSize
	}
	heap := used()
	b.Logf("the page's heap has %.1f MB, %d elements", heap/1e6, evaluate[int](b, `document.querySelectorAll("*").length`))
	if heap > 60e6 {
		b.Errorf("the page's heap has %.1f MB", heap/1e6)
	}
}
