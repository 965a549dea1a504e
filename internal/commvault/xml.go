package commvault

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// The root elements of answers in XML.
const (
	detailsRoot = "JobManager_JobDetailResponse"
	listRoot    = "JobManager_JobListResponse"
	loginRoot   = "DM2ContentIndexing_CheckCredentialResp"
	renewRoot   = "DM2ContentIndexing_RenewLoginTokenResp" // a guess: its XML is documented nowhere
	errorRoot   = "error"                                  // what is the member `error` in JSON
)

// transcript writes XML as the JSON that a CommServe would have answered with: attributes and child
// elements become members, an element of text alone becomes a string, an empty one null; text beside
// members becomes one more. Elements of one name become members of one name, which a list gathers.
//
// What JSON cannot say is refused: a DOCTYPE, and entities other than XML's own five. Prefixes are
// left out, and so are attributes for XML's own use.
type transcript struct {
	in   *xml.Decoder
	out  []byte
	open []element
	root string // "" before it
}

type element struct {
	name   xml.Name
	object bool // it has a member
	text   []byte
}

// textMember is what an element's text becomes beside members. An error may have its words there.
const textMember = "#text"

// fromXML gives the root element's content as JSON, and its name: "" where none came.
func fromXML(body []byte) (content []byte, root string, err error) {
	if tooManyAttributes(body) {
		return nil, "", notAnAnswer("an XML element of more than %d attributes", maxElements)
	}
	t := transcript{
		in:   xml.NewDecoder(bytes.NewReader(SanitizeXML(body))),
		out:  make([]byte, 0, len(body)+len(body)/4),
		open: make([]element, 0, 8),
	}
	// It is read as UTF-8, whatever its declaration says.
	t.in.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		token, err := t.in.RawToken()
		if err == nil {
			err = t.write(token)
		}
		if errors.Is(err, io.EOF) && t.root != "" && len(t.open) == 0 {
			return t.out, t.root, nil
		}
		if err != nil {
			return nil, t.root, badXML(err, t.in.InputOffset(), len(body))
		}
	}
}

func (t *transcript) write(token xml.Token) error {
	switch token := token.(type) {
	case xml.StartElement:
		return t.begin(token)
	case xml.EndElement:
		return t.end(token.Name)
	case xml.CharData:
		return t.chars(token)
	case xml.Directive:
		return t.refuse(token)
	}
	return nil // a comment, or an instruction to somebody else
}

// refuse tells the DOCTYPE of a web page from that of an answer, which has none.
func (t *transcript) refuse(d xml.Directive) error {
	if t.root == "" && len(d) >= len(doctypeHTML) && strings.EqualFold(string(d[:len(doctypeHTML)]), doctypeHTML) {
		t.root = "html"
	}
	return notAnAnswer("XML with a DOCTYPE, or another declaration of its own")
}

const doctypeHTML = "DOCTYPE html"

func (t *transcript) begin(start xml.StartElement) error {
	switch {
	case len(t.open) == maxDepth:
		return notAnAnswer("XML nested deeper than %d", maxDepth)
	case len(t.open) > 0:
		t.member(start.Name.Local)
	case t.root != "":
		return errNoXML
	default:
		t.root = start.Name.Local
	}
	t.open = append(t.open, element{name: start.Name})
	for i := range start.Attr {
		if a := &start.Attr[i]; !forXMLItself(a.Name) {
			t.member(a.Name.Local)
			t.quote(a.Value)
		}
	}
	return nil
}

// member opens one. A name of XML holds nothing that a string of JSON would have to escape.
func (t *transcript) member(name string) {
	parent := &t.open[len(t.open)-1]
	separator := byte(',')
	if !parent.object {
		parent.object, separator = true, '{'
	}
	t.out = append(append(append(t.out, separator, '"'), name...), '"', ':')
}

func (t *transcript) end(name xml.Name) error {
	last := len(t.open) - 1
	if last < 0 || t.open[last].name != name {
		return errNoXML
	}
	blank := len(bytes.TrimSpace(t.open[last].text)) == 0
	if !blank && (t.open[last].object || last == 0) {
		t.member(textMember)
		t.quote(string(t.open[last].text))
	}
	closed := t.open[last]
	t.open = t.open[:last]
	switch {
	case closed.object:
		t.out = append(t.out, '}')
	case last == 0:
		t.out = append(t.out, "{}"...)
	case blank:
		t.out = append(t.out, "null"...)
	default:
		t.quote(string(closed.text))
	}
	return nil
}

func (t *transcript) chars(text []byte) error {
	if len(t.open) == 0 {
		if len(bytes.TrimSpace(text)) > 0 {
			return errNoXML
		}
		return nil
	}
	if parent := &t.open[len(t.open)-1]; !parent.object || len(bytes.TrimSpace(text)) > 0 {
		parent.text = append(parent.text, text...)
	}
	return nil
}

func (t *transcript) quote(text string) {
	// Its only error is invalid UTF-8, which it replaces.
	t.out, _ = jsontext.AppendQuote(t.out, text)
}

func forXMLItself(name xml.Name) bool {
	switch name.Space {
	case "xmlns", "xsi", "xml":
		return true
	}
	return name.Space == "" && name.Local == "xmlns"
}

var errNoXML = errors.New("no XML")

// badXML names the place only, as badJSON does.
func badXML(err error, offset int64, size int) error {
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours
	}
	syntax, ok := errors.AsType[*xml.SyntaxError](err)
	if errors.Is(err, io.EOF) || ok && strings.HasPrefix(syntax.Msg, "unexpected EOF") {
		return notAnAnswer("the answer is cut short after %d bytes", size)
	}
	return notAnAnswer("no XML from byte %d on", offset)
}

func withoutDeclaration(body []byte) []byte {
	if !bytes.HasPrefix(body, []byte("<?xml")) {
		return body
	}
	_, rest, _ := bytes.Cut(body, []byte("?>"))
	return bytes.TrimSpace(rest)
}

// firstElement is the name of the element that the body begins with, "" where it begins with none.
func firstElement(body []byte) string {
	if len(body) == 0 || body[0] != '<' {
		return ""
	}
	name := body[1:]
	if end := bytes.IndexAny(name, " \t\r\n/>"); end >= 0 {
		name = name[:end]
	}
	return string(name)
}

// SanitizeXML replaces what XML forbids and servers send: each byte that is no UTF-8, and each control
// character, written as itself or by its number, becomes U+FFFD.
func SanitizeXML(body []byte) []byte {
	if bytes.Contains(body, []byte("&#")) {
		body = characterReference.ReplaceAllFunc(body, sanitizeReference)
	}
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		if !allowedInXML(r, size) {
			return sanitizeFrom(body, i)
		}
		i += size
	}
	return body
}

// sanitizeFrom makes a sanitized copy of a body whose beginning needs no change.
func sanitizeFrom(body []byte, from int) []byte {
	copied := append(make([]byte, 0, len(body)+64), body[:from]...)
	for i := from; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		if !allowedInXML(r, size) {
			r = utf8.RuneError
		}
		copied = utf8.AppendRune(copied, r)
		i += size
	}
	return copied
}

// allowedInXML says whether XML 1.0 allows the character.
func allowedInXML(r rune, size int) bool {
	switch {
	case r == utf8.RuneError:
		return size > 1
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	}
	return r != 0xFFFE && r != 0xFFFF
}

var characterReference = regexp.MustCompile(`&#(?:x([0-9a-fA-F]+)|([0-9]+));`)

func sanitizeReference(reference []byte) []byte {
	digits, base := reference[2:len(reference)-1], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	number, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || number > utf8.MaxRune || !allowedInXML(rune(number), utf8.UTFMax) {
		return []byte("\uFFFD")
	}
	return reference
}

// tooManyAttributes says whether one element has more than a list may have elements, each of which
// would take the memory of twenty bytes. Few equals signs cannot be many attributes, and are quickly counted.
func tooManyAttributes(body []byte) bool {
	equals := []byte("=")
	if bytes.Count(body, equals) <= maxElements {
		return false
	}
	for tag := range bytes.SplitSeq(body, []byte("<")) {
		if bytes.Count(tag, equals) > maxElements {
			return true
		}
	}
	return false
}
