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
		"course":   courseFitsAPhone,
		"open":     rowsOpenTheirJob,
		"in order": jobsStandInOrder,
		"frame":    frameFitsAPhone,
		"room":     wordsHaveRoom,
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

// rowsOpenTheirJob wherever one taps on them, in each table of jobs; not where a text is marked, and a middle click opens a tab.
func rowsOpenTheirJob(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	for address, row := range map[string]string{"?view=jobs": "#jobs tr[data-key='prod/5']", "?view=overview": "#need tr:first-child"} {
		b := openPhone(t, browser, 390, 844, s.url+address)
		b.has(row, "prod/5")
		b.shows(fmt.Sprintf(`document.querySelector("%s").getBoundingClientRect().height >= 44`, row))
		opened := `document.querySelector("#job") !== null`
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ window.open = (...args) => { window.aside = args.join(" "); };
			const word = document.querySelector("%s td.reason bdi"); getSelection().selectAllChildren(word); word.click(); }`, row)))
		if evaluate[bool](b, opened) {
			t.Errorf("%s: marking a text opens the job", address)
		}
		b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ getSelection().removeAllRanges(); document.querySelector("%s td.reason").dispatchEvent(new MouseEvent("auxclick", { button: 1, bubbles: true })); }`, row)))
		b.shows(`window.aside?.includes("?view=job&job=prod%2F5 _blank noopener")`)
		b.do(chromedp.Click(row + " td.reason"))
		b.has("#job", "sql-02", "Failed")
		b.clean()
	}
}

// jobsStandInOrder of the time that they show, and can be turned round.
func jobsStandInOrder(t *testing.T, browser context.Context) {
	begun := func(minutes int) func(*sceneRow) {
		return func(r *sceneRow) { r.StartTime = new(time.Now().Add(-time.Duration(minutes) * time.Minute)) }
	}
	s := newScene(t, of(1, "Running", "a", 17*time.Minute, begun(90)), of(2, "Running", "b", 20*time.Minute, begun(21)), of(3, "Running", "c", 18*time.Minute, begun(30)), of(4, "Running", "d", 0, begun(300)))
	b := openPhone(t, browser, 390, 844, s.url+"?view=jobs&q=is:unfinished")
	b.order("prod/2", "prod/3", "prod/1", "prod/4")
	b.has(rowOf(2)+" .since", "20 min")
	b.shows(fmt.Sprintf(`/\d\d:\d\d/.test(document.querySelector("%s .since").innerText)`, rowOf(2)))
	b.do(chromedp.Click("#turn"))
	b.order("prod/4", "prod/1", "prod/3", "prod/2")
	b.do(chromedp.Click("#turn"))
	b.order("prod/2", "prod/3", "prod/1", "prod/4")
	b.shows(`new URLSearchParams(location.search).get("sort") === "-since" && document.querySelector("#sort").value === "since"`)
	b.do(chromedp.Navigate(s.url))
	b.has("#running tr:nth-child(1)", "prod/2", "20 min")
	b.has("#running tr:nth-child(4)", "prod/4")
	b.clean()
}

// frameFitsAPhone: the pages' names stay in view and leave room, and what is touched is large enough.
func frameFitsAPhone(t *testing.T, browser context.Context) {
	s := busyScene(t)
	s.answers["prod/9"] = map[string]any{"text": "a long answer of a CommServe that does not fit into a line of a phone, and goes on and on behind its right edge"}
	for _, size := range [][2]int64{{390, 844}, {844, 390}} {
		for _, address := range everyView("prod/9") {
			b := openPhone(t, browser, size[0], size[1], s.url+address)
			b.has("#link", "Live")
			b.fits(size[0])
			b.do(chromedp.Evaluate[chromedp.Void](`scrollTo(0, 1000)`))
			b.shows(`scrollY === 0 || (document.querySelector(".top nav").getBoundingClientRect().top >= 0 && document.querySelector(".top").getBoundingClientRect().bottom <= 60)`) // 85 of 390 were too many
			b.shows(`[...document.querySelectorAll("button, select, input:not([type=checkbox]), .seg a, .top nav a, .chips a")].filter((one) => one.offsetParent && !one.closest(".unseen")).every((one) => one.getBoundingClientRect().height >= 40)`)
			if address == everyView("prod/9")[3] {
				b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#ask").click()`))
				b.has("#answer", "right edge")
				b.shows(`document.querySelector("#answer").scrollWidth <= document.querySelector("#answer").clientWidth`)
			}
			b.clean()
		}
	}
}

// wordsHaveRoom: of a state, a reason, and a group's heading all is seen.
func wordsHaveRoom(t *testing.T, browser context.Context) {
	long := "No media agent of the storage policy could be reached within the time that is set for it; a second line of it says why"
	s := newScene(t, of(1, "Completed w/ one or more errors", "vcenter", time.Hour, func(r *sceneRow) { r.Reason, r.ReasonCode = cut(long), "19:1131" }), of(2, "Running", "oracle-01", time.Minute))
	for size, words := range map[[2]int64]string{{390, 844}: "#jobs .word, #jobs tr.group td, #jobs td.reason > span", {844, 390}: "#jobs .word, #jobs tr.group td"} {
		b := openPhone(t, browser, size[0], size[1], s.url+"?view=jobs&group=reason")
		b.has("#jobs", "[19:1131]")
		b.shows(`[...document.querySelectorAll("` + words + `")].filter((one) => one.offsetParent).every((one) => { const [is, box] = [document.createRange(), one.closest("td").getBoundingClientRect()]; is.selectNodeContents(one); const all = is.getBoundingClientRect(); return all.width > 0 && all.right <= box.right + 1 && all.bottom <= one.getBoundingClientRect().bottom + 1 && all.bottom <= box.bottom + 1; })`)
		b.clean()
	}
}
