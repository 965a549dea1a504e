package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/job"
	"jobwatch/internal/testing/slow"
)

// tab is the page in a real Chromium.
type tab struct {
	testing.TB
	ctx context.Context

	mu     sync.Mutex
	errors []string // that the page's console has shown; guarded by mu
}

// TestPage opens the page in tabs of one browser, which takes long to start.
func TestPage(t *testing.T) {
	slow.Test(t, "60 s", "the page in a real browser, which has to wait until it is silent")
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"shows what happens":   pageShowsWhatHappens,
		"takes names for text": pageTakesNamesForText,
		"links machines":       pageLinksMachines,
		"comes back":           pageComesBack,
		"with a token":         pageWithAToken,
		"on a phone":           pageOnAPhone,
		"behind nginx":         pageBehindNginx,
		"counts all jobs":      pageCountsAllJobs,
		"grows old":            pageGrowsOld,
		"leaves a dead line":   pageLeavesADeadLine,
		"keeps lines straight": pageKeepsLinesStraight,
		"shows relays":         pageShowsRelays,
		"shows members":        pageShowsMembers,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser) })
	}
}

// startBrowser starts a Chromium that knows nothing.
func startBrowser(t testing.TB) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("Chromium does not start: %v; make setup installs it", err)
	}
	return ctx
}

// opens opens the page in a tab of its own.
func (w *world) opens(browser context.Context, url string) *tab {
	w.Helper()
	return openTab(w.TB, browser, url)
}

func openTab(t testing.TB, browser context.Context, url string) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	b := &tab{TB: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(1400, 900))
	console := chromedp.Console(ctx)
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			b.hears(fmt.Sprint(m))
		}
	}()
	b.do(chromedp.Navigate(url))
	return b
}

func (b *tab) hears(message string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.errors = append(b.errors, message)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

var pollFor = 3 * time.Minute // until a test gives up

// shows waits until an expression of JavaScript holds in the page.
func (b *tab) shows(expression string) {
	b.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[chromedp.Void](expression,
		chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(pollFor)))
	if err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.search + "\n" + document.body.innerText`))
		b.mu.Lock()
		defer b.mu.Unlock()
		b.Fatalf("waited in vain: %s: %v\nthe page says:\n%s\nits console:\n%s", expression, err, text, strings.Join(b.errors, "\n"))
	}
}

// has waits until an element has words in it.
func (b *tab) has(selector string, words ...string) {
	b.Helper()
	for _, text := range words {
		b.shows(fmt.Sprintf("document.querySelector(%q)?.textContent.includes(%q)", selector, text))
	}
}

// order waits until the list has these jobs, in this order.
func (b *tab) order(keys ...string) {
	b.Helper()
	b.shows(fmt.Sprintf("[...document.querySelectorAll('#jobs tr[data-key]')].map((row) => row.dataset.key).join() === %q", strings.Join(keys, ",")))
}

// fits wants nothing to stand out of the view to the right.
func (b *tab) fits(width int64) {
	b.Helper()
	wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.documentElement.scrollWidth <= %[1]d ? "" : location.search + ": " +
		[...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > %[1]d).slice(0, 4).map((e) => e.outerHTML.slice(0, 200)).join("\n")`, width)))
	if err != nil {
		b.Fatal(err)
	}
	if wide != "" {
		b.Errorf("wider than %d: %s", width, wide)
	}
}

func escaped(query string) string { return url.QueryEscape(query) }

func cut(text string) job.Text { return job.Text(text) }

// clean fails the test if the page's console has shown anything, as what the policy forbids.
func (b *tab) clean() {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.errors) > 0 {
		b.Errorf("the page's console says:\n%s", strings.Join(b.errors, "\n"))
	}
}

// pageLinksMachines leads from a machine that failed to its own job, and from that to the job of all machines.
func pageLinksMachines(t *testing.T, browser context.Context) {
	w := newWorld(t)
	child := job.Snapshot{Number: 72, State: "Running", Client: "mail", ParentJob: new(int64(71))}
	w.commServe.is(child)
	w.sees(child)
	b := w.opens(browser, w.url+"?view=events")
	b.has("#link", "Live")
	own := w.opens(browser, w.url+"?view=job&job=prod/72")
	own.has("#who", "part of prod/71")
	own.shows(`document.querySelector("#who a").getAttribute("href") === "?view=job&job=prod%2F71"`)
	parent := running(71)
	parent.Machines = []job.VM{{Name: "mail", Job: new(int64(72)), Reason: "no disk"}, {Name: "db", Job: new(int64(73)), Reason: "no host"}}
	w.sees(parent)
	b.has("#events", "mail: no disk", "db: no host")
	b.shows(`[...document.querySelectorAll("#events .what a")].map((a) => a.textContent + " " + a.getAttribute("href")).join() === "mail ?view=job&job=prod%2F72"`)
	own.do(chromedp.Navigate(w.url + "?view=jobs&q=vm:*db*"))
	own.order("prod/71")
	own.has("#jobs", "2 of 2 machines failed: mail, db")
	b.clean()
}

func pageShowsWhatHappens(t *testing.T, browser context.Context) {
	w := newWorld(t)
	w.becomes(http.StatusServiceUnavailable, "ok    nats")
	b := w.opens(browser, w.url)
	b.has("#link", "Live")
	b.has("#noevents", "Nothing was told yet.")
	b.has("#cells", "prod", "not asked yet")
	b.has("#trouble", "commcell prod: nothing has been asked yet")
	list := w.opens(browser, w.url+"?view=jobs")
	list.has("#nojobs", "No job is known yet.")

	w.commServe.is(job.Snapshot{Number: 72, State: "Waiting", Client: "winter"})
	w.sees(running(71))
	b.has("#events li", "prod/7")
	list.order("prod/71", "prod/72")
	list.has(rowOf(71), "client-71", "Running", "Backup", "42 %")
	list.has(rowOf(72), "winter", "Waiting")
	b.has("#cells .up", "prod", "answers")
	b.has("#sentence", "Nothing needs you", "1 run, 1 wait")
	b.shows("document.querySelector('#trouble').hidden")

	w.sees(job.Snapshot{Number: 71, State: "Failed", Client: "client-71"})
	b.has("#events li", "prod/71", "Running → Failed")
	b.has("#sentence", "1 job needs you")
	list.order("prod/72", "prod/71") // what has not ended comes first
	list.has("#jobs tr.bad", "prod/71", "Failed")
	list.has("#count", "of all: 0 running, 1 failed or incomplete, 2 in all")

	list.do(chromedp.SendKeys("#filter", "winter wait"))
	list.order("prod/72")
	list.do(chromedp.SendKeys("#filter", "!"))
	list.has("#nojobs", "No job has these words.")
	list.moves("?view=jobs&q=clint:foo")
	list.has("#nojobs", "clint: is no field of the search; ? names them")

	w.commServe.goes(errAway)
	w.poll()
	b.has("#cells .down", "does not answer", "connection refused")
	b.clean()
	list.clean()
}

func rowOf(number int) string { return fmt.Sprintf("#jobs tr[data-key='prod/%d']", number) }

// What the CommServe says is text, whatever it looks like.
func pageTakesNamesForText(t *testing.T, browser context.Context) {
	const evil = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`
	w := newWorld(t)
	w.becomes(http.StatusServiceUnavailable, "ok    nats")
	b := w.opens(browser, w.url+"?view=jobs")
	b.has("#link", "Live")
	events := w.opens(browser, w.url+"?view=events")
	events.has("#link", "Live")
	w.sees(job.Snapshot{
		Number: 71, State: evil, Phase: "<b>Scan</b>", Client: evil, Operation: "<i>Backup</i>", Reason: "<u>no media</u> & more",
	})
	events.shows(fmt.Sprintf("[...document.querySelectorAll('#events li')].some(li => li.textContent.includes(%q))", evil))
	for range 2 { // from the events, and from the table
		b.has("#jobs .client", evil)
		b.has("#jobs .state", evil)
		b.has("#jobs .phase", "<b>Scan</b>")
		b.has("#jobs .operation", "<i>Backup</i>")
		b.has("#jobs .reason", "<u>no media</u> & more")
		b.do(chromedp.Reload())
	}
	w.commServe.goes(fmt.Errorf("%s", evil))
	w.poll()
	b.do(chromedp.Navigate(w.url))
	b.has("#cells .down", evil)
	for _, b := range []*tab{b, events} {
		b.shows("document.title.endsWith('jobwatch') && !document.querySelector('main img, body script, i, u, main b b')")
		b.clean()
	}
}

func pageComesBack(t *testing.T, browser context.Context) {
	w := newWorld(t)
	w.sees(running(71))
	w.sent()
	b := w.opens(browser, w.url+"?view=events")
	b.has("#link", "Live")
	b.shows("document.querySelectorAll('#events li').length === 2") // state, phase
	list := w.opens(browser, w.url+"?view=jobs")
	list.has(rowOf(71), "Running")
	w.stop()
	b.has("#link", "Disconnected, reconnecting…")
	w.sees(job.Snapshot{Number: 71, State: "Completed", Client: "client-71"})
	w.sent()
	w.serve(w.server.Config)
	b.has("#link", "Live")
	list.has(rowOf(71), "Completed")
	b.has("#events li", "Running → Completed")
	b.shows("document.querySelectorAll('#events li').length === 3") // none twice
}

// A browser that shows the token as a password sends it with the events too.
func pageWithAToken(t *testing.T, browser context.Context) {
	w := newWorld(t, func(c *Config) { c.Token = "s3cret" })
	w.sees(running(71))
	b := w.opens(browser, strings.Replace(w.url, "http://", "http://me:s3cret@", 1)+"?view=jobs")
	b.has("#link", "Live")
	w.sees(job.Snapshot{Number: 71, State: "Completed", Client: "client-71"})
	b.has(rowOf(71), "Completed")
	b.clean()
}

func pageOnAPhone(t *testing.T, browser context.Context) {
	w := newWorld(t)
	long := running(71)
	long.Client, long.State = job.Text(strings.Repeat("client", 30)), "Running (cannot be verified)"
	long.Reason = job.Text(strings.Repeat("reason ", 60))
	w.sees(long)
	b := w.opens(browser, w.url)
	b.do(chromedp.EmulateViewport(360, 740))
	for _, address := range everyView("prod/71") {
		b.do(chromedp.Navigate(w.url + address))
		b.has("#link", "Live")
		b.shows("document.querySelector('main h1')")
		b.fits(360)
		b.shows("document.documentElement.lang === 'en' && document.querySelector('#filter').labels.length === 1")
		b.shows("document.querySelector('#link').getAttribute('aria-live') === 'polite'")
	}
	b.do(chromedp.Navigate(w.url + "?view=jobs"))
	b.has(rowOf(71), "Running")
	b.clean()
}
