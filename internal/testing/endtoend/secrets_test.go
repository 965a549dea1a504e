package endtoend

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"jobwatch/internal/sim"
	"jobwatch/internal/testing/fakeslack"
	"jobwatch/internal/testing/slow"
)

// TestNoSecretShows, wherever one looks, has destinations that fail as unkindly as they can: they send back what they got.
func TestNoSecretShows(t *testing.T) {
	slow.Test(t, "10 s", "an event is tried three times, with real pauses")
	t.Parallel()
	play := sim.New(sim.Config{})
	play.Add(sim.Job{ID: 71, Client: "fall", Steps: []sim.Step{{At: -time.Minute, State: "Running", Phase: "Scan"}}})
	w := newWorld(t, 14, play)
	p := &plants{world: w, secrets: map[string]string{}}
	site := keptAddress(t)
	w.edit(`http: {listen: ""}`, fmt.Sprintf("http: {listen: %q}\nlog: {level: debug}", site))
	echo := httptest.NewServer(http.HandlerFunc(sendBack))
	t.Cleanup(echo.Close)
	mirror, mail := talks(t, sendBackLines), talks(t, refuseLogin)
	nobody := "http://" + keptAddress(t)

	const local = "allow: [127.0.0.1], allow_http: true"
	hook := func(name, url string) string {
		header, whsec := p.plant(name+" header"), base64.StdEncoding.EncodeToString([]byte(p.plant(name+" signs")))
		p.secrets[name+" whsec"] = whsec
		return fmt.Sprintf("  - {name: %s, start: all, webhook: {url_file: %s, secret_files: [%s], headers: {X-Key: {value_file: %s}, Authorization: {value_file: %s}}, %s}}\n",
			name, w.keep(name+".url", url+"/"+p.plant(name+" path")+"?key="+p.plant(name+" query")), w.keep(name+".whsec", "whsec_"+whsec),
			w.keep(name+".key", header), w.keep(name+".auth", "Bearer "+p.plant(name+" bearer")), local)
	}
	slack := func(name, url string) string {
		return fmt.Sprintf("  - {name: %s, start: all, slack: {token_file: %s, channel: %s, api_url: %s}}\n",
			name, w.keep(name+".token", "xoxb-"+p.plant(name+" token")), fakeslack.Channel, url)
	}
	incoming := func(name, url string) string {
		return fmt.Sprintf("  - {name: %s, start: all, slack: {webhook_url_file: %s}}\n", name, w.keep(name+".url", url+"/services/T0/"+p.plant(name+" path")))
	}
	failing := []string{
		hook("unfit", echo.URL+"/400"), hook("unauthorized", echo.URL+"/401"), hook("moved", echo.URL+"/302"), hook("gone", echo.URL+"/410"),
		hook("broken", echo.URL+"/500"), hook("mirrored", "http://"+mirror), hook("away", nobody),
		slack("bot-unknown", fakeslack.New(t).URL), slack("bot-refused", echo.URL+"/200/"), slack("bot-mirrored", "http://"+mirror+"/"), slack("bot-away", nobody+"/"),
		incoming("incoming", echo.URL+"/400"), incoming("incoming-moved", echo.URL+"/302"), incoming("incoming-mirrored", "http://"+mirror), incoming("incoming-away", nobody),
		fmt.Sprintf("  - {name: mail, start: all, email: {server: %q, tls: none, username: me, password_file: %s, from: a@example.com, to: [b@example.com]}}\n",
			mail, w.keep("password", p.plant("mail"))),
	}
	relays := append(failing,
		fmt.Sprintf("  - {name: trail, start: all, audit: {dir: %s}}\n", filepath.Join(w.dir, "trail")))
	w.relay("%s", strings.Join(relays, ""))
	w.start()
	shown := func(path string) string { _, text := fetch("http://" + site + path); return text }
	w.until("each relay has failed", func() bool {
		counts := shown("/metrics")
		return !slices.ContainsFunc(failing, func(r string) bool {
			failed := regexp.MustCompile(`jobwatch_relay_failures_total\{reason="[a-z_ ]+",relay="` + nameOf(r) + `"\} [1-9]`)
			return !failed.MatchString(counts)
		})
	}, func() string { return shown("/metrics") })
	dead := func() string { return typed(t, "relay", "dead", "unfit", "-c", w.config, "-o", "json").Succeeds(t).Out }
	w.until("there are dead letters", func() bool { return strings.Count(dead(), `"status": 400`) == 2 }, dead)
	key, err := os.ReadFile(filepath.Join(w.dir, "trail.key"))
	if err != nil {
		t.Fatal(err)
	}
	p.secrets["signing key"] = strings.TrimSpace(string(key))

	for _, path := range []string{"/metrics", "/api/v1/status", "/readyz", "/healthz", "/", "/page/page.js", "/api/v1/jobs", "/api/v1/config", "/api/v1/build"} {
		code, text := fetch("http://" + site + path)
		if code != http.StatusOK && path != "/readyz" {
			t.Errorf("%s: %d", path, code)
		}
		p.notIn(path, text)
	}
	event := w.keep("event.json", firstEvent(t, w))
	for _, words := range []string{"debug dump", "relay status", "relay status -o json", "relay dead unfit", "relay dead unfit -o json", "check", "check -o json"} {
		said := typed(t, append(strings.Fields(words), "-c", w.config)...)
		p.notIn(words, said.Out+said.Errs)
	}
	for _, r := range relays {
		for _, dry := range []string{"--dry", "--dry=false"} {
			said := typed(t, "relay", "try", nameOf(r), event, dry, "-c", w.config)
			p.notIn("relay try "+nameOf(r)+" "+dry, said.Out+said.Errs)
		}
	}
	for _, in := range []string{"JOBS", "JOBS_RELAYS", "KV_JOBS_RELAY_STATE"} {
		eachMessage(t, w.jetStream(), in, ">", func(m jetstream.Msg) {
			p.notIn(in+" "+m.Subject(), fmt.Sprint(m.Subject(), m.Headers(), string(m.Data())))
		})
	}
	w.kill()
	p.notIn("the log", w.said.String())
	if n := strings.Count(w.said.String(), "…"); n < 5 {
		t.Errorf("what the destinations sent back was hidden %d times in\n%s", n, w.said.String())
	}
}

func nameOf(relay string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(relay, "  - {name: "), ",")
	return name
}

// plants are secrets in the configuration.
type plants struct {
	*world
	secrets map[string]string // what is planted, by where
}

// plant gives a secret of 40 characters.
func (p *plants) plant(where string) string {
	secret := fmt.Sprintf("hunter2-%032x", p.random.Uint64())
	p.secrets[where] = secret
	return secret
}

// notIn looks for the secrets as they are, and as logins encode them.
func (p *plants) notIn(place, text string) {
	p.t.Helper()
	for where, secret := range p.secrets {
		encode := base64.StdEncoding.EncodeToString
		for _, s := range []string{secret, encode([]byte(secret)), encode([]byte("\x00me\x00" + secret))} {
			if at := strings.Index(text, s); at >= 0 {
				p.t.Errorf("%s: the secret of %q shows: %.300s", place, where, text[max(0, at-100):])
			}
		}
	}
}

// sendBack answers with the status that the path begins with, and all that was sent.
func sendBack(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	got := fmt.Sprintf("%s %v %s", r.RequestURI, r.Header, body)
	var code int
	_, _ = fmt.Sscanf(r.URL.Path, "/%d/", &code)
	if code < 300 {
		fmt.Fprintf(w, `{"ok": false, "error": %q}`, r.Header.Get("Authorization")+r.FormValue("token")+string(body))
		return
	}
	w.Header().Set("Location", "http://"+r.Host+r.RequestURI)
	w.WriteHeader(code)
	_, _ = io.WriteString(w, got)
}

// talks serves connections until the test ends, and says at which address.
func talks(t *testing.T, serve func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); serve(conn) }()
		}
	}()
	return l.Addr().String()
}

// sendBackLines is no HTTP server: what it gets, it sends.
func sendBackLines(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "" {
			return
		}
		fmt.Fprint(conn, line)
	}
}

// refuseLogin is a mail server that refuses each login, and says which it was.
func refuseLogin(conn net.Conn) {
	fmt.Fprint(conn, "220 mail.example.com\r\n")
	for in := bufio.NewScanner(conn); in.Scan(); {
		verb, rest, _ := strings.Cut(in.Text(), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			fmt.Fprint(conn, "250-mail.example.com\r\n250 AUTH PLAIN\r\n")
		case "AUTH":
			encoded := strings.TrimPrefix(rest, "PLAIN ")
			login, _ := base64.StdEncoding.DecodeString(encoded)
			fmt.Fprintf(conn, "535 5.7.8 not %s, which is %s\r\n", encoded, strings.ReplaceAll(string(login), "\x00", " "))
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

func firstEvent(t *testing.T, w *world) (event string) {
	t.Helper()
	eachMessage(t, w.jetStream(), "JOBS", "jobs.>", func(m jetstream.Msg) {
		if event == "" {
			event = string(m.Data())
		}
	})
	return event
}
