package commvault

import (
	"bytes"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// legible replaces what XML forbids and servers send: each byte that is no UTF-8, and each control
// character, written as itself or by its number, becomes U+FFFD.
func legible(body []byte) []byte {
	if bytes.Contains(body, []byte("&#")) {
		body = characterReference.ReplaceAllFunc(body, legibleReference)
	}
	for i := 0; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		if !allowed(r, size) {
			return replaced(body, i)
		}
		i += size
	}
	return body
}

// replaced makes a legible copy of a body that is so up to a place.
func replaced(body []byte, from int) []byte {
	copied := append(make([]byte, 0, len(body)+64), body[:from]...)
	for i := from; i < len(body); {
		r, size := utf8.DecodeRune(body[i:])
		if !allowed(r, size) {
			r = utf8.RuneError
		}
		copied = utf8.AppendRune(copied, r)
		i += size
	}
	return copied
}

// allowed says whether XML 1.0 allows the character.
func allowed(r rune, size int) bool {
	switch {
	case r == utf8.RuneError:
		return size > 1
	case r < ' ':
		return r == '\t' || r == '\n' || r == '\r'
	}
	return r != 0xFFFE && r != 0xFFFF
}

var characterReference = regexp.MustCompile(`&#(?:x([0-9a-fA-F]+)|([0-9]+));`)

func legibleReference(reference []byte) []byte {
	digits, base := reference[2:len(reference)-1], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	number, err := strconv.ParseUint(string(digits), base, 32)
	if err != nil || number > utf8.MaxRune || !allowed(rune(number), utf8.UTFMax) {
		return []byte("\uFFFD")
	}
	return reference
}

// tooManyAttributes says whether one element has more than a list may have elements, each of which
// would take the memory of twenty bytes. Few equals signs cannot be many attributes, and are quickly counted.
func tooManyAttributes(body []byte) bool {
	equals := []byte("=")
	if bytes.Count(body, equals) <= maxElements {
		return false
	}
	for tag := range bytes.SplitSeq(body, []byte("<")) {
		if bytes.Count(tag, equals) > maxElements {
			return true
		}
	}
	return false
}
