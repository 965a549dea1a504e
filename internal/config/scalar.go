package config

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// scalar is a value that is neither list nor mapping.
type scalar struct {
	text   string // with its ${NAME}s replaced
	source string // as the file has it
	quoted bool   // text, even if it looks like a number
	typed  bool   // YAML itself takes it for a number, true or false
}

// scalar reads n; false, once said why, where no scalar stands.
func (r *reader) scalar(n node) (scalar, bool) {
	var s scalar
	switch v := r.resolve(n).(type) {
	case nil:
		return s, false
	case *ast.StringNode:
		quote := v.GetToken().Type
		s = scalar{source: v.Value, quoted: quote == token.SingleQuoteType || quote == token.DoubleQuoteType}
	case *ast.LiteralNode:
		s = scalar{source: v.Value.Value, quoted: true}
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		s = scalar{source: v.GetToken().Value, typed: true}
	case *ast.NullNode:
		return s, r.valueless(n)
	default:
		r.wrongKind(n, "one value", v)
		return s, false
	}
	return r.replaced(n, s)
}

func (r *reader) replaced(n node, s scalar) (scalar, bool) {
	s.source = unshield(s.source)
	text, err := r.expand(s.source)
	if err != nil {
		r.fail(n, "%v", err)
		return s, false
	}
	// In { } some ${NAME} need quotes; they do not make a number text.
	s.quoted = s.quoted && text == s.source
	s.text = text
	return s, true
}

func (r *reader) valueless(n node) bool {
	r.fail(n, "has no value; write one, or leave the key out")
	return false
}

// refuse shows the value as it stands in the file, so never what a variable holds.
func (r *reader) refuse(n node, s scalar, format string, args ...any) {
	problem := fmt.Sprintf(format, args...)
	if !n.secret {
		problem = s.shown() + ": " + problem
	}
	r.fail(n, "%s", problem)
}

// A URL's user and password, also where the URL is broken.
var userInfo = regexp.MustCompile(`(?s)//.*@`)

func (s scalar) shown() string {
	if s.typed {
		return s.source
	}
	return strconv.Quote(cut(userInfo.ReplaceAllString(s.source, "//…@")))
}

// cut keeps an error one readable line.
func cut(text string) string {
	const longest = 80
	runes := []rune(text)
	if len(runes) <= longest {
		return text
	}
	return string(runes[:longest]) + "…"
}
