package record

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// plainTypes are the media types that are named. All others say as much as application/octet-stream.
var plainTypes = []string{"application/json", "application/xml", "text/xml", "text/html", "text/plain", "application/octet-stream"}

// charsets are those that are named.
var charsets = []string{"utf-8", "iso-8859-1", "windows-1252", "us-ascii", "utf-16"}

// basePaths are those at which CommServes have their web service.
var basePaths = []string{"/webconsole/api", "/commandcenter/api", "/SearchSvc/CVWebService.svc", "/WebServerCore"}

// numberHeaders hold a number, which stays.
var numberHeaders = []string{"X-Ratelimit-Limit", "X-Ratelimit-Period", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"}

const longestWait = 24 * time.Hour

// keptHeader is what may stay of a head: what the client goes by. Cookies, and whatever names a server, do not.
func (w *Writer) keptHeader(response *http.Response, op string) map[string]string {
	kept := map[string]string{}
	keep := func(name, value string) {
		if value != "" {
			kept[name] = value
		}
	}
	keep("Content-Type", mediaType(response.Header.Get("Content-Type")))
	keep("Retry-After", seconds(response.Header.Get("Retry-After")))
	for _, name := range numberHeaders {
		if n := number(strings.TrimSpace(response.Header.Get(name))); n > 0 {
			keep(name, strconv.FormatInt(n, 10))
		}
	}
	if response.StatusCode/100 == 3 {
		keep("Location", w.location(response, op))
	}
	return kept
}

func mediaType(header string) string {
	if header == "" {
		return ""
	}
	kind, params, err := mime.ParseMediaType(header)
	if err != nil || !slices.Contains(plainTypes, kind) {
		return "application/octet-stream"
	}
	if charset := strings.ToLower(params["charset"]); slices.Contains(charsets, charset) {
		return kind + "; charset=" + charset
	}
	return kind
}

// seconds is a wait by itself, also where the server names a moment.
func seconds(header string) string {
	if n := number(strings.TrimSpace(header)); n > 0 {
		return strconv.FormatInt(min(n, int64(longestWait/time.Second)), 10)
	}
	at, err := http.ParseTime(header)
	if err != nil {
		return ""
	}
	return strconv.FormatInt(int64(max(0, min(time.Until(at), longestWait)).Round(time.Second)/time.Second), 10)
}

// location is where a redirect goes: to another host or the same, to a web service or a page.
func (w *Writer) location(response *http.Response, op string) string {
	to, err := response.Location()
	if err != nil {
		return "/"
	}
	host, path := "https://elsewhere.example.com", "/page"
	if response.Request != nil && response.Request.URL != nil && to.Host == response.Request.URL.Host {
		host = ""
	}
	for _, base := range basePaths {
		if strings.HasPrefix(to.Path, base) {
			path = base
		}
	}
	if found, _ := operation(to.Path); found == op && op != opOther && op != opSummary {
		path += "/" + op
	}
	return host + path
}

// clockOf is how many seconds the server's clock is ahead of ours, where more than a second.
func clockOf(header http.Header, now time.Time) int64 {
	at, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return 0
	}
	if ahead := int64(at.Sub(now).Round(time.Second) / time.Second); ahead > 1 || ahead < -1 {
		return ahead
	}
	return 0
}

func protocol(response *http.Response) string {
	if response.ProtoMajor == 0 {
		return ""
	}
	return "HTTP/" + strconv.Itoa(response.ProtoMajor) + "." + strconv.Itoa(response.ProtoMinor)
}
