package sim

import (
	"strconv"
	"sync"
)

// doc writes the members of an answer's outermost object. Nil is null.
type doc func(w *writer)

// writer writes an answer, member by member, in one of the two formats. XML makes attributes of values and
// elements of objects, so an object's values have to be written before the objects in it.
type writer struct {
	b    []byte
	xml  bool
	open bool // the last start tag, to attributes
}

const xmlProlog = `<?xml version="1.0" encoding="UTF-8" standalone="no" ?>`

// answer writes all of an answer; root is the name of XML's outermost element.
func (w *writer) answer(root string, d doc) {
	if !w.xml && d == nil {
		w.b = append(w.b, "null"...)
		return
	}
	if w.xml {
		w.b = append(w.b, xmlProlog...)
	}
	w.enter(root)
	if d != nil {
		d(w)
	}
	w.leave(root)
}

// object writes an object, or XML's element of that name.
func (w *writer) object(name string, members func()) {
	w.name(name)
	w.enter(name)
	members()
	w.leave(name)
}

// list writes an array of objects, or as many elements of that name.
func (w *writer) list(name string, length int, element func(i int)) {
	w.name(name)
	if !w.xml {
		w.b = append(w.b, '[')
	}
	for i := range length {
		w.comma()
		w.enter(name)
		element(i)
		w.leave(name)
	}
	if !w.xml {
		w.b = append(w.b, ']')
	}
}

// null writes null, or an empty element.
func (w *writer) null(name string) {
	w.name(name)
	if !w.xml {
		w.b = append(w.b, "null"...)
		return
	}
	w.enter(name)
	w.leave(name)
}

// name is JSON's; XML's stands in the tag.
func (w *writer) name(name string) {
	if w.xml {
		return
	}
	w.comma()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, `":`...)
}

func (w *writer) comma() {
	if last := w.b[len(w.b)-1]; !w.xml && last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
}

func (w *writer) enter(name string) {
	if !w.xml {
		w.b = append(w.b, '{')
		return
	}
	w.closeTag()
	w.b = append(w.b, '<')
	w.b = append(w.b, name...)
	w.open = true
}

func (w *writer) closeTag() {
	if w.open {
		w.b = append(w.b, '>')
		w.open = false
	}
}

func (w *writer) leave(name string) {
	switch {
	case !w.xml:
		w.b = append(w.b, '}')
	case w.open:
		w.b = append(w.b, "/>"...)
		w.open = false
	default:
		w.b = append(w.b, "</"...)
		w.b = append(w.b, name...)
		w.b = append(w.b, '>')
	}
}

// value begins a member that is no object, in quotes where the format or the member wants them.
func (w *writer) value(name string, quoted bool) {
	if w.xml {
		w.b = append(w.b, ' ')
		w.b = append(w.b, name...)
		w.b = append(w.b, `="`...)
		return
	}
	w.name(name)
	w.quote(quoted)
}

func (w *writer) quote(quoted bool) {
	if quoted || w.xml {
		w.b = append(w.b, '"')
	}
}

// Each value as it stands in JSON, and in XML:

// text is "Scan" and "Scan".
func (w *writer) text(name, text string) {
	w.value(name, true)
	if w.xml {
		w.b = appendEscaped(w.b, text)
	} else {
		w.b = appendQuotable(w.b, text)
	}
	w.quote(true)
}

// number is 12 and "12".
func (w *writer) number(name string, n int64) {
	w.value(name, false)
	w.b = strconv.AppendInt(w.b, n, 10)
	w.quote(false)
}

// numeral is "12" and "12".
func (w *writer) numeral(name string, n int64) {
	w.value(name, true)
	w.b = strconv.AppendInt(w.b, n, 10)
	w.quote(true)
}

// ratio is 12.50 and "12.50".
func (w *writer) ratio(name string, f float64) {
	w.value(name, false)
	w.b = strconv.AppendFloat(w.b, f, 'f', 2, 64)
	w.quote(false)
}

// ratioText is "12.50" and "12.50".
func (w *writer) ratioText(name string, f float64) {
	w.value(name, true)
	w.b = strconv.AppendFloat(w.b, f, 'f', 2, 64)
	w.quote(true)
}

// percent is 12 and "12.000000".
func (w *writer) percent(name string, n int) {
	w.value(name, false)
	w.b = strconv.AppendInt(w.b, int64(n), 10)
	if w.xml {
		w.b = append(w.b, ".000000"...)
	}
	w.quote(false)
}

// size is 4571424148 and "4.571424E+09".
func (w *writer) size(name string, n int64) {
	w.value(name, false)
	if w.xml {
		w.b = strconv.AppendFloat(w.b, float64(n), 'G', 7, 64)
	} else {
		w.b = strconv.AppendInt(w.b, n, 10)
	}
	w.quote(false)
}

// flag is true and "1".
func (w *writer) flag(name string, is bool) {
	if !w.xml {
		w.word(name, is)
		return
	}
	n := int64(0)
	if is {
		n = 1
	}
	w.number(name, n)
}

// word is true and "true".
func (w *writer) word(name string, is bool) {
	w.value(name, false)
	w.b = strconv.AppendBool(w.b, is)
	w.quote(false)
}

// enum is 2 and "INCREMANTAL".
func (w *writer) enum(name string, n int64, word string) {
	if w.xml {
		w.text(name, word)
		return
	}
	w.number(name, n)
}

const hexDigits = "0123456789abcdef"

// appendQuotable is what stands between a JSON string's quotes. Bytes that are no UTF-8 stay as they are, which
// encoding/json would not let through: real servers send such.
func appendQuotable(b []byte, s string) []byte {
	plain := 0 // from here on nothing needs an escape
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' {
			continue
		}
		b = append(b, s[plain:i]...)
		plain = i + 1
		if c == '"' || c == '\\' {
			b = append(b, '\\', c)
			continue
		}
		b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
	return append(b, s[plain:]...)
}

// appendEscaped is an attribute's value. It drops the control characters that XML cannot hold.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '&', '<', '>', '"', '\'', '\t', '\n', '\r':
			b = append(b, "&#"...)
			b = strconv.AppendInt(b, int64(c), 10)
			b = append(b, ';')
		default:
			if c >= ' ' {
				b = append(b, c)
			}
		}
	}
	return b
}

// kept is a part of an object that does not change: it is written once for each format.
type kept struct{ json, xml func() *writer }

func keep(members doc) *kept {
	in := func(xml bool) func() *writer {
		return sync.OnceValue(func() *writer {
			w := &writer{b: []byte{'{'}, xml: xml, open: true}
			members(w)
			w.b = w.b[1:]
			return w
		})
	}
	return &kept{json: in(false), xml: in(true)}
}

// put writes what is kept. It comes after the object's other values.
func (w *writer) put(k *kept) {
	if w.xml {
		part := k.xml()
		w.b, w.open = append(w.b, part.b...), part.open
		return
	}
	w.comma()
	w.b = append(w.b, k.json().b...)
}
