package slack

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/testing/golden"
	"jobwatch/internal/testing/slow"
)

const picture = "../../docs/slack.png"

// TestPicture draws golden messages about as Slack does; with -update it writes the picture of docs/relays-slack.md.
func TestPicture(t *testing.T) {
	slow.Test(t, "2 s", "starts a Chromium")
	var page strings.Builder
	page.WriteString(`<meta charset="utf-8"><style>body{font:15px/1.46 Lato,Arial,sans-serif;color:#1d1c1d;width:640px;margin:12px}
.m{margin:0 0 14px}.a{border-left:4px solid;padding:2px 0 2px 12px;margin-top:4px}.f{display:grid;grid-template-columns:1fr 1fr;gap:2px 16px}
.s{margin:4px 0;overflow-wrap:anywhere}.c{color:#616061;font-size:13px}a{color:#1264a3}.t{margin-left:28px}</style>`)
	for _, name := range []string{"running", "failed", "group", "hostile-commcell"} {
		text, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range messagesOf(t, text) {
			if i == 0 || name == "failed" {
				page.WriteString(drawn(t, m, i > 0))
			}
		}
	}
	drawnOn := t.TempDir() + "/page.html"
	if err := os.WriteFile(drawnOn, []byte(page.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	allocator, end := chromedp.NewExecAllocator(t.Context(), options...)
	defer end()
	ctx, stop := chromedp.NewContext(allocator)
	defer stop()
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(680, 400), chromedp.Navigate("file://"+drawnOn)); err != nil {
		t.Fatal(err)
	}
	// What is only words may have made neither an element nor a link.
	if n, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelectorAll("a:not([href^='https://cs.example.com/'])").length`)); err != nil || n != 0 {
		t.Errorf("%d foreign links, %v", n, err)
	}
	shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil || len(shot) > 200_000 {
		t.Fatalf("%d bytes, %v", len(shot), err)
	}
	if *golden.Update {
		if err := os.WriteFile(picture, shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := os.Stat(picture); err != nil || there.Size() > 200_000 {
		t.Error(there, err)
	}
}

// messagesOf are the messages of a preview, the replies of a thread among them.
func messagesOf(t *testing.T, preview []byte) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	if err := json.Unmarshal(preview, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		var reply struct{ Thread json.RawMessage }
		if json.Unmarshal(all[i], &reply) == nil && reply.Thread != nil {
			all[i] = reply.Thread
		}
	}
	return all
}

// part is any part of a message.
type part struct {
	Type             string
	Text             any
	URL, Color       string
	Style            struct{ Bold bool }
	Elements, Fields []part
	Blocks           []part
	Attachments      []part
}

func drawn(t *testing.T, message json.RawMessage, reply bool) string {
	t.Helper()
	var m part
	if err := json.Unmarshal(message, &m); err != nil {
		t.Fatal(err)
	}
	class := "m"
	if reply {
		class = "m t"
	}
	out := `<div class="` + class + `">` + each(m.Blocks)
	for _, a := range m.Attachments {
		out += `<div class="a" style="border-color:` + a.Color + `">` + each(a.Blocks) + `</div>`
	}
	return out + "</div>"
}

func each(parts []part) string {
	var out strings.Builder
	for _, p := range parts {
		out.WriteString(p.html())
	}
	return out.String()
}

var dateFallback = regexp.MustCompile(`<!date[^|]*\|([^>]*)>`)

func (p part) html() string {
	switch p.Type {
	case "rich_text", "rich_text_section":
		return `<div class="s">` + each(p.Elements) + `</div>`
	case "context":
		return `<div class="s c">` + each(p.Elements) + `</div>`
	case "section":
		if p.Fields != nil {
			return `<div class="s f">` + each(p.Fields) + `</div>`
		}
		text, _ := p.Text.(map[string]any)
		return `<div class="s">` + html.EscapeString(fmt.Sprint(text["text"])) + `</div>`
	}
	text := strings.ReplaceAll(html.EscapeString(dateFallback.ReplaceAllString(fmt.Sprint(p.Text), "$1")), "\n", "<br>")
	switch {
	case p.URL != "":
		return `<a href="` + html.EscapeString(p.URL) + `">` + text + `</a>`
	case p.Style.Bold:
		return "<b>" + text + "</b>"
	case p.Type == "text":
		return "<span>" + text + "</span>"
	}
	return "<div>" + text + "</div>" // a field, or an element of a context
}
