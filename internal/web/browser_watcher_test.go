package web

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/testing/slow"
)

// TestWatcherView opens what the page says of the watcher itself, in a browser.
func TestWatcherView(t *testing.T) {
	slow.Test(t, "10 s", "the Watcher view in a real browser")
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"draws the cycles":      watcherDrawsTheCycles,
		"says how it stands":    watcherSaysHowItStands,
		"unfolds configuration": watcherUnfolds,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser) })
	}
}

// drawn are the points of the first plot that have the colour of a variable of the page's style.
const drawn = `((name) => {
	const canvas = document.querySelector(".chart canvas");
	if (!canvas) return 0;
	const probe = document.body.appendChild(document.createElement("i"));
	probe.style.color = getComputedStyle(document.documentElement).getPropertyValue(name);
	const [r, g, b] = getComputedStyle(probe).color.match(/\d+/g).map(Number);
	probe.remove();
	const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height }).getContext("2d", { willReadFrequently: true });
	copy.drawImage(canvas, 0, 0);
	const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
	let n = 0;
	for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 140 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 12) n++;
	return n;
})`

func watcherDrawsTheCycles(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	s.answersFor("prod", true, 20)
	const got = `performance.getEntriesByType("resource").filter((one) => one.name.includes("uplot")).length`
	b := openTab(t, browser, s.url)
	b.has("#link", "Live")
	b.shows(got + " === 0") // who does not look at it does not wait for it
	b.do(chromedp.Navigate(s.url + "?view=watcher"))
	b.shows(drawn + `("--active") > 100 && ` + drawn + `("--good") > 20 && ` + drawn + `("--bad") > 1000`)
	b.shows(got + " === 2")
	b.shows(`/^120 cycles from \d\d:\d\d to \d\d:\d\d, the longest 940 ms, 20 without an answer$/.test(document.querySelector(".chart[role=img]").ariaLabel)`)
	b.shows(`document.querySelectorAll(".chart")[1].ariaLabel === "How late changes were seen in 40 cycles: the latest 29 s"`)
	b.has(".legend", "took 400 ms", "requests 40", "answered 0")
	b.shows(`((over) => {
		const box = over.getBoundingClientRect();
		over.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX: box.left + 3, clientY: box.top + 20 }));
		return document.querySelector(".legend").textContent.includes("answered 40");
	})(document.querySelector(".u-over"))`)
	b.clean()
}

func watcherSaysHowItStands(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	b := openTab(t, browser, s.url+"?view=watcher")
	b.has(".cell", "6 of 8", "2.3 a second, as its quota allows", "417 of 1,000", "in 60 min", "within 13 s", "99 of 100 within 29 s; of 1,000 changes", "160,015", "HTTP 200: 160,000 · timeout: 12 · HTTP 429: 3")
	b.has("#telling", "nats-1.example.com:4222", "2.12.1, for 9 h", "2 reconnects", "0.8 ms")
	b.has("main", "31.0 GB free")
	b.shows(`!document.querySelector("#refusals") && !document.querySelector(".cell").textContent.includes("Left alone")`)
	s.mu.Lock()
	s.status["outbox"] = outbox{Unsent: 5, Stopped: 4, Refusals: []refusal{{"stream_full", 3, "stream JOBS is full: maximum bytes exceeded", "nats stream edit JOBS --max-bytes=-1"}, {"subject", 1, "jobs.x is no subject that NATS could carry", ""}}}
	cell := s.status["commcells"].([]map[string]any)[0]
	cell["limits"], cell["quota"], cell["delay"] = limits{AtOnce: 1, Ceiling: 8, Held: new(time.Now().Add(time.Hour)), Cause: "Jobs: HTTP 429 (retry after 1h0m0s)"}, quota{Period: 3600, Spent: 17}, nil
	s.mu.Unlock()
	b.has("#refusals li:nth-child(1)", "3 jobs", "stream JOBS is full: maximum bytes exceeded", "Mend:", "nats stream edit JOBS --max-bytes=-1")
	b.has("#refusals li:nth-child(2)", "1 job", "is no subject")
	b.shows(`!document.querySelector("#refusals li:nth-child(2)").textContent.includes("Mend")`)
	b.has(".cell", "any number a second", "Left alone", "HTTP 429 (retry after 1h0m0s)", "none named", "17 sent in 60 min")
	b.clean()
}

func watcherUnfolds(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	s.config.YAML += "log: " + hostile + "\n"
	b := openTab(t, browser, s.url+"?view=watcher")
	b.has("#config", "Configuration in force")
	b.shows(`!document.querySelector("#config").textContent.includes("prod")`)
	b.do(chromedp.Click("#config summary"))
	b.has("#config", "/etc/jobwatch/watcher.yaml", "commcells:\n- name: prod\n  auth:\n    token: (not shown)\nlog: <img src=x", `fs\u202egpj`)
	b.do(chromedp.Click("#build summary"))
	b.has("#build", "jobwatch test, go1.26, linux/amd64", "commit 0123456789abcdef", "with changes that are not in it", "example.com/one v1.2.3", "htm 3.1.1: Apache-2.0", "preact 10.5.15: MIT", "uplot 1.6.32: MIT")
	b.shows(`[...document.querySelectorAll("#build a")].map((a) => a.getAttribute("href")).join() === "page/vendor/htm-LICENSE.txt,page/vendor/preact-LICENSE.txt,page/vendor/uplot-LICENSE.txt"`)
	b.clean()
	b.do(chromedp.Navigate(s.url + "page/vendor/uplot-LICENSE.txt"))
	b.shows(`document.body.textContent.includes("Leon Sorokin")`)
}
