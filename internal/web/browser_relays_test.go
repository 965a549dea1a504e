package web

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/relay"
)

// pageShowsRelays has a relay in each state, with what people have to know of it.
func pageShowsRelays(t *testing.T, browser context.Context) {
	before := func(d time.Duration) *time.Time { return new(time.Now().Add(-d).UTC()) }
	of := func(to string, s relay.Status) Relay {
		s.Since = *before(4 * time.Hour) // shown in hours, which a slow machine does not change
		return Relay{Status: s, To: to}
	}
	evil := `<img src=x onerror="document.title='broken'"> ` + strings.Repeat("x", 300)
	all := []Relay{
		of("slack", relay.Status{Name: "starting", State: relay.Starting}),
		of("webhook", relay.Status{Name: "standby", State: relay.Standby, Holder: "host-2"}),
		of("slack", relay.Status{Name: "delivering", State: relay.Delivering, Holder: "host-1"}),
		of("slack", relay.Status{Name: "behind", State: relay.Delivering, Holder: "host-1", Pending: 1248, Oldest: before(3 * time.Hour), Parked: 1, Dead: 7, Missed: 30}),
		of("email", relay.Status{Name: "away", State: relay.Absent, Reason: "mail server mail.example.com:587: " + evil, Pending: 1, Oldest: before(2 * time.Hour)}),
		of("webhook", relay.Status{Name: "off", State: relay.Off, Reason: "HTTP 410 Gone", Pending: 2, Oldest: before(50 * time.Hour)}),
		of("webhook", relay.Status{Name: strings.Repeat("stopped-", 12), State: "stopped", Reason: "webhook.url_file: no such file or directory"}),
		of("audit", relay.Status{Name: "alarm", State: relay.Off, Alarm: true, Reason: "audit: line 3 is not what was written"}),
	}
	var shown atomic.Pointer[[]Relay]
	shown.Store(&all)
	w := newWorld(t, func(c *Config) { c.Relays = func() []Relay { return *shown.Load() } })
	w.poll()
	b := w.opens(browser, w.url+"?view=relays")
	for n, card := range []struct {
		light string // class of the card
		words []string
	}{
		{"", []string{"starting", "starts to deliver to slack", "nothing waits"}},
		{"", []string{"standby", "stands by: another watcher delivers to webhook, for 4 h", "runs on host-2"}},
		{"up", []string{"delivering", "delivers to slack, for 4 h", "nothing waits; runs on host-1"}},
		{"note", []string{"behind", "delivers to slack, for 4 h", "; it is behind", "1,248 events wait, the oldest for 3 h", "1 job set aside; 7 dead letters; 30 missed; runs on host-1"}},
		{"down", []string{"away", "email is away, for 4 h", evil, "1 event waits, the oldest for 2 h"}},
		{"note", []string{"off", "is off; to webhook, for 4 h", "HTTP 410 Gone", "2 events wait, the oldest for 2 d"}},
		{"down", []string{"stopped-stopped-", "cannot start; to webhook, for 4 h", "no such file"}},
		{"down", []string{"alarm", "stands still; to audit, for 4 h", "line 3 is not what was written"}},
	} {
		selector := fmt.Sprintf("#relays li:nth-child(%d)", n+1)
		b.has(selector, card.words...)
		b.shows(fmt.Sprintf("document.querySelector(%q).className === %q", selector, card.light))
	}
	b.has("#trouble", "relay alarm: stands still")
	b.shows("document.title === 'Relays · jobwatch' && !document.querySelector('#relays img')")
	for _, width := range []int64{1400, 360} {
		b.do(chromedp.EmulateViewport(width, 900))
		b.shows(fmt.Sprintf("document.documentElement.scrollWidth <= %d && [...document.querySelectorAll('#relays li')].every((li) => li.scrollWidth <= li.clientWidth)", width))
	}

	mended := all[4]
	mended.State, mended.Reason, mended.Pending, mended.Oldest = relay.Delivering, "", 0, nil
	shown.Store(&[]Relay{mended})
	b.shows("document.querySelectorAll('#relays li').length === 1 && document.querySelector('#relays li').className === 'up'")
	b.shows("!document.querySelector('#relays .reason')")
	shown.Store(&[]Relay{})
	b.has("#norelays", "No relay runs here.")
	b.clean()
}
