package standin

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonScrub writes JSON again, token for token. Where the original breaks off, so does what is written.
type jsonScrub struct {
	*Scrubber
	in  *jsontext.Decoder
	out []byte
}

var tolerant = []jsontext.Options{jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true)}

// json gives a body that may be JSON again, as far as it can be read: err is nil where that is to its end.
func (s *Scrubber) json(body []byte) ([]byte, error) {
	j := jsonScrub{Scrubber: s, in: jsontext.NewDecoder(bytes.NewReader(body), tolerant...)}
	err := j.value(newMember(""))
	if err != nil {
		return j.out, err
	}
	if _, err := j.in.ReadToken(); !errors.Is(err, io.EOF) {
		return j.out, errMore
	}
	return j.out, nil
}

var errMore = errors.New("there is more behind it")

func (j *jsonScrub) value(m member) error {
	switch j.in.PeekKind() {
	case '{':
		return j.all('{', '}', j.member)
	case '[':
		return j.all('[', ']', func() error { return j.value(m) })
	}
	raw, err := j.in.ReadValue()
	if err != nil {
		return err
	}
	switch raw.Kind() {
	case '"':
		text, _ := jsontext.AppendUnquote(nil, raw) // its only error is invalid UTF-8, which it replaces
		j.quote(j.Scrubber.value(m, string(text)))
	case '0':
		j.out = append(j.out, j.number(m, string(raw))...)
	default:
		j.out = append(j.out, raw...)
	}
	return nil
}

// all writes what stands between two brackets.
func (j *jsonScrub) all(open byte, end jsontext.Kind, one func() error) error {
	if _, err := j.in.ReadToken(); err != nil {
		return err
	}
	j.out = append(j.out, open)
	for first := true; j.in.PeekKind() != end; first = false {
		if !first {
			j.out = append(j.out, ',')
		}
		if err := one(); err != nil {
			return err
		}
	}
	_, err := j.in.ReadToken()
	j.out = append(j.out, byte(end))
	return err
}

func (j *jsonScrub) member() error {
	name, err := j.in.ReadToken()
	if err != nil {
		return err
	}
	if name.Kind() != '"' {
		return errMore
	}
	said := name.String()
	j.quote(j.memberName(said))
	j.out = append(j.out, ':')
	return j.value(newMember(said))
}

func (j *jsonScrub) quote(text string) {
	j.out, _ = jsontext.AppendQuote(j.out, text) // its only error is invalid UTF-8, which it replaces
}
