package commvault

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// notApplicable is what Commvault writes for no value, as a number and as a text.
const notApplicable = -999

// text is a member that should be a string. Anything else, white space alone and -999 are no words.
// Each byte of it that was no UTF-8 is U+FFFD.
type text struct{ words string }

func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*t = text{}
	raw, err := dec.ReadValue()
	if err != nil || raw.Kind() != '"' {
		return err
	}
	if words := unquote(raw); strings.TrimSpace(words) != "" && words != "-999" {
		t.words = words
	}
	return nil
}

func unquote(raw jsontext.Value) string {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	// Its only error is invalid UTF-8, which it replaces.
	unquoted, _ := jsontext.AppendUnquote(nil, raw)
	return string(unquoted)
}

// broken says whether a byte was lost, here or on the way: half a word is no state.
func (t text) broken() bool { return strings.ContainsRune(t.words, utf8.RuneError) }

// whole gives the text unless it is broken.
func (t text) whole() text {
	if t.broken() {
		return text{}
	}
	return t
}

func either(first, second text) text {
	if first.words != "" {
		return first
	}
	return second
}

// integer is a member that should be a whole number: 166, "166", "4.571424E+09".
type integer struct{ value *int64 }

func (n *integer) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	n.value = nil
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if v, ok := parseInteger(numeral(raw)); ok && v != notApplicable {
		n.value = &v
	}
	return nil
}

func parseInteger(digits []byte) (int64, bool) {
	if v, err := strconv.ParseInt(string(digits), 10, 64); err == nil {
		return v, true
	}
	f, ok := parseReal(digits)
	if !ok || math.Abs(f) >= math.MaxInt64 {
		return 0, false
	}
	return int64(math.Round(f)), true
}

// real is a member that should be a ratio or a rate: 50, "76.15", "100.000000".
type real struct{ value *float64 }

func (n *real) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	n.value = nil
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if v, ok := parseReal(numeral(raw)); ok && v != notApplicable {
		n.value = &v
	}
	return nil
}

func parseReal(digits []byte) (float64, bool) {
	f, err := strconv.ParseFloat(string(digits), 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// numeral gives the digits of a number, or of one written as a string; nil for anything else.
func numeral(raw jsontext.Value) []byte {
	switch raw.Kind() {
	case '0':
		return raw
	case '"':
		return bytes.TrimSpace(raw[1 : len(raw)-1])
	}
	return nil
}

// boolean is a member that should be true or false: true, 1, "1", "True".
type boolean struct{ value *bool }

func (b *boolean) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	b.value = nil
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if yes, err := strconv.ParseBool(strings.Trim(string(raw), `" `)); err == nil {
		b.value = &yes
	}
	return nil
}

func (b boolean) yes() bool { return b.value != nil && *b.value }

const (
	yearTenThousand = 253402300800 // RFC 3339 ends before it
	firstTimestamp  = 1e9          // an estimate below that is a number of seconds to go, or nonsense
)

// time reads Unix seconds; 0 is none.
func (n integer) time() *time.Time {
	if n.value == nil || *n.value <= 0 || *n.value >= yearTenThousand {
		return nil
	}
	t := time.Unix(*n.value, 0).UTC()
	return &t
}

// positive reads a number whose 0 is none: a job's id.
func (n integer) positive() *int64 {
	if n.value == nil || *n.value <= 0 {
		return nil
	}
	return n.value
}

// equals says whether the number was said.
func (n integer) equals(number int64) bool { return n.value != nil && *n.value == number }

// or gives the number, or where there is none, the other one.
func (n integer) or(other integer) *int64 {
	if n.value != nil {
		return n.value
	}
	return other.value
}

// section is a member that should be an object. Anything else counts as absent.
type section[T any] struct {
	kind jsontext.Kind // of what stood there; 0: nothing did
	v    T
}

func (s *section[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if s.kind != 0 {
		*s = section[T]{} // of two with one name, none of the first stays
	}
	s.kind = dec.PeekKind()
	if s.kind != '{' {
		return dec.SkipValue()
	}
	return readObject(dec, &s.v)
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

// decodable is what every member of the shapes in wire.go is: it reads what stands there, whatever that is.
type decodable interface {
	UnmarshalJSONFrom(dec *jsontext.Decoder) error
}

// readObject reads an object into a shape. The library would do it too, but look up each time how a member is
// read: that costs a quarter more of the time of decoding, which is most of what a poll costs us.
func readObject(dec *jsontext.Decoder, shape any) error {
	into := reflect.ValueOf(shape).Elem()
	fields := fieldsOf(into.Type())
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if field, known := fields[string(withoutQuotes(name))]; known { // a conversion that takes no memory
			err = into.FieldByIndex(field).Addr().Interface().(decodable).UnmarshalJSONFrom(dec)
		} else {
			err = dec.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

var shapes sync.Map // reflect.Type => map[string][]int, the fields by the names in their tags

func fieldsOf(shape reflect.Type) map[string][]int {
	if fields, made := shapes.Load(shape); made {
		return fields.(map[string][]int)
	}
	fields := map[string][]int{}
	for _, field := range reflect.VisibleFields(shape) {
		if name := field.Tag.Get("json"); name != "" {
			fields[name] = field.Index
		}
	}
	shapes.Store(shape, fields)
	return fields
}

func withoutQuotes(name jsontext.Value) []byte {
	if bytes.IndexByte(name, '\\') < 0 {
		return name[1 : len(name)-1]
	}
	plain, _ := jsontext.AppendUnquote(nil, name)
	return plain
}
