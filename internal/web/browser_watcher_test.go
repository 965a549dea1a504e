package web

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/testing/slow"
)

// TestWatcherView opens what the page says of the watcher itself, in a browser.
func TestWatcherView(t *testing.T) {
	slow.Test(t, "10 s", "the Watcher view in a real browser")
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"draws the cycles": watcherDrawsTheCycles,
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
	for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && Math.abs(data[i] - r) + Math.abs(data[i + 1] - g) + Math.abs(data[i + 2] - b) < 12) n++;
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
	b.has(".legend", "took 400 ms", "requests 40", "answered 0")
	b.shows(`((over) => {
		const box = over.getBoundingClientRect();
		over.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX: box.left + 3, clientY: box.top + 20 }));
		return document.querySelector(".legend").textContent.includes("answered 40");
	})(document.querySelector(".u-over"))`)
	b.clean()
}
