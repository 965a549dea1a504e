package commvault

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// section is a member that should be an object. Anything else counts as absent.
type section[T any] struct {
	kind jsontext.Kind // of what stood there; 0: nothing did
	is   T
}

func (s *section[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if s.kind != 0 {
		*s = section[T]{} // of two with one name, none of the first stays
	}
	s.kind = dec.PeekKind()
	if s.kind != '{' {
		return dec.SkipValue()
	}
	return readObject(dec, &s.is)
}

func (s *section[T]) present() bool { return s.kind == '{' }

// misshapen says that something stood there, and neither an object nor null.
func (s *section[T]) misshapen() bool { return s.kind != 0 && s.kind != 'n' && s.kind != '{' }

// maxElements keeps an answer of 16 MiB of empty objects from filling the memory.
const maxElements = 1 << 16

// list is a member that should be an array of objects. One object stands for an array of one, and
// of several of the same name each adds its own: XML's converters write it so. An element that is no
// object counts as one without members. The list is nil where nothing of it stood there.
type list[T any] []T

func (l *list[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	switch dec.PeekKind() {
	case '{':
		return l.add(dec)
	case '[':
		if *l == nil {
			*l = list[T]{}
		}
		return l.addAll(dec)
	}
	return dec.SkipValue()
}

func (l *list[T]) addAll(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		if err := l.add(dec); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

func (l *list[T]) add(dec *jsontext.Decoder) error {
	if len(*l) == maxElements {
		return fmt.Errorf("a list of more than %d elements", maxElements)
	}
	var element T
	if dec.PeekKind() != '{' {
		if err := dec.SkipValue(); err != nil {
			return err
		}
	} else if err := readObject(dec, &element); err != nil {
		return err
	}
	*l = append(*l, element)
	return nil
}
