package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// TestThePageKeepsToItsPolicy: scripts and styles come from this address alone, none stands in the page, and nothing turns a
// text into markup. So what a CommServe names a client is a text, and a browser would run no script of it.
func TestThePageKeepsToItsPolicy(t *testing.T) {
	header := http.Header{}
	secure(header, "/")
	policy := header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("%q lacks %s", policy, part)
		}
	}
	for _, part := range []string{"unsafe", "*", "data:", "http", "nonce"} {
		if strings.Contains(policy, part) {
			t.Errorf("%q allows %s", policy, part)
		}
	}
	got := httptest.NewRecorder()
	page().ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/", nil))
	for what, never := range map[string]string{
		"a script in the page": `(?i)<script(\s[^>]*)?>\s*\S+?.*</script>`, "a script from elsewhere": `(?i)(src|href)="(https?:)?//`,
		"a handler": `(?i)\son[a-z]+\s*=`, "a style in the page": `(?i)<style|\sstyle\s*=`, "an address that is a script": `(?i)javascript:`,
	} {
		if found := regexp.MustCompile(never).FindString(got.Body.String()); found != "" {
			t.Errorf("%s: %q", what, found)
		}
	}
	if !strings.Contains(got.Body.String(), `<script src="page/page.js"`) {
		t.Errorf("this is not the page: %.200s", got.Body)
	}
	script, err := fs.ReadFile(files, "page/page.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser", "srcdoc", "setHTML"} {
		if strings.Contains(string(script), never) {
			t.Errorf("page.js uses %s", never)
		}
	}
}
