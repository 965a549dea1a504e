package commvault

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// notApplicable is Commvault's way to say nothing, as a number and as a text.
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

// is says whether the number was said.
func (n integer) is(number int64) bool { return n.value != nil && *n.value == number }

// or gives the number, or where there is none, the other one.
func (n integer) or(other integer) *int64 {
	if n.value != nil {
		return n.value
	}
	return other.value
}
