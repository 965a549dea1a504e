package webhook

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Validate finds what is wrong with the configuration as it stands, without a look at files that it names.
func (c Config) Validate() error {
	_, err := c.validate()
	return err
}

func (c Config) validate() (*template, error) {
	switch {
	case c.URL == "" && c.URLFile == "":
		return nil, errors.New("webhook: where to? Write url: https://…, or url_file")
	case c.URL != "" && c.URLFile != "":
		return nil, errors.New("webhook: url and url_file are both set; keep one")
	case c.URL != "":
		if err := checkURL(c.URL, c.AllowHTTP); err != nil {
			return nil, fmt.Errorf("webhook.url: %w", err)
		}
	}
	if err := checkHeaders(c.Headers); err != nil {
		return nil, err
	}
	if c.Body == nil {
		return nil, nil
	}
	return newTemplate(c.Body)
}

// checkURL is for one that stands in the configuration itself, which many may read.
func checkURL(text string, allowHTTP bool) error {
	u, err := parseURL(text, allowHTTP)
	if err == nil && u.User != nil {
		return errors.New("holds a user's name; write the whole into a file and name that as url_file, or use headers: {Authorization: {value_file: …}}")
	}
	return err
}

// parseURL reads a URL. Its error does not hold it.
func parseURL(text string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("no URL that could be read; write https://host/path") // err holds pieces of it
	case u.Scheme == "http" && !allowHTTP:
		return nil, errors.New("http sends events unencrypted, for all on the way to read; use https, or write allow_http: true")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("no URL of https; write https://host/path")
	case u.Hostname() == "":
		return nil, errors.New("names no host; write https://host/path")
	}
	return u, nil
}

// checkHeaders refuses names that no header has, and those that are not the user's to set.
func checkHeaders(headers map[string]string) error {
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !isToken(name):
			return fmt.Errorf("webhook.headers: %q is no name of a header; use letters, digits and -", name)
		case ours(canonical):
			return fmt.Errorf("webhook.headers: %s is set by jobwatch itself; take it out", name)
		case seen[canonical] != "":
			return fmt.Errorf("webhook.headers: %s and %s are the same header; keep one", seen[canonical], name)
		}
		seen[canonical] = name
	}
	return nil
}

func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func ours(canonical string) bool {
	switch canonical {
	case "Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive",
		"Te", "Trailer", "Upgrade", "Expect", "User-Agent", "Accept-Encoding":
		return true
	}
	return strings.HasPrefix(canonical, "Webhook-") || strings.HasPrefix(canonical, "Jobwatch-")
}
