package event

import (
	"bytes"
	"cmp"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"jobwatch/internal/job"
)

// Address reads of an event about id, as it is published, its own id and the subject where that is:
// jobs.<commcell>.<job id>.<client>.<kind>.<detail>, or commcells.<commcell>.<detail>, behind the prefix where there
// is one. It reads no further than it must: it runs for each event that is published.
func Address(prefix string, id job.ID, row []byte) (eventID, subject string, err error) {
	var a address
	dec := jsontext.NewDecoder(bytes.NewBuffer(row), lenient)
	err = eachMember(dec, a.member)
	if err != nil && !errors.Is(err, errEnough) || a.id == "" || a.detail == "" {
		return "", "", cmp.Or(err, errNotOurs)
	}
	if id.IsCommCell() {
		return a.id, subjectOf(prefix, id) + "." + a.detail, nil
	}
	return a.id, strings.Join([]string{subjectOf(prefix, id), clientToken(a.client), a.kind, a.detail}, "."), nil
}

type address struct{ id, kind, detail, client string }

var (
	errEnough  = errors.New("nothing more is wanted")
	errNotOurs = errors.New("not an event of jobwatch")
)

func (a *address) member(dec *jsontext.Decoder, name string) error {
	switch name {
	case "id":
		return readText(dec, &a.id)
	case "data":
		return eachMember(dec, a.ofData)
	}
	return dec.SkipValue()
}

func (a *address) ofData(dec *jsontext.Decoder, name string) error {
	switch name {
	case "detail": // of a CommCell's
		return readText(dec, &a.detail)
	case "change":
		return eachMember(dec, a.ofChange)
	case "job":
		return eachMember(dec, a.ofJob)
	}
	return dec.SkipValue()
}

func (a *address) ofChange(dec *jsontext.Decoder, name string) error {
	switch name {
	case "kind":
		return readText(dec, &a.kind)
	case "detail":
		return readText(dec, &a.detail)
	}
	return dec.SkipValue()
}

func (a *address) ofJob(dec *jsontext.Decoder, name string) error {
	if name != "client" {
		return dec.SkipValue()
	}
	if err := readText(dec, &a.client); err != nil || a.detail == "" {
		return err
	}
	return errEnough
}

// eachMember shows the members of an object; show reads or skips the value.
func eachMember(dec *jsontext.Decoder, show func(dec *jsontext.Decoder, name string) error) error {
	if begin, err := dec.ReadToken(); err != nil || begin.Kind() != '{' {
		return cmp.Or(err, errNotOurs)
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := show(dec, name.String()); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

func readText(dec *jsontext.Decoder, text *string) error {
	token, err := dec.ReadToken()
	if err == nil && token.Kind() == '"' {
		*text = token.String()
	}
	return err
}
