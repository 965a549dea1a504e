package commvault

import (
	"bytes"
	"errors"
	"html"
	"io"
	"regexp"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is more than ten times what real answers nest.
const maxDepth = 64

// tolerant reads what real servers send: Latin-1 in the middle of UTF-8, a name twice.
var tolerant = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

var byteOrderMark = []byte("\uFEFF")

// parse reads a whole answer into the shape T, in the format that it came in, whatever was asked for.
// Root is what the answer's root element is called in XML. Of what is valid JSON only the outermost
// value's kind can be wrong, which is the caller's to judge; the errors are *Error.
func parse[T any](body []byte, root string) (*section[T], error) {
	body = trim(body)
	switch {
	case len(body) == 0:
		return nil, notAnAnswer("an empty answer")
	case body[0] == '<':
		return parseXML[T](body, root)
	case tooDeep(body):
		return nil, notAnAnswer("JSON nested deeper than %d", maxDepth)
	}
	return parseJSON[T](normalizeJSON(body))
}

func trim(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), byteOrderMark))
}

func parseJSON[T any](body []byte) (*section[T], error) {
	answer := new(section[T])
	if err := json.Unmarshal(body, answer, tolerant); err != nil {
		e := badJSON(err, len(body))
		e.Words = prose(body)
		return nil, e
	}
	return answer, nil
}

// parseXML takes the root asked for, and an error's. Of any other only a complaint is read.
func parseXML[T any](body []byte, want string) (*section[T], error) {
	content, root, err := fromXML(body)
	switch root {
	case want, errorRoot, "":
		if err != nil {
			return nil, err
		}
	default:
		return nil, unexpectedRoot(root, content, body)
	}
	if root == errorRoot {
		content = slices.Concat([]byte(`{"error":`), content, []byte("}"))
	}
	return parseJSON[T](content)
}

// unexpectedRoot is XML that nobody asked for: an error in a form of its own, the answer to something else,
// or a web page.
func unexpectedRoot(root string, content, body []byte) *Error {
	if r := remarksInJSON(content, root); r.complains() && titleOf(body) == "" {
		return r.instead("an answer")
	}
	switch root {
	case detailsRoot, listRoot, loginRoot:
		return notAnAnswer("the answer is a %s", root)
	}
	return webPage(body)
}

var attribute = regexp.MustCompile(`"@(\w+)"(\s*:)`)

// normalizeJSON takes out the line ends that some releases leave inside strings, where JSON allows none, and
// the @ that old service packs put before the name of what is an attribute in XML.
func normalizeJSON(body []byte) []byte {
	if bytes.IndexByte(body, '\r') >= 0 {
		body = bytes.ReplaceAll(body, []byte("\r"), nil)
	}
	if bytes.Contains(body, []byte(`"@`)) {
		body = attribute.ReplaceAll(body, []byte(`"$1"$2`))
	}
	return body
}

// tooDeep looks before anything is decoded. Few brackets cannot nest deep, and are quickly counted.
func tooDeep(body []byte) bool {
	if bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch b := body[i]; {
		case b == '"':
			quoted = !quoted
		case quoted && b == '\\':
			i++
		case quoted:
		case b == '{', b == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case b == '}', b == ']':
			depth--
		}
	}
	return false
}

// badJSON names the place only: the rest of the library's sentence quotes the answer, at any length.
func badJSON(err error, size int) *Error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return notAnAnswer("the answer is cut short after %d bytes", size)
	}
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return notAnAnswer("no JSON from byte %d on", syntax.ByteOffset)
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok && semantic.Err != nil {
		err = semantic.Err
	}
	return notAnAnswer("%w", err)
}

var title = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// webPage is HTML, XML of no CommServe, or what calls itself so: a login page, a gateway's, that of a starting server.
func webPage(body []byte) *Error {
	e := &Error{Kind: NotAnAnswer, Words: titleOf(body), page: true}
	if bytes.HasPrefix(trim(body), []byte("{")) {
		e.Words = complaintOf(body)
	}
	e.Err = errors.New("a web page where an answer was expected (is url: the web service's root?)")
	return e
}

func titleOf(body []byte) string {
	if m := title.FindSubmatch(body); m != nil {
		return html.UnescapeString(string(m[1]))
	}
	return ""
}

// complaintIn gives the words of an error's body, whatever it is, and whether it is a web page.
func complaintIn(body []byte) (words string, isPage bool) {
	_, err := parse[struct{}](body, "")
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Words, e.page
	}
	r := remarksIn(body)
	return r.all(), false
}
