package sim

import (
	"strconv"
)

// appendJSON writes nil as null.
func (n node) appendJSON(b []byte) []byte {
	if n == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	b = n.appendMembers(b)
	return append(b, '}')
}

func (n node) appendMembers(b []byte) []byte {
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = n[i].appendJSON(b)
	}
	return b
}

func (m *member) appendJSON(b []byte) []byte {
	if m.form == aKept {
		return append(b, m.kept.json()...)
	}
	b = append(b, '"')
	b = append(b, m.name...)
	b = append(b, `":`...)
	switch m.form {
	case aText:
		return appendQuoted(b, m.text)
	case aNumeral:
		b = append(b, '"')
		b = strconv.AppendInt(b, m.n, 10)
		return append(b, '"')
	case aReal:
		return strconv.AppendFloat(b, m.float(), 'f', 2, 64)
	case aFlag, aWord:
		return strconv.AppendBool(b, m.n == 1)
	case anObject:
		return m.in.appendJSON(b)
	case aList:
		return m.appendArray(b)
	case aNull:
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, m.n, 10)
}

func (m *member) appendArray(b []byte) []byte {
	b = append(b, '[')
	for i, element := range m.list {
		if i > 0 {
			b = append(b, ',')
		}
		b = element.appendJSON(b)
	}
	return append(b, ']')
}

const hexDigits = "0123456789abcdef"

// appendQuoted leaves bytes that are no UTF-8 as they are, which encoding/json would not: servers send such.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
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
	b = append(b, s[plain:]...)
	return append(b, '"')
}
