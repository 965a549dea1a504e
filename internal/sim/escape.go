package sim

import "strconv"

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
