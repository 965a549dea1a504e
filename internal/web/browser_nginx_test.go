package web

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"jobwatch/internal/testing/ports"
	"jobwatch/internal/testing/slow"
)

// nginx has a real nginx hand on to the watcher what docs/http.md says, below /jobwatch/; below /bare/ what it does by
// default; and below /named/ the name that the browser asked for. It gives the addresses of requests for anything else.
func (w *world) nginx() (address string, strays func() string) {
	w.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/nginx") // where Debian has it, which is not in everybody's PATH
	}
	if err != nil {
		w.Fatalf("nginx does not start: %v; make setup installs it", err)
	}
	document, err := os.ReadFile("../../docs/http.md")
	w.must(err)
	_, snippet, _ := strings.Cut(string(document), "```nginx\n")
	snippet, _, _ = strings.Cut(snippet, "```")
	target := strings.TrimPrefix(w.url, "http://")
	if strings.Count(snippet, "127.0.0.1:9480") != 1 {
		w.Fatalf("docs/http.md has no configuration for nginx that names the watcher once: %q", snippet)
	}
	dir, port := w.TempDir(), ports.Free(w)
	conf := filepath.Join(dir, "nginx.conf")
	w.must(os.WriteFile(conf, fmt.Appendf(nil, `daemon off; master_process off; pid nginx.pid; events {}
http {
	access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server {
		listen 127.0.0.1:%d;
		%s
		location /bare/ { proxy_pass http://%s/; }
		location /named/ { proxy_pass http://%[3]s/; proxy_set_header Host $host; }
		location / { access_log strays; return 404; }
	}
}
`, port, strings.Replace(snippet, "127.0.0.1:9480", target, 1), target), 0o600))
	var said bytes.Buffer
	process := exec.Command(program, "-e", "stderr", "-p", dir, "-c", conf)
	process.Stderr = &said
	w.must(process.Start())
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	w.Cleanup(func() {
		_ = process.Process.Kill()
		<-ended
		if w.Failed() {
			w.Logf("nginx says: %.2000s", said.String())
		}
	})
	address = fmt.Sprintf("127.0.0.1:%d", port)
	w.until("nginx listens", func() bool {
		select {
		case err := <-ended:
			ended <- err
			w.Fatalf("nginx has ended: %v: %s", err, said.String())
		default:
		}
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "http://" + address, func() string {
		text, err := os.ReadFile(filepath.Join(dir, "strays"))
		w.must(err)
		return string(text)
	}
}

// pageBehindNginx goes through the page where nginx serves it below a path, and nothing of it beside that.
func pageBehindNginx(t *testing.T, browser context.Context) {
	w := newWorld(t)
	w.sees(running(71))
	front, strays := w.nginx()
	b := w.opens(browser, front+"/jobwatch/")
	b.has("#link", "Live")
	b.has("#cells .up", "prod")
	b.has("#running tr", "prod/71", "Running")
	w.sees(ended(71, "Completed", time.Now()))
	b.has("#events li", "Running → Completed")
	for _, address := range everyView("prod/71") {
		b.do(chromedp.Navigate(front + "/jobwatch/" + address))
		b.has("#link", "Live")
		b.shows(`document.querySelector("main h1") && !document.querySelector("main").textContent.includes("Loading")`)
	}
	b.do(chromedp.Navigate(front + "/jobwatch/"))
	b.do(chromedp.Click("nav[aria-label=Pages] a:nth-child(2)"))
	b.has(rowOf(71), "Completed")
	b.shows("document.querySelector('.brand img').naturalWidth > 0 && getComputedStyle(document.querySelector('main')).maxWidth === '1560px'")
	for _, link := range []string{"#jobs a", "footer a:nth-child(1)", "footer a:nth-child(2)", "footer a:nth-child(3)", "footer a:nth-child(4)", "link[rel=icon]"} {
		href := evaluate[string](b, fmt.Sprintf("document.querySelector(%q).href", link))
		if !strings.HasPrefix(href, front+"/jobwatch/") {
			t.Errorf("%s leads to %s", link, href)
		}
		response, err := http.Get(href)
		w.must(err)
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s leads to %s: %s", link, href, response.Status)
		}
	}
	b.do(chromedp.Click("#jobs a.job"))
	b.do(chromedp.Click("#ask"))
	b.has("#answer", `"job": {}`)
	w.stop()
	b.has("#link", "Disconnected, reconnecting…")
	w.serve(w.server.Config)
	b.has("#link", "Live")
	if asked := strays(); asked != "" {
		t.Errorf("asked for beside the path:\n%s", asked)
	}
}

// TestBehindNginx: whatever nginx is told, events come as they happen; and no other site's page gets in by it.
func TestBehindNginx(t *testing.T) {
	slow.Test(t, "a second", "a real nginx before the watcher, which make setup installs")
	w := newWorld(t, func(c *Config) { c.LineEvery = time.Hour }) // so that nothing pushes out what is held back
	w.sees(running(71))
	front, _ := w.nginx()
	for number, path := range []string{"/jobwatch/", "/bare/"} {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, front+path+"api/v1/live", nil)
		w.must(err)
		response, err := w.client.Do(request)
		w.must(err)
		defer response.Body.Close()
		line := bufio.NewScanner(response.Body)
		line.Buffer(nil, 1<<20)
		comes := func(text string) {
			t.Helper()
			for line.Scan() {
				if strings.Contains(line.Text(), text) {
					return
				}
			}
			t.Fatalf("%s: waited in vain for %s: %v", path, text, line.Err())
		}
		comes("event: status")
		comes("event: progress")
		w.sees(running(int64(72 + number)))
		comes(fmt.Sprintf(`"id":%d`, 72+number))
	}
	for name, row := range map[string]struct {
		method, path, host, site string
		code                     int
		says                     string
	}{
		"a name in the address":  {"GET", "/jobwatch/api/v1/status", "backup.example.com", "", http.StatusOK, `"commcells"`},
		"by nginx's defaults":    {"GET", "/bare/api/v1/status", "backup.example.com", "", http.StatusOK, `"commcells"`},
		"a name handed on":       {"GET", "/named/api/v1/status", "backup.example.com", "", http.StatusForbidden, "have the proxy pass one on as Host"},
		"an address handed on":   {"GET", "/named/api/v1/status", "", "", http.StatusOK, `"commcells"`},
		"asked by another site":  {"GET", "/jobwatch/api/v1/jobs/prod/71/answer", "", "cross-site", http.StatusForbidden, "no page of another site"},
		"asked by our page":      {"GET", "/jobwatch/api/v1/jobs/prod/71/answer", "", "same-origin", http.StatusOK, `"answer":{"job":{}}`},
		"anything but a reading": {"POST", "/jobwatch/api/v1/status", "", "", http.StatusMethodNotAllowed, "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), row.method, front+row.path, nil)
			w.must(err)
			request.Host = row.host
			request.Header.Set("Sec-Fetch-Site", row.site)
			response, err := w.client.Do(request)
			w.must(err)
			defer response.Body.Close()
			var body bytes.Buffer
			_, err = body.ReadFrom(response.Body)
			w.must(err)
			if response.StatusCode != row.code || !strings.Contains(body.String(), row.says) {
				t.Errorf("%s: %s", response.Status, body.String())
			}
		})
	}
}
