package record_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/commvault"
	"jobwatch/internal/record"
	"jobwatch/internal/sim"
	"jobwatch/internal/testing/slow"
)

// planted are what people, hosts, addresses, tokens and texts may be called. None shares four letters with a word of the API.
var planted = []string{
	"Zyxquellwobb", "zyxquell-wobb01", "zyxquell.wobbhaus.example.org", "j.zyxquell@wobbhaus.example", `WOBBHAUS\zyxquell`,
	`D:\Zyxquell\Wobbhaus`, `\\zyxquell\wobbhaus`, "/home/zyxquell/.wobbhaus", "https://zyxquell:wobbhaus@wobbhaus.example/zyxquell?q=wobbhaus#zyxquell",
	"QSDK zyxquellwobb", "Bearer zyxquellwobb", "203.0.113.77", "2001:db8:77::77", "7f1d3a52-0c9e-4b7a-9d12-6f0e8c5b4a31",
	"Herr Zyxquell aus Wobbhaus hat 77 Dateien", "zyxquell\nwobbhaus\twobbhaus", "<b>zyxquell</b> &amp; wobbhaus", "Ärger mit Zyxquell", "zyxquell\x00wobbhaus",
	"4915112345678", "77031977", "zyxquell, wobbhaus", "[zyxquell:wobbhaus]", "Failed zyxquell", "1977-03-07 Zyxquell", "Job [77031977] does not exist: zyxquell",
	`{"zyxquell":"wobbhaus"}`, "<zyxquell wobbhaus='zyxquell'/>", "77 Folders, 12 Files of Zyxquell", "\\u007ayxquell", strings.Repeat("zyxquellwobb ", 9),
}

// numbers are those among them.
var numbers = []string{"4915112345678", "77031977", "203.0.113.77", "2001:db8:77", "7f1d3a52", "6f0e8c5b4a31", "1977-03-07"}

// gardener plants names into all that a CommServe says: each string, a member beside it, headers, and broken bodies.
type gardener struct {
	http.RoundTripper
	count int
	keep  *regexp.Regexp // strings that stay
}

func (g *gardener) name() string { g.count++; return planted[g.count%len(planted)] }

func (g *gardener) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := g.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", planted[2], err)
	}
	body, bodyErr := io.ReadAll(response.Body)
	if bytes.HasPrefix(body, []byte("<")) {
		body = g.xml(body)
	} else {
		body = g.json(body)
	}
	end := io.Reader(http.NoBody)
	if bodyErr != nil {
		end = brokenOff{}
	}
	response.Body, response.ContentLength = io.NopCloser(io.MultiReader(bytes.NewReader(body), end)), -1
	for _, name := range []string{"Set-Cookie", "Server", "Www-Authenticate", "X-Zyxquell", "Via", "Etag"} {
		response.Header.Set(name, planted[0])
	}
	if g.count%5 == 0 {
		response.Header.Set("Content-Type", response.Header.Get("Content-Type")+"; boundary=zyxquell")
	}
	for _, name := range []string{"Content-Type", "Retry-After", "Date", "Location", "X-Ratelimit-Limit"} {
		if g.count%7 == 0 {
			response.Header.Set(name, planted[8])
		}
	}
	return response, nil
}

var (
	jsonString = regexp.MustCompile(`"(?:[^"\\]|\\.)*"(\s*:)?`)
	attribute  = regexp.MustCompile(`(\w+)="([^"]*)"`)
	isNumber   = regexp.MustCompile(`^-?[0-9.E+]*$`)
)

func (g *gardener) json(body []byte) []byte {
	return jsonString.ReplaceAllFunc(body, func(is []byte) []byte {
		if bytes.HasSuffix(is, []byte(":")) {
			beside, _ := json.Marshal(g.name())
			value, _ := json.Marshal(g.name())
			return fmt.Appendf(nil, `%s:%s,"number":4915112345678,"zyxquell":77031977,%s`, beside, value, is)
		}
		if g.keep.Match(is) {
			return is
		}
		value, _ := json.Marshal(g.name())
		return value
	})
}

func (g *gardener) xml(body []byte) []byte {
	body = attribute.ReplaceAllFunc(body, func(is []byte) []byte {
		part := attribute.FindSubmatch(is)
		if isNumber.Match(part[2]) || g.keep.Match(part[2]) {
			return is
		}
		return fmt.Appendf(nil, `zyxquell.%d="77031977" %s="%s"`, g.count, part[1], g.escaped())
	})
	if at := bytes.LastIndex(body, []byte("</")); at > 0 {
		body = append(append(bytes.Clone(body[:at]), fmt.Appendf(nil, "<!-- zyxquell --><wobbhaus:zyxquell>%s</wobbhaus:zyxquell>", g.escaped())...), body[at:]...)
	}
	return body
}

func (g *gardener) escaped() string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&#34;").Replace(g.name())
}

// TestNothingOfTheOriginalIsInTheRecord plants names in all that a CommServe says, whole answers and broken ones, in both
// formats, and looks for each of them, parts of them, and what they become in other codes.
func TestNothingOfTheOriginalIsInTheRecord(t *testing.T) {
	slow.Test(t, "4 s", "thousands of answers with names in all their strings, searched for all that the names can become")
	t.Parallel()
	for _, format := range []string{"json", "xml"} {
		for _, keep := range []string{`^$`, `(?i)^"?(Running|Scan|token|QSDK.*|JobManager|\d+:\d+)"?$`} {
			play := sim.New(sim.Config{Jobs: 5, Username: planted[0], Password: planted[1], Token: planted[9]})
			for _, j := range personal() {
				play.Add(j)
			}
			for _, kind := range sim.FaultKinds() {
				if kind != sim.Hang && kind != sim.Slow && kind != sim.Huge && kind != sim.GzipBomb && kind != sim.AccountLocked {
					play.Fault(sim.Fault{Kind: kind, Rate: 0.05, Next: 4})
				}
			}
			w, dir := newWriter(t, func(c *record.Config) {
				c.URL, c.Asked, c.Schedule = "https://zyxquell.wobbhaus.example/zyxquell", format, "CRON_TZ=Zyxquell/Wobbhaus * * * * *"
			})
			wrapped := &gardener{RoundTripper: play.Inside(), keep: regexp.MustCompile(keep)}
			logIn := func(c *commvault.Config) {
				c.Wrap, c.URL = w.Tap, "https://zyxquell.wobbhaus.example/zyxquell"
				c.Username, c.Password, c.Domain = planted[0], planted[1], planted[2]
			}
			client := newClient(t, format, wrapped, func(c *commvault.Config) {
				logIn(c)
				c.Username, c.Token = "", planted[9]
			})
			for range 12 {
				_ = client.List(t.Context(), time.Hour, func([]commvault.Line) error { return nil })
				for _, number := range []int64{71, 72, 1001, 1002, 1003, 1004, 1005, 77031977} {
					_, _ = client.JobDetails(t.Context(), number)
					_, _ = client.Summary(t.Context(), number)
				}
				_, _, _ = client.Feed(t.Context(), commvault.FeedMark{})
				_, _ = client.GUID(t.Context())
				again := newClient(t, format, wrapped, logIn)
				_, _ = again.GUID(t.Context())
			}
			gone, cancel := context.WithTimeout(t.Context(), 0)
			_, _ = client.JobDetails(gone, 71)
			cancel()
			if stats := closed(t, w); stats.Entries < 200 || stats.Size < 100_000 {
				t.Errorf("%d entries, %d bytes: too few to judge by", stats.Entries, stats.Size)
			}
			nothingPlanted(t, dir, "77031977")
		}
	}
}

// nothingPlanted reads all files of a record. The number is a job's that the client itself asked for.
func nothingPlanted(t *testing.T, dir, asked string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v: %q", err, files)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(strings.ToLower(string(raw)), `"job":`+asked, "")
		for code, found := range traces() {
			if at := strings.Index(text, code); at >= 0 {
				t.Fatalf("%s holds %q, of %.60q: …%.200s…", file, code, found, text[max(0, at-100):])
			}
		}
	}
}

// traces are what must not be found, in lower case, and what it is of: four letters in a row, numbers, and what a name
// becomes in other codes.
func traces() map[string]string {
	all := map[string]string{}
	add := func(of, code string) {
		if len(code) >= 4 {
			all[strings.ToLower(code)] = of
		}
	}
	for _, word := range []string{"zyxquell", "wobbhaus", "zyxquellwobb", "dateien", "ärger"} {
		for from := 0; from+4 <= len(word); from++ {
			add(word, word[from:from+4])
		}
	}
	for _, number := range numbers {
		add(number, number)
	}
	for _, name := range append(slices.Clone(planted), "zyxquell", "Zyxquell", "wobbhaus", "Wobbhaus") {
		for _, text := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			for _, code := range inOtherCodes(text[:min(len(text), 100)]) {
				add(name, code)
			}
			for _, sum := range sums([]byte(text)) {
				add(name, hex.EncodeToString(sum)[:12])
				add(name, base64.StdEncoding.EncodeToString(sum)[:16])
			}
		}
	}
	return all
}

// inOtherCodes gives base64 in each of the three places where a text can begin in it, without what depends on the rest.
func inOtherCodes(text string) []string {
	all := []string{hex.EncodeToString([]byte(text))}
	if escaped := url.QueryEscape(text); escaped != text {
		all = append(all, escaped)
	}
	for before := range 3 {
		code := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(" ", before) + text))
		if from, to := (before*8+5)/6, len(code)-2; to-from >= 8 {
			all = append(all, code[from:to], strings.NewReplacer("-", "+", "_", "/").Replace(code[from:to]))
		}
	}
	return all
}

func sums(text []byte) [][]byte {
	a, b, c := sha256.Sum256(text), sha1.Sum(text), md5.Sum(text)
	return [][]byte{a[:], b[:], c[:]}
}

// TestTracesAreFound: what is looked for would be seen.
func TestTracesAreFound(t *testing.T) {
	all := traces()
	for _, text := range []string{
		"zyxq", "obbh", "77031977", hex.EncodeToString([]byte("Zyxquellwobb")), base64.StdEncoding.EncodeToString([]byte("to Zyxquellwobb, and others")),
		url.QueryEscape("j.zyxquell@wobbhaus.example"), fmt.Sprintf("%x", sha256.Sum256([]byte("QSDK zyxquellwobb"))),
	} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(all)), func(code string) bool { return strings.Contains(strings.ToLower(text), code) }) {
			t.Errorf("%s would not be seen", text)
		}
	}
}
