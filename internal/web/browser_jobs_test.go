package web

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"jobwatch/internal/testing/slow"
)

// TestJobsPage finds, sorts and groups jobs in a browser, with the keyboard and from the address.
func TestJobsPage(t *testing.T) {
	slow.Test(t, "25 s", "the list of jobs in a real browser")
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"finds":     jobsAreFound,
		"changes":   jobsChange,
		"many":      listOfMany,
		"ten tabs":  tenTabs,
		"grows old": sceneGrowsOld,
		"in order":  eventsBesideTheTable,
		"backlog":   oldEventsChangeNothing,
		"gone":      lineThatCannotGoOn,
		"exports":   jobsAreExported,
		"only keys": onlyKeys,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser) })
	}
}

func someJobs() []sceneRow {
	reason := func(text string) func(*sceneRow) { return func(r *sceneRow) { r.Reason = cut(text) } }
	return []sceneRow{
		of(1, "Running", "sql-01", 90*time.Minute), of(2, "Running", "oracle-01", 20*time.Minute, func(r *sceneRow) { r.stalled = time.Now().Add(-41 * time.Minute) }),
		of(3, "Waiting", "payroll", 6*time.Minute, reason("all streams are in use")), of(4, "Pending", "archive", 72*time.Minute, reason("no drive is free")),
		of(5, "Failed", "sql-02", 9*time.Minute, reason("The MediaAgent cannot be reached")), of(6, "Failed", "sql-03", 19*time.Minute, reason("The MediaAgent cannot be reached")),
		of(7, "Completed", "web-01", time.Hour), of(8, "Killed", "web-02", 3*time.Hour), of(9, "Completed w/ one or more errors", "vcenter", 2*time.Hour, func(r *sceneRow) { r.failedVMs = "sql-44, cache-21" }),
		of(10, "Failed", "web-03", 5*time.Hour), of(11, "Completed", "web-03", time.Hour), // mended since
	}
}

func jobsAreFound(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	all := []string{"prod/2", "prod/1", "prod/4", "prod/3", "prod/5", "prod/6", "prod/9", "prod/8", "prod/10", "prod/11", "prod/7"}
	b := openTab(t, browser, s.url+"?view=jobs")
	b.has("#count", "11 jobs")
	b.order(all...)
	for class, count := range map[string]string{"active": "2", "stalled": "1", "failed": "3", "partial": "1", "killed": "1", "succeeded": "2"} {
		b.has("#chip-"+class, count)
	}
	for query, found := range map[string][]string{
		"class:failed client:sql*": {"prod/5", "prod/6"}, "-completed class:succeeded,killed": {"prod/8"}, `"drive is free"`: {"prod/4"}, `"free drive"`: {},
		"sql": {"prod/1", "prod/5", "prod/6", "prod/9"}, "client:SQL": {"prod/1", "prod/5", "prod/6"}, "vm:cache*": {}, "vm:*cache*": {"prod/9"}, "is:stalled": {"prod/2"},
		"is:attention": {"prod/2", "prod/4", "prod/5", "prod/6", "prod/9", "prod/8"}, "reason:mediaagent -client:sql-02": {"prod/6"}, "prod/11": {"prod/11"},
	} {
		b.do(chromedp.Navigate(s.url + "?view=jobs&q=" + escaped(query)))
		b.order(found...)
		b.shows(fmt.Sprintf("document.querySelector('#filter').value === %q", query))
	}
	b.do(chromedp.Navigate(s.url + "?view=jobs&q=prod/11"))
	b.has("#count", "1 of 11 jobs match")
	b.do(chromedp.Click("#chip-killed"))
	b.shows(`new URLSearchParams(location.search).get("q") === "class:killed prod/11"`)
	b.do(chromedp.Navigate(s.url + "?view=jobs&q=class:failed&group=reason"))
	b.has("#jobs tr.group:nth-child(2)", "2 ×", "The MediaAgent cannot be reached")
	b.do(chromedp.Navigate(s.url + "?view=jobs&q=client:web*&sort=-client"))
	b.order("prod/10", "prod/11", "prod/8", "prod/7")

	b.do(chromedp.Navigate(s.url + "?view=jobs"))
	b.order(all...)
	b.do(chromedp.KeyEvent("/"))
	b.shows(`document.activeElement.id === "filter"`)
	b.do(chromedp.KeyEvent("class:failed"))
	b.order("prod/5", "prod/6", "prod/10")
	b.shows(`new URLSearchParams(location.search).get("q") === "class:failed"`)
	b.do(chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("k"), chromedp.KeyEvent("j"))
	b.shows(`document.querySelector("tr.on")?.dataset.key === "prod/6" && document.activeElement.textContent === "prod/6"`)
	b.do(chromedp.KeyEvent(kb.Enter))
	b.has("#job", "sql-03", "Failed")
	b.do(chromedp.KeyEvent(kb.Escape))
	b.order("prod/5", "prod/6", "prod/10")
	b.do(chromedp.KeyEvent("?"))
	b.shows(`document.querySelector("dialog").open`)
	b.clean()
}

// jobsChange has events change rows, in the list and in the counts, without the table being asked for again.
func jobsChange(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	b := openTab(t, browser, s.url+"?view=jobs&q=class:failed")
	b.order("prod/5", "prod/6", "prod/10")
	b.has("#link", "Live")
	s.tells(of(1, "Failed", "sql-01", 0), map[string]any{"kind": "state", "detail": "failed", "from": "Running", "to": "Failed"}, "error")
	b.order("prod/1", "prod/5", "prod/6", "prod/10")
	b.has("#chip-failed", "4")
	b.shows(`document.title.startsWith("(7) ")`)
	s.tells(of(12, "Failed", "new", 0), map[string]any{"kind": "state", "detail": "failed", "from": nil, "to": "Failed"}, "error")
	b.has("#chip-failed", "5")
	if _, _, tables := s.count(); tables != 1 {
		t.Errorf("the table was asked for %d times", tables)
	}
	b.clean()
}

// listOfMany has as many as a large site keeps: of them few are elements, and the last is found.
func listOfMany(t *testing.T, browser context.Context) {
	const many = 50_000
	var rows []sceneRow
	for n := range int64(many) {
		state := []string{"Completed", "Completed", "Running", "Failed", "Waiting"}[n%5]
		rows = append(rows, of(n+1, state, fmt.Sprintf("client-%d", n), time.Duration(n)*time.Second))
	}
	s := newScene(t, rows...)
	b := openTab(t, browser, s.url+"?view=jobs")
	b.has("#count", "50,000 jobs")
	b.has("#chip-failed", "10,000")
	b.shows(`document.querySelectorAll("*").length < 2000`)
	b.shows(`document.querySelector(".rows")`) // the counts come before it, from the status
	b.do(chromedp.Evaluate[chromedp.Void](`void (document.querySelector(".rows").scrollTop = 1e9)`))
	b.shows(`document.querySelector('#jobs tr[aria-rowindex="50001"]')`)
	b.shows(`document.querySelectorAll("*").length < 2000`)
	b.do(chromedp.Click("#jobs tr[aria-rowindex='50001'] a.job"))
	b.has("main h1", "prod/")
	b.do(chromedp.Focus("main"), chromedp.KeyEvent(kb.Escape))
	b.shows(`document.querySelector('#jobs tr[aria-rowindex="50001"]')`) // where one was
	b.do(chromedp.Focus("#filter"), chromedp.KeyEvent("client-49999"))
	b.order("prod/50000")
	b.clean()
}

// tenTabs has one browser look ten times: all of them hear what happens, by one line.
func tenTabs(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	var tabs []*tab
	for range 10 {
		tabs = append(tabs, openTab(t, browser, s.url+"?view=jobs&q=class:failed"))
		tabs[len(tabs)-1].has("#chip-failed", "3")
	}
	s.tells(of(1, "Failed", "sql-01", 0), map[string]any{"kind": "state", "detail": "failed", "from": "Running", "to": "Failed"}, "error")
	for _, b := range tabs {
		b.has("#chip-failed", "4")
	}
	if open, opened, _ := s.count(); open != 1 || opened != 1 {
		t.Errorf("%d lines are open, of %d", open, opened)
	}
}

// sceneGrowsOld has the watcher go silent: within 10 seconds all of the page says so.
func sceneGrowsOld(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	b := openTab(t, browser, s.url+"?view=jobs")
	b.has("#link", "Live")
	b.shows(`document.querySelector("#silence").hidden && !document.title.startsWith("(!)")`)
	s.server.CloseClientConnections()
	s.server.Config.SetKeepAlivesEnabled(false)
	s.server.Listener.Close()
	b.has("#link", "Disconnected, reconnecting…")
	b.has("#silence", "Nothing was heard from the watcher since")
	b.shows(`!document.querySelector("#silence").hidden && document.title.startsWith("(!)") && document.body.classList.contains("silent")`)
}

// eventsBesideTheTable: an event that the table knows already changes nothing, and one that comes while it is under way is not lost.
func eventsBesideTheTable(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	told := func(state string) {
		s.tells(of(1, state, "sql-01", 0), map[string]any{"kind": "state", "detail": "any", "to": state}, "info")
	}
	told("Waiting")
	s.mu.Lock()
	s.rows[0] = of(1, "Completed", "sql-01", 0) // as another event would have had it, which is not among the last
	s.mu.Unlock()
	s.lineWaits = make(chan struct{})
	b := openTab(t, browser, s.url+"?view=jobs&q=client:sql-01")
	b.has(rowOf(1), "Completed")
	close(s.lineWaits)
	b.do(chromedp.Click("nav[aria-label=Pages] a:nth-child(3)"))
	b.has("#events li", "Waiting")
	b.do(chromedp.Click("nav[aria-label=Pages] a:nth-child(2)"))
	b.has(rowOf(1), "Completed")

	s = newScene(t, someJobs()...)
	taken := make(chan struct{})
	s.tableSent = func() {
		for open := 0; open == 0 && t.Context().Err() == nil; time.Sleep(5 * time.Millisecond) { // until somebody hears it
			open, _, _ = s.count()
		}
		s.tells(of(1, "Completed", "sql-01", 0), map[string]any{"kind": "state", "detail": "completed", "to": "Completed"}, "info")
		<-taken
	}
	b = openTab(t, browser, s.url+"?view=events")
	b.has("#events li", "Completed")
	close(taken)
	b.do(chromedp.Click("nav[aria-label=Pages] a:nth-child(2)"))
	b.has(rowOf(1), "Completed")
	b.clean()
}

// oldEventsChangeNothing: while events that waited for NATS come, no row becomes older than the table had it.
func oldEventsChangeNothing(t *testing.T, browser context.Context) {
	s := newScene(t, of(1, "Completed", "sql-01", time.Minute), of(2, "Completed", "sql-02", time.Minute))
	s.rows[0].sequence, s.rows[1].sequence = 5, 5
	b := openTab(t, browser, s.url)
	b.has("#sentence", "0 run, 0 wait; 2 ended well")
	tells := func(number int64, sequence int, seen time.Time) {
		r := of(number, "Running", fmt.Sprintf("sql-0%d", number), time.Hour)
		r.sequence = sequence
		s.tells(r, map[string]any{"kind": "state", "detail": "running", "from": "Waiting", "to": "Running", "observedAt": seen}, "info")
	}
	for sequence := range 5 {
		tells(1, sequence+1, time.Now().Add(-time.Hour))
	}
	tells(3, 1, time.Now()) // one that the table had not
	b.has("#sentence", "1 run, 0 wait; 2 ended well")
	tells(2, 4, time.Now().Add(time.Minute)) // of another writer, who goes on from what the stream has
	b.has("#sentence", "2 run, 0 wait; 1 ended well")
	tells(1, 6, time.Now())
	b.has("#sentence", "3 run, 0 wait; 0 ended well")
	b.clean()
}

// lineThatCannotGoOn: a line that says so has the table loaded anew, and what was told before is not shown as if nothing lay between.
func lineThatCannotGoOn(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	tells := func(phase string) {
		s.tells(of(2, "Running", "oracle-01", time.Hour), map[string]any{"kind": "phase", "detail": "any", "to": phase}, "info")
	}
	tells("early")
	b := openTab(t, browser, s.url+"?view=jobs&q=client:sql-01")
	b.has(rowOf(1), "Running")
	b.has("#link", "Live")
	events := openTab(t, browser, s.url+"?view=events")
	events.has("#eventcount", "1 of the last 1")
	s.mu.Lock()
	lines := s.lines
	s.lines = nil
	s.mu.Unlock()
	for range 70 {
		tells("unheard")
	}
	s.mu.Lock()
	s.lines = lines
	s.rows[0] = of(1, "Completed", "sql-01", 0)
	for line := range s.lines {
		line <- "event: gone\ndata: {}\n\n"
	}
	s.mu.Unlock()
	b.has(rowOf(1), "Completed")
	events.has("#eventcount", "60 of the last 60")
}

// jobsAreExported as they are found and sorted; what a spreadsheet would take for a formula stays a text.
func jobsAreExported(t *testing.T, browser context.Context) {
	s := newScene(t, append(someJobs(), of(20, "Failed", `=cmd|"/c calc"!A1`, time.Minute))...)
	b := openTab(t, browser, s.url+"?view=jobs&q=class:failed&sort=-job")
	b.order("prod/20", "prod/10", "prod/6", "prod/5")
	b.do(chromedp.Evaluate[chromedp.Void](`void (URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); return "#"; })`))
	b.do(chromedp.Click("#csv"))
	b.shows(`window.saved?.startsWith("commcell,id,state,class,") && window.saved.split("\r\n").length === 5`)
	b.shows(`window.saved.split("\r\n")[1].startsWith('"prod","20","Failed","failed","true","",') && window.saved.includes(',"\'=cmd|""/c calc""!A1",')`)
	b.do(chromedp.Click("#json"))
	b.shows(`window.saved.startsWith("[") && JSON.parse(window.saved).map((one) => one.id).join() === "20,10,6,5" && JSON.parse(window.saved)[1].client === "web-03"`)
}

// onlyKeys goes through the page with the keyboard alone, and sees at each step where it is.
func onlyKeys(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	s.answers["prod/5"] = map[string]any{"job": map[string]any{"state": "Failed"}}
	b := openTab(t, browser, s.url)
	b.has("#sentence", "jobs need you")
	b.tabsTo("a.skip")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.shows(`document.activeElement.id === "main" || location.hash === "#main"`)
	b.do(chromedp.Navigate(s.url))
	b.has("#sentence", "jobs need you")
	b.tabsTo("nav[aria-label=Pages] a:nth-child(2)")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.has("#count", "11 jobs")
	b.tabsTo("#chip-failed")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.order("prod/5", "prod/6", "prod/10")
	b.tabsTo("th.c-client a")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.shows(`document.querySelector("th.c-client").ariaSort === "ascending"`)
	b.order("prod/5", "prod/6", "prod/10")
	b.tabsTo("#jobs tr:nth-child(2) a.job")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.has("#job", "sql-02", "Failed")
	b.tabsTo("#ask")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.has("#answer", `"state": "Failed"`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.order("prod/5", "prod/6", "prod/10")
	b.do(chromedp.KeyEvent("?"))
	b.shows(`document.querySelector("dialog").open`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.shows(`!document.querySelector("dialog").open`)
	b.tabsTo("nav[aria-label=Pages] a:nth-child(3)")
	b.do(chromedp.KeyEvent(kb.Enter))
	s.tells(of(7, "Completed", "web-01", time.Hour), map[string]any{"kind": "state", "detail": "completed", "to": "Completed"}, "info")
	b.shows(`document.querySelector("#pause:enabled")`) // there is something to hold
	b.tabsTo("#pause")
	b.do(chromedp.KeyEvent(" "))
	b.has("#pause", "Go on")
	b.clean()
}

// tabsTo goes on with Tab until an element has the focus, and shows that it has.
func (b *tab) tabsTo(selector string) {
	b.Helper()
	b.shows(fmt.Sprintf("document.querySelector(%q)", selector))
	for range 200 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if evaluate[bool](b, fmt.Sprintf("document.activeElement === document.querySelector(%q)", selector)) {
			if !evaluate[bool](b, `document.activeElement.matches(":focus-visible") && ["outlineStyle", "boxShadow"].some((name) => getComputedStyle(document.activeElement)[name] !== "none")`) {
				b.Errorf("%s has the focus, and nothing shows it", selector)
			}
			return
		}
	}
	b.Fatalf("no Tab leads to %s", selector)
}
