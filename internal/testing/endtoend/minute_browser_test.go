package endtoend

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// screen is what a person with a browser of 1440 by 900 has before them.
type screen struct {
	t   *testing.T
	ctx context.Context
}

func openScreen(t *testing.T) *screen {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	s := &screen{t, ctx}
	s.do(chromedp.EmulateViewport(1440, 900))
	return s
}

func (s *screen) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.t.Fatalf("%v; make setup installs Chromium", err)
	}
}

func (s *screen) opens(address string) {
	s.t.Helper()
	s.do(chromedp.Navigate(address))
}

// text is what can be read without scrolling, line by line.
func (s *screen) text() string {
	s.t.Helper()
	text, err := chromedp.Run(s.ctx, chromedp.Evaluate[string](readable))
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

// readable takes a text for read where most of its box is within the window, and nothing lies over it.
const readable = `(() => {
	let all = "", last = -99;
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const node = texts.currentNode, range = document.createRange();
		if (!node.data.trim() || !node.parentElement.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
		range.selectNodeContents(node);
		const box = range.getBoundingClientRect();
		const [x, y] = [box.x + Math.min(box.width, node.parentElement.clientWidth || box.width) / 2, box.y + box.height / 2];
		const top = document.elementFromPoint(x, y);
		if (box.width < 2 || !top || !(top.contains(node) || node.parentElement.contains(top))) continue;
		all += (Math.abs(box.y - last) > 8 ? "\n" : " ") + node.data.trim().replace(/\s+/g, " ");
		last = box.y;
	}
	return all.trim();
})()`

// reads waits until all of these patterns can be read, and says which cannot. It gives what the last one has found.
func (s *screen) reads(question string, patterns ...string) (found []string) {
	s.t.Helper()
	text, missing := "", ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		text, missing = strings.ReplaceAll(s.text(), "\n", " "), ""
		for _, pattern := range patterns {
			if found = regexp.MustCompile(pattern).FindStringSubmatch(text); found == nil {
				missing = pattern
				break
			}
		}
		if missing == "" {
			return found
		}
	}
	s.t.Fatalf("%s: %q cannot be read on\n%s", question, missing, text)
	return nil
}

func (s *screen) readsNot(question string, words ...string) {
	s.t.Helper()
	text := s.text()
	for _, w := range words {
		if strings.Contains(text, w) {
			s.t.Errorf("%s: %q stands on\n%s", question, w, text)
		}
	}
}
