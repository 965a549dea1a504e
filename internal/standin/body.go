package standin

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Form is what a body is.
type Form string

// The forms.
const (
	Empty      Form = "empty"
	JSON       Form = "json"
	XML        Form = "xml"
	CutJSON    Form = "cut json"    // whole as far as it goes
	CutXML     Form = "cut xml"     // likewise
	BrokenJSON Form = "broken json" // something in it, or behind it, is none
	BrokenXML  Form = "broken xml"
	HTML       Form = "html" // of which nothing is kept
	Prose      Form = "text" // likewise
	Other      Form = "other"
)

var (
	byteOrderMark = []byte("\uFEFF")
	htmlShape     = regexp.MustCompile(`(?i)^<(!doctype html|html)\b`)
	htmlTitle     = regexp.MustCompile(`(?i)<title`)
)

// What stands for bodies that cannot be read, to the same effect.
const (
	titledPage   = `<!DOCTYPE html><html><head><title>A web page</title></head><body></body></html>`
	untitledPage = `<!DOCTYPE html><html><head></head><body></body></html>`
	noJSON       = "?" // JSON does not go on, or begin, with it
	noXML        = "<>"
	anyDoctype   = "<!DOCTYPE other>"
)

// Body gives a body again, and what it is.
func (s *Scrubber) Body(body []byte) (string, Form) {
	body = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), byteOrderMark))
	switch {
	case len(body) == 0:
		return "", Empty
	case htmlShape.Match(body):
		return page(body), HTML
	case body[0] == '<':
		return s.xmlBody(body)
	case isProse(body):
		return s.text(string(body)), Prose
	}
	return s.jsonBody(body)
}

func page(body []byte) string {
	if htmlTitle.Match(body) {
		return titledPage
	}
	return untitledPage
}

// jsonBody reads JSON as the client does, which overlooks line ends within strings.
func (s *Scrubber) jsonBody(body []byte) (string, Form) {
	is, err := s.json(bytes.ReplaceAll(body, []byte("\r"), nil))
	text := strings.ToValidUTF8(string(is), "\uFFFD")
	switch {
	case err == nil:
		return text, JSON
	case errors.Is(err, io.ErrUnexpectedEOF) && text != "":
		return text, CutJSON
	case text == "":
		return noJSON, Other
	}
	return text + noJSON, BrokenJSON
}

func (s *Scrubber) xmlBody(body []byte) (string, Form) {
	is, err := s.xml(body)
	text := string(is)
	switch {
	case err == nil:
		return text, XML
	case errors.Is(err, io.EOF), strings.Contains(err.Error(), "unexpected EOF"):
		return text + "<", CutXML
	case errors.Is(err, errDoctype):
		return text + anyDoctype, BrokenXML
	}
	return text + noXML, BrokenXML
}

// isProse says whether a body is words, which the client quotes.
func isProse(body []byte) bool {
	first, _ := utf8.DecodeRune(body)
	return unicode.IsLetter(first) && !bytes.ContainsAny(body, "{}[]<>") && utf8.Valid(body) && !indifferent[string(body)]
}
