package standin

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
)

var (
	guidShape  = regexp.MustCompile(`^\{?[0-9A-Fa-f]{8}-([0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}\}?$`)
	emailShape = regexp.MustCompile(`^[^@\s/\\]+@[^@\s/\\]+$`)
	urlShape   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)
	hostShape  = regexp.MustCompile(`^[\pL\pN_-]+(\.[\pL\pN_-]+)+$`)
	pathShape  = regexp.MustCompile(`^([A-Za-z]:)?[\\/]|\\`)
)

// shaped replaces what looks like something by something that does too.
func (s *Scrubber) shaped(text string) string {
	switch {
	case guidShape.MatchString(text):
		return s.guid(text)
	case isAddress(text):
		return s.address(text)
	case urlShape.MatchString(text):
		return s.instead("url", text, func(count int) string { return fmt.Sprintf("https://host-%d.example.com/", count) })
	case emailShape.MatchString(text):
		return s.instead("mail", text, func(count int) string { return fmt.Sprintf("user-%d@example.com", count) })
	case pathShape.MatchString(text):
		return s.path(text)
	case hostShape.MatchString(text):
		return padded(s.instead("host", text, func(count int) string { return fmt.Sprintf("host-%d.example.com", count) }), len(text))
	case strings.ContainsFunc(text, unicode.IsSpace):
		return s.text(text)
	}
	return padded(s.numbered("name", text), len(text))
}

// guid draws another one, with the same braces. The one of zeros is nobody's.
func (s *Scrubber) guid(text string) string {
	if strings.Trim(text, "{0-}") == "" {
		return text
	}
	return s.instead("guid", text, func(int) string {
		is := []byte(strings.ToLower(text))
		for {
			for i, c := range is {
				if c != '-' && c != '{' && c != '}' {
					is[i] = "0123456789abcdef"[draw(16)]
				}
			}
			if !s.taken[string(is)] {
				s.taken[string(is)] = true
				return string(is)
			}
		}
	})
}

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

// address counts in the networks that belong to documentation (RFC 2544, RFC 3849).
func (s *Scrubber) address(text string) string {
	return s.instead("address", text, func(count int) string {
		if strings.Contains(text, ":") {
			return fmt.Sprintf("2001:db8::%x:%x", count>>16, count&0xFFFF)
		}
		return fmt.Sprintf("198.%d.%d.%d", 18+count>>16&1, count>>8&0xFF, count&0xFF)
	})
}

func (s *Scrubber) path(text string) string {
	return padded(s.instead("path", text, func(count int) string {
		switch {
		case strings.HasPrefix(text, `\\`):
			return fmt.Sprintf(`\\host\share-%d`, count)
		case strings.HasPrefix(text, "/"):
			return fmt.Sprintf("/folder/file-%d", count)
		}
		return fmt.Sprintf(`C:\folder\file-%d`, count)
	}), len(text))
}
