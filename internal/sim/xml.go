package sim

import (
	"strconv"
)

const xmlProlog = `<?xml version="1.0" encoding="UTF-8" standalone="no" ?>`

// appendXML writes values as attributes, objects and the objects of a list as elements.
func (n node) appendXML(b []byte, name string) []byte {
	b = append(b, '<')
	b = append(b, name...)
	b = n.appendAttributes(b)
	b = append(b, '>')
	tag := len(b)
	if b = n.appendElements(b); len(b) == tag {
		return append(b[:tag-1], "/>"...)
	}
	b = append(b, "</"...)
	b = append(b, name...)
	return append(b, '>')
}

func (n node) appendAttributes(b []byte) []byte {
	for i := range n {
		switch m := &n[i]; m.form {
		case anObject, aList, aNull:
		case aKept:
			attributes, _ := m.kept.xml()
			b = append(b, attributes...)
		default:
			b = append(b, ' ')
			b = append(b, m.name...)
			b = append(b, `="`...)
			b = m.appendValue(b)
			b = append(b, '"')
		}
	}
	return b
}

func (n node) appendElements(b []byte) []byte {
	for i := range n {
		switch m := &n[i]; m.form {
		case anObject, aNull:
			b = m.in.appendXML(b, m.name)
		case aList:
			for _, element := range m.list {
				b = element.appendXML(b, m.name)
			}
		case aKept:
			_, elements := m.kept.xml()
			b = append(b, elements...)
		}
	}
	return b
}

func (m *member) appendValue(b []byte) []byte {
	switch m.form {
	case aText, anEnum:
		return appendEscaped(b, m.text)
	case aReal:
		return strconv.AppendFloat(b, m.float(), 'f', 2, 64)
	case aPercent:
		return strconv.AppendFloat(b, float64(m.n), 'f', 6, 64)
	case aSize:
		return strconv.AppendFloat(b, float64(m.n), 'G', 7, 64)
	case aWord:
		return strconv.AppendBool(b, m.n == 1)
	}
	return strconv.AppendInt(b, m.n, 10)
}

// appendEscaped leaves bytes that are no UTF-8 as they are, and drops the control characters that XML cannot hold.
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
