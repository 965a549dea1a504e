package standin

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"jobwatch/internal/commvault"
)

// xmlScrub writes XML again, as jsonScrub does JSON. What no answer is read for is left out: comments, instructions,
// attributes for XML's own use.
type xmlScrub struct {
	*Scrubber
	in   *xml.Decoder
	out  bytes.Buffer
	open []xml.Name
	root bool // it has begun
}

const declaration = `<?xml version="1.0" encoding="UTF-8"?>`

var (
	errDoctype = errors.New("a declaration of its own")
	errNoXML   = errors.New("no XML")
)

func (s *Scrubber) xml(body []byte) ([]byte, error) {
	x := xmlScrub{Scrubber: s, in: xml.NewDecoder(bytes.NewReader(commvault.SanitizeXML(body)))}
	x.in.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // UTF-8, whatever it says
	if bytes.HasPrefix(body, []byte("<?xml")) {
		x.out.WriteString(declaration)
	}
	for {
		token, err := x.in.RawToken()
		if err == nil {
			err = x.write(token)
		}
		if errors.Is(err, io.EOF) && x.root && len(x.open) == 0 {
			return x.out.Bytes(), nil
		}
		if err != nil {
			return x.out.Bytes(), err
		}
	}
}

func (x *xmlScrub) write(token xml.Token) error {
	switch token := token.(type) {
	case xml.StartElement:
		return x.begin(token)
	case xml.EndElement:
		last := len(x.open) - 1
		if last < 0 || x.open[last] != token.Name {
			return errNoXML
		}
		x.open = x.open[:last]
		x.out.WriteString("</" + x.name(token.Name) + ">")
	case xml.CharData:
		return x.chars(string(token))
	case xml.Directive:
		return errDoctype
	}
	return nil
}

func (x *xmlScrub) begin(start xml.StartElement) error {
	if len(x.open) == 0 && x.root {
		return errNoXML
	}
	x.root = true
	x.open = append(x.open, start.Name)
	x.out.WriteString("<" + x.name(start.Name))
	for _, a := range start.Attr {
		if a.Name.Space != "" || a.Name.Local == "xmlns" {
			continue
		}
		x.out.WriteString(" " + x.name(a.Name) + `="`)
		x.escape(x.value(newMember(a.Name.Local), a.Value))
		x.out.WriteByte('"')
	}
	x.out.WriteByte('>')
	return nil
}

func (x *xmlScrub) chars(text string) error {
	switch blank := strings.TrimSpace(text) == ""; {
	case blank:
	case len(x.open) == 0:
		return errNoXML
	default:
		x.escape(x.value(newMember(x.open[len(x.open)-1].Local), text))
	}
	return nil
}

// name is without its prefix, which no answer is read for. What a name of JSON may hold and one of XML not is gone.
func (x *xmlScrub) name(name xml.Name) string {
	is := strings.Map(func(r rune) rune {
		if strings.ContainsRune("@#$:", r) {
			return '_'
		}
		return r
	}, x.memberName(name.Local))
	if strings.IndexAny(is[:1], "0123456789-.") == 0 {
		return "_" + is
	}
	return is
}

func (x *xmlScrub) escape(text string) { _ = xml.EscapeText(&x.out, []byte(text)) } // a Buffer takes everything
