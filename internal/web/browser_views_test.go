package web

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"jobwatch/internal/job"
	"jobwatch/internal/testing/slow"
)

// TestViews opens what the page shows beside the list of jobs, in a browser.
func TestViews(t *testing.T) {
	slow.Test(t, "40 s", "each view of the page in a real browser")
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"overview":           overviewAnswers,
		"course so far":      overviewDrawsCourses,
		"silent rows":        silentRowsAreOld,
		"stalls":             stallsAreCounted,
		"relays":             relaysAreNamed,
		"job":                jobShowsItsCourse,
		"who got it":         jobSaysWhoGotIt,
		"not for it":         jobSaysWhatIsNotForAReader,
		"events":             eventsAreChosen,
		"older events":       eventsGoBack,
		"failures of before": failuresOfBeforeAreFound,
		"nothing is hostile": hostileScene,
		"for everybody":      nobodyIsKeptOut,
	} {
		t.Run(name, func(t *testing.T) { test(t, browser) })
	}
}

// overviewAnswers: what needs somebody, what runs, how the CommCells are, in the first view.
func overviewAnswers(t *testing.T, browser context.Context) {
	s := newScene(t, append(someJobs(), of(13, "Failed", "web-02", 4*time.Hour))...) // and was killed since: it needs somebody once
	s.answersFor("lab", false, 20)
	b := openTab(t, browser, s.url)
	b.has("#sentence", "6 jobs need you", "lab is silent", "2 run (1 stalled), 2 wait; 2 ended well in 24 hours", "All that was seen is told")
	b.shows(`document.title === "(6) Overview · jobwatch"`)
	b.has("#cells .up", "prod", "answers, for 4 h")
	b.has("#cells .down", "lab", "does not answer", "connection refused")
	b.shows(`document.querySelectorAll("#cells .down .cycles rect.bad").length === 20`)
	b.has("#need tr:nth-child(1)", "Failed", "sql-02", "The MediaAgent cannot be reached", "2 jobs like this", "sql-03")
	b.has("#need tr:nth-child(1)", "sql-02, sql-03") // all of them by name
	b.has("#need tr.killed", "killed; nothing says by whom")
	b.has("#need tr.stalled", "stalled", "No progress for over 41 min, Backup, 2 %")
	b.has(".stack:first-child .sheet:first-child header", "1 made good since; 1 ended badly again")
	b.has("#chip-active", "2 running")
	b.has("#chip-stalled", "1 of them stalled")
	b.shows(`document.querySelectorAll("#need tr").length === 5 && !document.querySelector("#need").textContent.includes("web-03")`) // which ended well since
	b.has("#need", "No progress for over 41 min", "no drive is free", "prod/8")
	b.shows(`!document.querySelector("#need").textContent.includes("prod/13")`)
	b.has("#running tr:nth-child(1)", "sql-01", "Running", "1 %")
	b.shows(`document.querySelector("#hours rect.good") && document.querySelector("#hours rect.bad")`)
	s.tells(of(12, "Completed", "sql-02", 0), map[string]any{"kind": "state", "detail": "completed", "from": "Running", "to": "Completed"}, "info")
	b.has("#sentence", "5 jobs need you", "3 ended well")
	b.has("#events li", "prod/12", "Running → Completed")
	b.clean()
}

// silentRowsAreOld: what runs at a CommCell that does not answer is not shown as if somebody had seen it just now.
func silentRowsAreOld(t *testing.T, browser context.Context) {
	s := newScene(t, of(1, "Running", "sql-01", 20*time.Minute), of(2, "Running", "branch-01", 85*time.Minute, func(r *sceneRow) { r.CommCell, r.PercentComplete = "branch", new(33.0) }))
	s.answersFor("branch", false, 20)
	s.mu.Lock()
	cell := s.status["commcells"].([]map[string]any)[1]
	cell["answered"], cell["since"] = minutes(-41), minutes(-40)
	cell["reason"] = "Post http://10.0.0.7:81/api/Login: dial tcp 10.0.0.7:81: connect: connection refused"
	s.mu.Unlock()
	b := openTab(t, browser, s.url)
	b.shows(`/2 run, 0 wait, 1 of them on branch as of \d\d:\d\d;/.test(document.querySelector("#sentence").textContent)`)
	b.has("#cells .down", "does not answer, for 40 min", "last answer 41 min ago, 3 jobs followed")
	b.shows(`document.querySelector("#cells .reason").textContent === "connection refused" && document.querySelector("#cells .reason [title]").title.includes("dial tcp")`)
	b.has("#running tr:nth-child(1):not(.old)", "sql-01")
	b.has("#running tr:nth-child(2).old", "branch-01", "as of ", "44 min") // then
	b.shows(`document.querySelector("#running tr.old .shape.unknown") && !document.querySelector("#running tr.old .done").textContent.includes("about")`)
	b.shows(`document.querySelector("#running tr.old .lull")`)
	b.do(chromedp.Navigate(s.url + "?view=jobs"))
	b.has("tr.old", "branch-01", "as of ")
	s.answersFor("branch", true, 0)
	b.shows(`document.querySelectorAll("#jobs tr[data-key]").length === 2 && !document.querySelector("tr.old, .asof")`)
	b.clean()
}

// stallsAreCounted from when the progress ended, also where the table came before.
func stallsAreCounted(t *testing.T, browser context.Context) {
	s := newScene(t, of(1, "Running", "sql-01", 90*time.Minute, func(r *sceneRow) { r.stalled, r.still = minutes(-6), minutes(-48) }), of(2, "Running", "sql-02", 90*time.Minute))
	s.mu.Lock()
	s.status["commcells"].([]map[string]any)[0]["stallAfter"] = 1800
	s.mu.Unlock()
	b := openTab(t, browser, s.url)
	b.has("#sentence", "2 run (1 stalled)")
	b.has("#need tr.stalled", "No progress for over 48 min")
	s.tells(of(2, "Running", "sql-02", 90*time.Minute, func(r *sceneRow) { r.stalled = time.Now() }), map[string]any{"kind": "watch", "detail": "stalled", "observedAt": minutes(0)}, "warning")
	b.has("#sentence", "2 run (2 stalled)")
	b.has("#need", "No progress for over 30 min")
	b.clean()
}

// relaysAreNamed in the first sentence where one lags or reaches nobody, and in one number.
func relaysAreNamed(t *testing.T, browser context.Context) {
	s := newScene(t)
	relays := func(all ...map[string]any) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.status["relays"] = all
	}
	relay := func(state string, pending int, oldest time.Time) map[string]any {
		return map[string]any{"name": "cmdb", "to": "webhook", "receiver": "cmdb.example.com", "state": state, "since": minutes(-60), "pending": pending, "oldest": oldest, "holder": "host-1"}
	}
	s.status["readers"] = []any{map[string]any{"name": "relay-cmdb", "filter": "jobs.>", "pending": 10885, "ackPending": 256, "kind": "relay", "lastDelivered": minutes(-3)}}
	relays(relay("delivering", 3, time.Now().Add(-5*time.Second)))
	b := openTab(t, browser, s.url)
	b.has("#sentence", "Nothing needs you.", "All that was seen is told.")
	b.has("#itself", "all deliver")
	relays(relay("delivering", 11_173, minutes(-2)))
	b.has(`#sentence a[href="?view=relays"]`, "relay cmdb is 11,173 events behind")
	b.has("#sentence .shape.partial + *, #sentence b", "relay cmdb")
	b.has("#unsent", "All that was seen is in NATS.")
	b.has("#itself", "1 of 1 relay needs a look")
	b.do(chromedp.Click(`#sentence a`))
	b.has("#relays li.note", "delivers to webhook cmdb.example.com", "it is behind", "11,173 events wait, the oldest for 2 min; the last went out 3 min ago", "runs on host-1")
	b.has("#readers", "11,173 events wait")
	b.shows(`!document.querySelector("main").textContent.includes("256")`)
	relays(relay("away", 11_173, minutes(-2)))
	b.has("#relays li.down", "webhook cmdb.example.com is away")
	b.do(chromedp.Navigate(s.url))
	b.has("#sentence", "relay cmdb reaches nobody")
	b.shows(`document.querySelector("#sentence .shape.failed")`)
	b.clean()
}

// overviewDrawsCourses of what runs, from what the page holds: what it does not know it draws as not known.
func overviewDrawsCourses(t *testing.T, browser context.Context) {
	s := newScene(t, of(1, "Running", "sql-01", 80*time.Minute), of(3, "Waiting", "payroll", 6*time.Minute, func(r *sceneRow) { r.StartTime, r.Reason = nil, "all streams are in use" }),
		of(2, "Running", "oracle-01", 20*time.Minute, func(r *sceneRow) { r.stalled = time.Now().Add(-11 * time.Minute) }))
	s.goesSilent("prod", 60, 70) // 30 to 25 minutes ago
	s.answersFor("lab", true, 0)
	runs := func(phase string, before, seen int, kind, from, to string) {
		change := map[string]any{"kind": kind, "detail": "any", "from": from, "to": to, "notBefore": minutes(before), "observedAt": minutes(seen)}
		s.tells(of(71, "Running", "files", 0, func(r *sceneRow) {
			r.StartTime, r.since, r.Phase, r.PercentComplete = new(minutes(-55)), minutes(-50), job.Text(phase), new(50.0)
		}), change, "info")
	}
	runs("Scan", -51, -50, "state", "Waiting", "Running")
	runs("Backup", -41, -40, "phase", "Scan", "Backup")
	b := openTab(t, browser, s.url)
	course := func(row int) string { return fmt.Sprintf("#running tr:nth-child(%d) .sofar", row) }
	b.has(course(1), "not known 10 min, Running ")
	b.shows(fmt.Sprintf(`document.querySelectorAll("%[1]s .bar").length === 2 && document.querySelectorAll("%[1]s .bar.nothing").length === 1`, course(1)))
	b.has("#running tr:nth-child(2)", "files", "about")
	b.has(course(2), "not known 5 min", "Running, Scan 10 min", "Running, Backup ", "no answer from", "until about")
	b.shows(fmt.Sprintf(`document.querySelectorAll("%[1]s .bar").length === 3 && document.querySelectorAll("%[1]s .lull").length === 1 && document.querySelectorAll("%[1]s .ahead").length === 1`, course(2)))
	b.shows(fmt.Sprintf(`Math.abs(document.querySelector("%[1]s .ahead").getBBox().width - 100) < 3`, course(2))) // 50 %
	b.has(course(3), "no progress since")
	b.shows(fmt.Sprintf(`document.querySelector("%s rect.stalled")`, course(3)))
	b.has(course(4), "Waiting ", "all streams are in use")
	b.shows(fmt.Sprintf(`!document.querySelector("%s .nothing")`, course(4)))
	s.tells(of(1, "Running", "sql-01", 80*time.Minute, func(r *sceneRow) { r.Phase = "Archive Index" }), map[string]any{"kind": "phase", "detail": "any", "from": "Backup", "to": "Archive Index", "notBefore": minutes(-2), "observedAt": minutes(-1)}, "info")
	b.has(course(1), "not known 10 min, Running ", "Archive Index ")
	b.shows(`performance.getEntriesByType("resource").every((one) => !one.name.includes("/api/v1/jobs"))`)
	b.clean()
}

func minutes(n int) time.Time {
	return time.Now().Add(time.Duration(n) * time.Minute).Truncate(time.Second)
}

// jobShowsItsCourse has a job that changed between looks, while one of them got no answer, and machines that failed.
func jobShowsItsCourse(t *testing.T, browser context.Context) {
	s := newScene(t)
	s.answersFor("prod", true, 0)
	s.goesSilent("prod", 60, 70) // 30 to 25 minutes ago
	is := func(state, phase string) sceneRow {
		return of(71, state, "vcenter-west.example.com", time.Minute, func(r *sceneRow) {
			r.StartTime, r.Phase, r.SizeOfApplication = new(minutes(-55)), job.Text(phase), new(int64(1_860_000_000_000))
			r.Machines = []job.VM{{Name: "sql-14", Job: new(int64(7214)), Reason: "quiescing took longer than 900 seconds"}, {Name: "app-1"}, {Name: "sql-44", Reason: "quiescing took longer than 900 seconds"}, {Name: "old", Reason: "on no host"}}
		})
	}
	change := func(kind, detail, from, to string, before, seen int) map[string]any {
		return map[string]any{"kind": kind, "detail": detail, "from": from, "to": to, "notBefore": minutes(before), "observedAt": minutes(seen)}
	}
	s.tells(is("Running", "Discovery"), change("state", "running", "Waiting", "Running", -55, -54), "info")
	s.tells(is("Running", "Backup"), change("phase", "backup", "Discovery", "Backup", -50, -49), "info")
	failed := change("failure", "vm", "", "quiescing took longer than 900 seconds", -40, -39)
	failed["vm"], failed["vmJob"] = "sql-14", 7214
	s.tells(is("Running", "Backup"), failed, "warning")
	ended := change("state", "completed_with_errors", "Running", "Completed w/ one or more errors", -2, -1)
	ended["log"] = []map[string]any{
		{"code": "19:181", "severity": "major", "time": minutes(-45), "text": "interrupted by <b>admin</b>"}, {"code": "19:183", "severity": "info", "time": minutes(-44), "text": "resumed"},
		{"code": "19:1", "severity": "info", "time": minutes(-5000), "text": "its clock was wrong"},
	}
	s.tells(is("Completed w/ one or more errors", ""), ended, "warning")
	s.mu.Lock()
	s.machine["prod/71"] = s.rows[0].Machines
	s.answers["prod/71"] = map[string]any{"job": map[string]any{"state": "Completed", "attributes": json.Number("288230376151711745")}}
	s.mu.Unlock()
	b := openTab(t, browser, s.url+"?view=job&job=prod/71")
	b.has("#job", "vcenter-west.example.com", "Completed w/ one or more errors")
	b.has("#facts", "Took", "54 min", "1 of 4 well", "3 failed", "1.86 TB", "daily-to-disk")
	b.shows(`document.querySelectorAll("#course .bar.state").length === 2 && document.querySelectorAll("#course .bar.phase").length === 2 && document.querySelectorAll("#course .mark").length === 1`)
	b.shows(`[...document.querySelectorAll("#course .bar")].every((bar) => bar.dataset.soft === "true")`)
	b.has("#course .gap", "no answer")
	b.shows(`document.querySelectorAll("#course .said").length === 2 && document.querySelector("#course .said.failed title").textContent.includes("interrupted by <b>admin</b> [19:181]")`)
	b.has("#told li:nth-child(1)", "CommServe", "resumed [19:183]")
	b.has("#machines tr.group:nth-child(1)", "2 ×", "quiescing took longer")
	b.shows(`document.querySelector("#machines a").getAttribute("href") === "?view=job&job=prod%2F7214"`)
	b.has("#told li:nth-child(1)", "Running → Completed w/ one or more errors", "sequence 4", "between", "jobs.prod.71.vcenter-west%2Eexample%2Ecom.state.completed_with_errors")
	b.has(".copies", "jobs.prod.71.>", "watcher tail --job prod/71")
	b.do(chromedp.Click("#ask"))
	b.has("#answer", `"state": "Completed"`, `"attributes": 288230376151711745`)
	b.do(chromedp.Navigate(s.url + "?view=job&job=prod/71&course=table&machines=all"))
	b.has("#coursetable", "Running", "Discovery", "No answer", "sql-14: quiescing", "The CommServe told", "its clock was wrong [19:1]")
	b.has("#machines", "app-1", "no failure told")
	b.do(chromedp.Navigate(s.url + "?view=job&job=prod/99"))
	b.has("main", "is not known here")
}

// jobSaysWhoGotIt: of each reader that asks for such events, by what NATS knows of it.
func jobSaysWhoGotIt(t *testing.T, browser context.Context) {
	s := newScene(t)
	reader := func(name, filter string, delivered, floor int, begins, at any) map[string]any {
		kind := map[bool]string{true: "relay", false: "other"}[strings.HasPrefix(name, "relay-")]
		return map[string]any{"name": name, "filter": filter, "delivered": delivered, "ackFloor": floor, "begins": begins, "beginsAt": at, "kind": kind}
	}
	s.status["readers"] = []any{
		reader("audit", "", 4, 4, 1, nil), reader("relay-slack", "jobs.*.*.*.state.>, commcells.>", 4, 4, nil, minutes(-60)), reader("siem", "jobs.>", 3, 2, 1, nil),
		reader("wall", "jobs.*.*.*.state.>", 2, 2, 1, nil), reader("late", "jobs.>", 4, 4, nil, minutes(60)), reader("others", "jobs.prod.72.>", 0, 0, 1, nil), reader("new", "jobs.>", 0, 0, 5, nil),
	}
	s.status["relays"] = []any{map[string]any{"name": "slack", "to": "slack", "state": "delivering", "since": minutes(-60), "pending": 0, "parked": 1, "dead": 2}}
	tells := func(state string) {
		s.tells(of(71, state, "files", time.Minute), map[string]any{"kind": "state", "detail": strings.ToLower(state), "to": state}, "info")
	}
	for _, state := range []string{"Waiting", "Running", "Pending", "Running"} {
		tells(state)
	}
	b := openTab(t, browser, s.url+"?view=job&job=prod/71")
	b.has("#got li:nth-child(1)", "audit, relay-slackacknowledged all of these")
	b.has("#got li:nth-child(2)", "siem", "1 event not sent yet, from sequence 4, 1 event sent, not acknowledged")
	b.has("#got li:nth-child(3)", "wall", "2 events not sent yet, from sequence 3")
	b.has("#got li:nth-child(5)", "slack", "has set 1 job aside, has 2 dead letters")
	b.has("#got li:nth-child(4)", "others4 not for it, by its subjects", "jobs.prod.72.>")
	b.has("#got li:nth-child(6)", "A relay also acknowledges what its own match leaves out")
	b.shows(`document.querySelectorAll("#got li").length === 6`)
	b.has("#told li:nth-child(1)", "not yet sent to siem · not yet sent to wall")
	b.has("#told li:nth-child(2)", "siem has not acknowledged it · not yet sent to wall")
	b.shows(`!document.querySelector("#told li:nth-child(3)").textContent.includes("siem")`)
	s.mu.Lock()
	s.status["readers"] = nil
	s.mu.Unlock()
	b.has("#got", "cannot be read from NATS")
	b.clean()
}

// jobSaysWhatIsNotForAReader: one that asks for states alone has not acknowledged the rest.
func jobSaysWhatIsNotForAReader(t *testing.T, browser context.Context) {
	s := newScene(t)
	s.status["readers"] = []any{map[string]any{"name": "relay-cmdb", "filter": "jobs.*.*.*.state.>", "delivered": 3, "ackFloor": 1, "begins": 1, "beginsAt": nil, "kind": "relay"}}
	for _, change := range []map[string]any{{"kind": "state", "detail": "running", "to": "Running"}, {"kind": "phase", "detail": "scan", "to": "Scan"}, {"kind": "state", "detail": "pending", "to": "Pending"}, {"kind": "watch", "detail": "stalled"}} {
		s.tells(of(71, "Running", "files", time.Minute), change, "info")
	}
	b := openTab(t, browser, s.url+"?view=job&job=prod/71")
	b.has("#got li:nth-child(1)", "relay-cmdbacknowledged 1, 1 event sent, not acknowledged, 2 not for it, by its subjectsjobs.*.*.*.state.>")
	b.shows(`!document.querySelector("#got").textContent.includes("all of these")`)
	b.has("#told li:nth-child(1)", "not for relay-cmdb")
	b.has("#told li:nth-child(2)", "relay-cmdb has not acknowledged it")
	b.shows(`!document.querySelector("#told li:nth-child(4)").textContent.includes("relay-cmdb")`)
	b.clean()
}

// eventsAreChosen by kind, words and subject, and held while somebody reads.
func eventsAreChosen(t *testing.T, browser context.Context) {
	s := newScene(t, someJobs()...)
	s.status["subjectPrefix"] = "acme.backup"
	b := openTab(t, browser, s.url+"?view=events&subject=acme.backup.jobs.*.*.*.failure.>")
	b.has("#noevents", "Nothing was told yet.")
	b.has("#link", "Live")
	s.tells(of(1, "Failed", "sql-01", 0), map[string]any{"kind": "state", "detail": "failed", "from": "Running", "to": "Failed"}, "error")
	s.tells(of(1, "Failed", "sql-01", 0), map[string]any{"kind": "failure", "detail": "state", "from": "Running", "to": "Failed"}, "error")
	b.has("#eventcount", "1 of the last 2")
	b.has("#events", "acme.backup.jobs.prod.1.sql-01.failure.state")
	b.has(".copies", "acme.backup.jobs.>")
	b.do(chromedp.Click("#pause"))
	s.tells(of(2, "Failed", "oracle-01", 0), map[string]any{"kind": "failure", "detail": "state", "from": "Running", "to": "Failed"}, "error")
	b.has("#pause", "Go on: 1 new one")
	b.has("#eventcount", "1 of the last 2")
	b.do(chromedp.Click("#pause"))
	b.has("#eventcount", "2 of the last 3")
	b.has("#readers", "mail", "16 events wait", "siem", "has all")
	b.clean()
}

// eventsGoBack to the first that the stream has, also where they are held at one of long ago.
func eventsGoBack(t *testing.T, browser context.Context) {
	s := newScene(t)
	tells := func(client string) {
		s.tells(of(1, "Failed", client, 0), map[string]any{"kind": "state", "detail": "failed", "from": "Running", "to": "Failed"}, "error")
	}
	for n := range 350 {
		tells([]string{"sql-01", "web-01"}[n%2])
	}
	b := openTab(t, browser, s.url+"?view=events")
	b.has("#eventcount", "60 of the last 60")
	b.do(chromedp.Click("#pause"))
	b.shows(`new URLSearchParams(location.search).get("paused") === "350"`)
	for range 600 { // more than the page keeps
		tells("later")
	}
	b.has("#pause", "Go on: at least 500 new ones")
	for _, count := range []string{"160 of the last 160, back to sequence 191", "260 of the last 260", "350 of the last 350, back to sequence 1"} {
		b.do(chromedp.Click("#older"))
		b.has("#eventcount", count)
	}
	for range 3 {
		b.shows(`document.querySelector("#firstone, #older:not(:disabled)")`)
		b.do(chromedp.Evaluate[chromedp.Void](`void document.querySelector("#older")?.click()`))
	}
	b.has("#firstone", "no older ones")
	b.shows(`document.querySelectorAll("#events li").length === 350 && document.querySelector("#events li:last-child").textContent.includes("jobs.told.1")`)
	b.do(chromedp.Navigate(s.url + "?view=events&paused=120&client=SQL-*&class=failed&severity=warning&since=1h&commcell=prod"))
	b.has("#eventcount", "50 of the last 100, back to sequence 21")
	b.has("#events li:first-child", "sequence 119")
	b.shows(`document.querySelector("#class").value === "failed" && document.querySelector("#commcell").value === "prod" && document.querySelector("#client").value === "SQL-*"`)
	s.mu.Lock()
	asked := s.asked[len(s.asked)-1]
	s.mu.Unlock()
	if asked != "class=failed&client=SQL-%2A&commcell=prod&severity=warning&since=1h" {
		t.Errorf("asked for %s", asked)
	}
	for address, count := range map[string]string{"client=web-0?": "0 of", "class=held": "0 of the last 950, back to sequence 1", "severity=error&client=later": "500 of the last 500", "until=1h": "0 of the last 950, back to sequence 1", "since=1h30m": "500 of the last 500", "commcell=lab": "0 of the last 950, back to sequence 1"} {
		b.do(chromedp.Navigate(s.url + "?view=events&" + address))
		b.has("#eventcount", count)
	}
	b.clean()
}

// failuresOfBeforeAreFound without anybody asking for older ones, in one line each, and where nothing is found it is said where was looked.
func failuresOfBeforeAreFound(t *testing.T, browser context.Context) {
	s := newScene(t)
	fails := func(number int64) {
		for kind, detail := range map[string]string{"state": "failed", "failure": "state"} {
			s.tells(of(number, "Failed", "sql-01", 0), map[string]any{"kind": kind, "detail": detail, "from": "Running", "to": "Failed", "observedAt": minutes(-13)}, "error")
		}
	}
	fails(7)
	for range 250 {
		s.tells(of(1, "Running", "web-01", 0), map[string]any{"kind": "phase", "detail": "any", "to": "Scan"}, "info")
	}
	b := openPhone(t, browser, 390, 844, s.url+"?view=events&severity=error")
	b.has("#events li", "Running → Failed")
	b.has("#eventcount", "1 of the last 252, back to sequence 1")
	b.shows(`document.querySelectorAll("#events li").length === 1 && document.querySelector("#kind").offsetParent === null && document.querySelector("#fold").textContent === "Filter (1)"`)
	b.shows(`((subject) => subject.scrollWidth <= subject.clientWidth && subject.textContent.startsWith("jobs.told."))(document.querySelector("#events .copy code"))`)
	b.do(chromedp.Click("#fold"), chromedp.Click("#all"))
	b.shows(`document.querySelectorAll("#events li").length === 2`)
	b.do(chromedp.Navigate(s.url + "?view=events&severity=error&kind=failure"))
	b.has("#events li", "failure state")
	b.do(chromedp.Navigate(s.url + "?view=events&class=killed"))
	b.has("#noevents", "None of all that the stream holds is so.")
	b.clean()

	s = newScene(t)
	for range 1500 { // more than is looked at unasked; all of them before a line is there
		s.tells(of(1, "Running", "web-01", 0), map[string]any{"kind": "phase", "detail": "any", "to": "Scan"}, "info")
	}
	b = openPhone(t, browser, 390, 844, s.url+"?view=events&class=killed")
	b.has("#noevents", "None of the last events is so, from ", " to ", "back to sequence", "Older ones may be.")
	b.clean()
}

const hostile = `<img src=x onerror="document.title='broken'">` + "fs\u202egpj\u2066\x1b[2J"

// hostileScene has the CommServe call all things by a name that would be markup, or turn a line around.
func hostileScene(t *testing.T, browser context.Context) {
	evil := of(71, "Pending", hostile, time.Hour, func(r *sceneRow) {
		r.Reason, r.ReasonCode, r.Agent, r.Backupset, r.Subclient, r.StoragePolicy, r.Operation, r.BackupLevel, r.StartedBy, r.Phase = hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile, hostile
		r.State, r.Machines = hostile, []job.VM{{Name: hostile, Reason: hostile, Host: hostile}}
	})
	s := newScene(t, evil)
	s.answersFor("lab", false, 3)
	s.mu.Lock()
	s.machine["prod/71"] = evil.Machines
	cells := s.status["commcells"].([]map[string]any)
	cells[1]["reason"], cells[1]["schedule"], cells[1]["limits"] = hostile, hostile, limits{Held: new(time.Now()), Cause: hostile}
	s.status["outbox"] = outbox{Stopped: 1, Refusals: []refusal{{"subject", 1, hostile, hostile}}}
	s.mu.Unlock()
	s.tells(evil, map[string]any{"kind": "failure", "detail": "vm", "vm": hostile, "from": hostile, "to": hostile}, "warning")
	b := openTab(t, browser, s.url)
	for _, address := range everyView("prod/71") {
		b.do(chromedp.Navigate(s.url + address))
		b.has("#link", "Live")
		b.shows(`document.querySelector("main h1") && !document.querySelector("main img, main b i, body script")`)
		b.shows(`!/[\p{Bidi_Control}\x1b]/u.test(document.body.textContent) && document.title.endsWith("· jobwatch")`)
	}
	for _, address := range []string{"?view=jobs", "?view=job&job=prod/71", "?view=events", "?view=watcher"} {
		b.do(chromedp.Navigate(s.url + address))
		b.shows(fmt.Sprintf(`[...document.querySelectorAll("main bdi")].some((one) => one.textContent.includes(%q))`, `<img src=x onerror="document.title='broken'">fs\u202egpj\u2066\u001b[2J`))
	}
	b.clean()
}

func everyView(key string) []string {
	return []string{"?view=overview", "?view=jobs", "?view=jobs&group=reason", "?view=job&job=" + key, "?view=job&course=table&machines=all&job=" + key, "?view=events", "?view=relays", "?view=watcher", "?view=cluster", "?view=nothing"}
}

// The pictures of the documents are of this test: go test ./internal/web -run 'TestViews/for_everybody' -pictures ../../docs
var (
	pictures = flag.String("pictures", "", "folder to write the documents' pictures of the page to")
	pictured = map[string]string{
		"?view=overview light": "dashboard.png", "?view=overview phone": "page-phone.png", "?view=jobs light": "page-jobs.png",
		"?view=job&job=prod/9 light": "page-job.png", "?view=watcher light": "page-watcher.png",
	}
)

// busyScene has something of all that the page can show.
func busyScene(t *testing.T) *scene {
	rows := someJobs()
	for n := range int64(300) {
		state := []string{"Completed", "Completed", "Completed", "Running", "Completed", "Waiting", "Completed", "Completed", "Running", "Completed", "Completed w/ one or more errors"}[n%11]
		rows = append(rows, of(1000+n, state, fmt.Sprintf("client-%02d.fra.example.com", n), time.Duration(n*n*7%1380)*time.Minute, func(r *sceneRow) {
			r.SizeOfApplication = new(1_000_000_000 * (n*n%900 + 1))
			if r.StateClass == cut(string(job.Partial)) {
				r.Failures = cut(fmt.Sprintf("0 Folders, %d Files", n%3+1))
			}
		}))
	}
	s := newScene(t, rows...)
	s.answersFor("branch-north", true, 0)
	s.answersFor("lab", false, 20)
	at := func(minutes int) time.Time { return time.Now().Add(time.Duration(minutes) * time.Minute) }
	tells := func(state, phase string, attempt int64, kind, detail, from string, before, seen int) {
		to := state
		if kind == "phase" {
			to = phase
		}
		change := map[string]any{"kind": kind, "detail": detail, "from": from, "to": to, "notBefore": at(before), "observedAt": at(seen)}
		if state == "Interrupted" {
			change["log"] = []map[string]any{{"code": "19:181", "severity": "major", "time": at(seen), "text": "Job [9] was interrupted by user [admin]."}, {"code": "19:183", "severity": "info", "time": at(seen + 2), "text": "Job [9] was resumed."}}
		}
		if detail == "vm" {
			change["vm"], change["vmJob"], change["to"] = "sql-44", 9044, "Quiescing took longer than 900 seconds"
		}
		s.tells(of(9, state, "vcenter-west.example.com", 2*time.Minute, func(r *sceneRow) {
			r.StartTime, r.Phase, r.SizeOfApplication, r.Attempt, r.Agent, r.Instance = new(at(-55)), cut(phase), new(int64(1_860_000_000_000)), &attempt, "Virtual Server", "VMware"
			r.Throughput, r.Streams, r.FilesTransferred, r.Failures, r.SavingsPercent = new(2061.4), new(int64(4)), new(int64(275_773)), "0 Folders, 0 Files", new(84.0)
			r.Machines = []job.VM{
				{Name: "sql-44", Job: new(int64(9044)), Agent: "proxy-1", Host: "esx-1", EndTime: new(at(-20)), Reason: "Quiescing took longer than 900 seconds"}, {Name: "app-1", EndTime: new(at(-9))},
				{Name: "cache-21", Agent: "proxy-2", Host: "esx-2", EndTime: new(at(-12)), Reason: "Quiescing took longer than 900 seconds"}, {Name: "old-web", Agent: "proxy-1", Reason: "The machine is on no host any more"},
			}
			s.machine["prod/9"] = r.Machines
		}), change, map[bool]string{true: "warning", false: "info"}[detail == "vm" || state != "Running"])
	}
	s.goesSilent("prod", 60, 70) // 30 to 25 minutes ago
	s.mu.Lock()
	s.status["relays"] = []any{
		map[string]any{"name": "mail", "to": "email", "state": "delivering", "since": at(-60), "pending": 14, "oldest": at(-3), "dead": 1},
		map[string]any{"name": "siem", "to": "webhook", "state": "away", "since": at(-5), "reason": "no route to host"},
	}
	s.mu.Unlock()
	s.status["outbox"] = outbox{Unsent: 2, Stopped: 1, Refusals: []refusal{{"stream_full", 1, "stream JOBS is full: maximum bytes exceeded", "nats stream edit JOBS --max-bytes=-1"}}}
	tells("Waiting", "", 1, "state", "waiting", "", -55, -55)
	tells("Running", "Discovery", 1, "state", "running", "Waiting", -54, -53)
	tells("Running", "Backup", 1, "phase", "backup", "Discovery", -50, -49)
	tells("Interrupted", "Backup", 1, "state", "interrupted", "Running", -38, -37)
	tells("Running", "Backup", 2, "state", "running", "Interrupted", -34, -33)
	tells("Running", "Backup", 2, "failure", "vm", "", -20, -19)
	tells("Running", "Archive Index", 2, "phase", "archive_index", "Backup", -10, -9)
	tells("Completed w/ one or more errors", "", 2, "state", "completed_with_errors", "Running", -3, -2)
	return s
}

// nobodyIsKeptOut looks with axe at each view, in light, dark and on a phone: for contrast, names, roles, order.
func nobodyIsKeptOut(t *testing.T, browser context.Context) {
	axe, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	s := busyScene(t)
	b := openTab(t, browser, s.url)
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"light", "light", 1400}, {"dark", "dark", 1400}, {"phone", "light", 360}} {
		b.do(chromedp.EmulateViewport(look.width, 900))
		b.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}})
			return err
		}))
		for _, address := range everyView("prod/9") {
			b.do(chromedp.Navigate(s.url + address))
			b.has("#link", "Live")
			b.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("main details").forEach((one) => { one.open = true; }); void 0`))
			b.shows(`document.querySelector("main h1") && !document.querySelector("main").textContent.includes("Loading")`)
			b.shows(fmt.Sprintf("document.documentElement.scrollWidth <= %d", look.width))
			b.do(chromedp.Evaluate[chromedp.Void](string(axe) + ";void 0"))
			found, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`axe.run(document, {}).then((r) => r.passes.length < 5 ? "axe has looked at nothing" : r.violations.map((v) => v.id + ": " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + " " + n.failureSummary.slice(0, 300)).join(" | ")).join("\n"))`, chromedp.EvalAwaitPromise))
			if err != nil {
				t.Fatal(err)
			}
			if found != "" {
				t.Errorf("%s, %s: %s", address, look.name, strings.TrimSpace(found))
			}
			if name := pictured[address+" "+look.name]; name != "" && *pictures != "" {
				png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
				if err == nil {
					err = os.WriteFile(filepath.Join(*pictures, name), png, 0o644)
				}
				if err != nil {
					t.Error(err)
				}
			}
		}
	}
}
