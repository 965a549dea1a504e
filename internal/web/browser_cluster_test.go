package web

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/cluster"
)

// pageShowsMembers has a member of each kind, and CommCells of this one, of another, and of nobody.
func pageShowsMembers(t *testing.T, browser context.Context) {
	seen := time.Now().Add(-40 * time.Minute).UTC() // NATS's clock is behind
	of := func(name string, change func(*cluster.MemberStatus), cells ...string) cluster.MemberStatus {
		m := cluster.MemberStatus{
			Instance: name, Version: "1.3.0", Host: "host-" + name, CommCells: append([]string{}, cells...), Tracked: 45,
			LastSeen: seen, Alive: true, CaughtUp: true, Differs: []string{},
		}
		if change != nil {
			change(&m)
		}
		return m
	}
	evil := `<img src=x onerror="document.title='broken'">`
	all := []cluster.MemberStatus{
		of("w1", nil, "prod"),
		of("w2", nil, "test", "lab"),
		of("w3", nil),
		of("w4", func(m *cluster.MemberStatus) { m.CaughtUp = false }),
		of("w5", func(m *cluster.MemberStatus) { m.Leaving = true }),
		of("w6", func(m *cluster.MemberStatus) { m.Differs = []string{"prod", "test"} }),
		of(strings.Repeat("w7-", 20), func(m *cluster.MemberStatus) {
			m.Alive, m.LastSeen, m.Differs, m.Version, m.Tracked = false, seen.Add(-3*time.Hour), nil, evil, 1
		}),
	}
	owned := func(name, owner string) cluster.CommCellStatus {
		return cluster.CommCellStatus{Name: name, Owner: &owner, Since: new(time.Now().Add(-4 * time.Hour).UTC())}
	}
	var shown atomic.Pointer[cluster.Status]
	shown.Store(&cluster.Status{Members: all, CommCells: []cluster.CommCellStatus{owned("prod", "w1"), owned("test", "w2"), {Name: "lost"}}})
	w := newWorld(t, inCluster(&shown, "prod", "test", "lost"))
	w.sees(running(71))
	b := w.opens(browser, w.url+"?view=cluster")
	for n, card := range []struct {
		light string
		words []string
	}{
		{"up", []string{"w1 (this one)", "polls prod", "45 jobs followed; 1.3.0 on host-w1"}},
		{"up", []string{"w2", "polls test, lab"}},
		{"up", []string{"w3", "polls nothing, and could take over"}},
		{"", []string{"w4", "reads the stream before it takes anything over"}},
		{"note", []string{"w5", "told to leave"}},
		{"note", []string{"w6", "configured differently: prod, test"}},
		{"down", []string{"w7-", "gives no sign of life, for 3 h", evil, "1 job followed"}},
	} {
		b.card("members", n, card.light, card.words...)
	}
	b.card("cells", 0, "up", "prod", "followed here, by w1")
	b.card("cells", 1, "", "test", "followed by w2, for 4 h", "its light is on that member's page")
	b.card("cells", 2, "down", "lost", "nobody polls it")
	list := w.opens(browser, w.url+"?view=jobs")
	list.shows("document.querySelector('#jobs td.done progress')")
	for _, width := range []int64{1400, 360} {
		b.do(chromedp.EmulateViewport(width, 900))
		b.shows(fmt.Sprintf("document.documentElement.scrollWidth <= %d && [...document.querySelectorAll('#members li')].every((li) => li.scrollWidth <= li.clientWidth)", width))
	}

	shown.Store(&cluster.Status{Members: all[:2], CommCells: []cluster.CommCellStatus{owned("prod", "w2")}, Trouble: "no answer within 5s"})
	b.has("#trouble", "cluster: cannot take part: no answer within 5s")
	b.card("cells", 0, "", "prod", "followed by w2, for 4 h")
	list.has("#jobs td.done", "followed by w2")
	list.shows("!document.querySelector('#jobs td.done progress')")
	b.shows("document.querySelectorAll('#members li').length === 2")
	b.shows("document.title === 'Cluster · jobwatch' && !document.querySelector('#members img')")
	b.clean()
}

// card waits until the nth card of a list has this light, and words.
func (b *tab) card(list string, n int, light string, words ...string) {
	b.Helper()
	selector := fmt.Sprintf("#%s li:nth-child(%d)", list, n+1)
	b.has(selector, words...)
	b.shows(fmt.Sprintf("document.querySelector(%q).className === %q", selector, light))
}
