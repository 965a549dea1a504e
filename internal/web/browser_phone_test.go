package web

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/testing/slow"
)

// TestPhone has what somebody sees on a phone, upright and across, from the load on.
func TestPhone(t *testing.T) {
	slow.Test(t, "20 s", "the page in a real browser, as on a phone")
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"course": courseFitsAPhone,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser) })
	}
}

// openPhone opens the page in a tab that is a phone before anything is loaded.
func openPhone(t *testing.T, browser context.Context, width, height int64, url string) *tab {
	t.Helper()
	b := openTab(t, browser, "about:blank")
	b.do(chromedp.EmulateViewport(width, height, chromedp.EmulateMobile, chromedp.EmulateTouch), chromedp.Navigate(url))
	b.shows(fmt.Sprintf("innerWidth === %d", width))
	return b
}

// courseFitsAPhone: the end is seen, its words are large enough to read, the stall is drawn, and rows without anything are left out.
func courseFitsAPhone(t *testing.T, browser context.Context) {
	s := newScene(t)
	tells := func(number int64, state, kind, detail string, ago int, edits ...func(*sceneRow)) {
		edits = append(edits, func(r *sceneRow) { r.StartTime = new(minutes(-200)) })
		s.tells(of(number, state, "sql-01", time.Duration(ago)*time.Minute, edits...), map[string]any{"kind": kind, "detail": detail, "to": state, "notBefore": minutes(-ago - 1), "observedAt": minutes(-ago)}, "info")
	}
	tells(71, "Running", "state", "running", 198)
	tells(71, "Failed", "state", "failed", 70)
	tells(72, "Running", "state", "running", 198)
	tells(72, "Running", "watch", "stalled", 100, func(r *sceneRow) { r.stalled = minutes(-100) })
	for _, size := range [][2]int64{{390, 844}, {844, 390}} {
		b := openPhone(t, browser, size[0], size[1], s.url+"?view=job&job=prod/71")
		b.has("#course .bar.failed text", "ailed")
		b.shows(`((svg, card) => svg.right <= card.right && svg.left >= card.left)(document.querySelector("#course").getBoundingClientRect(), document.querySelector("#course").closest(".sheet").getBoundingClientRect())`)
		b.shows(`[...document.querySelectorAll("#course text")].every((text) => { const [is, of] = [text.getBoundingClientRect(), document.querySelector("#course").getBoundingClientRect()]; return is.height >= 11 && is.left >= of.left - 1 && is.right <= of.right + 1; })`)
		b.shows(`["Attempt", "Failures", "CommServe", "Cycles"].every((name) => !document.querySelector("#course").textContent.includes(name)) && !document.querySelector(".legend").textContent.includes("Cycles")`)
		b.do(chromedp.Navigate(s.url + "?view=job&job=prod/72"))
		b.has("#course .stalled", "no progress from")
		b.has(".legend", "Cycles: ", "looks at the CommCell since")
		b.shows(`Math.abs(document.querySelector("#course .stalled rect").getBBox().width / document.querySelector("#course .state.active path").getBBox().width - 0.5) < 0.03`)
		b.do(chromedp.Navigate(s.url + "?view=job&course=table&job=prod/72"))
		b.has("#coursetable", "Stalled", "still")
		b.shows(`[...document.querySelectorAll("#coursetable td:not(:empty)")].every((td) => td.getBoundingClientRect().height < 40 && td.scrollWidth <= td.clientWidth)`)
		b.clean()
	}
}
