package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader walks the YAML once. It notes each mistake and goes on, so that one run shows them all.
type reader struct {
	file    string
	folder  string // where names of files begin
	getenv  func(string) (string, bool)
	toLook  bool // nobody will use secrets
	anchors map[string]ast.Node
	errs    []*Error
	lines   map[string]int

	relative []relative
	warnings []string
}

// node is a value of the file, with the key and the line that an error about it names.
type node struct {
	ast    ast.Node // nil: nothing stands there
	name   string   // the last part of key
	key    string   // "commcells[0].auth.token"
	line   int
	secret bool // no error may show it
}

func (r *reader) fail(n node, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: r.file, Line: n.line, Key: n.key, Problem: fmt.Sprintf(format, args...)})
}

func (r *reader) failIf(broken bool, n node, format string, args ...any) {
	if broken {
		r.fail(n, format, args...)
	}
}

// mapping reads a mapping whose keys are all known.
func (r *reader) mapping(n node, known []key) {
	for _, n := range r.pairs(n) {
		i := slices.IndexFunc(known, func(k key) bool { return k.name == n.name })
		if i < 0 {
			r.fail(n, "%s", unknown(n.name, known))
			continue
		}
		known[i].value.read(r, n)
	}
}

// pairs are the keys of a mapping and what they hold; none where nothing stands.
// What it merges with << counts where it does not set the key itself.
func (r *reader) pairs(n node) []node {
	pairs, merge := r.own(n)
	for depth := 0; merge != nil; depth++ {
		if depth > maxDepth {
			r.fail(n, "a mapping that merges itself")
			break
		}
		var more []node
		more, merge = r.own(*merge)
		pairs = append(pairs, slices.DeleteFunc(more, func(m node) bool {
			return slices.ContainsFunc(pairs, func(p node) bool { return p.name == m.name })
		})...)
	}
	for _, p := range pairs {
		r.lines[p.key] = p.line
	}
	return pairs
}

// own are the keys that a mapping sets itself, each once, and what it merges.
func (r *reader) own(n node) (pairs []node, merge *node) {
	mapping, ok := as[ast.MapNode](r, n, "keys with values")
	if !ok {
		return nil, nil
	}
	lines := map[string]int{}
	for at := mapping.MapRange(); at.Next(); {
		child := n.child(at.KeyValue())
		line, twice := lines[child.name]
		switch {
		case twice:
			r.fail(child, "set twice, first on line %d; keep one", line)
			continue
		case at.Key().IsMergeKey():
			merge = &node{ast: child.ast, key: n.key, line: child.line}
		default:
			pairs = append(pairs, child)
		}
		lines[child.name] = child.line
	}
	return pairs, merge
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (n node) child(p *ast.MappingValueNode) node {
	at := p.Key.GetToken()
	name := unshield(at.Value)
	key := name
	if !plainKey.MatchString(name) {
		key = strconv.Quote(cut(name))
	}
	if n.key != "" {
		key = n.key + "." + key
	}
	return node{ast: p.Value, name: name, key: key, line: at.Position.Line}
}

// member is a key of n, on n's line if the file leaves it out.
func (r *reader) member(n node, name string) node {
	m := node{name: name, key: n.key + "." + name, line: n.line}
	if line := r.lines[m.key]; line > 0 {
		m.line = line
	}
	return m
}

// items are the values of a list; none where nothing stands.
func (r *reader) items(n node) []node {
	list, ok := as[*ast.SequenceNode](r, n, "a list")
	if !ok {
		return nil
	}
	items := make([]node, len(list.Values))
	for i, v := range list.Values {
		items[i] = node{ast: v, key: fmt.Sprintf("%s[%d]", n.key, i), line: n.line}
		if v != nil && v.GetToken() != nil {
			items[i].line = v.GetToken().Position.Line
		}
	}
	return items
}

// as is what stands at n, if that is a T; false where nothing stands, or, once said why, anything else.
// The error shows nothing of the value: text at the wrong place may be a secret.
func as[T any](r *reader, n node, wanted string) (T, bool) {
	at := r.resolve(n)
	v, ok := at.(T)
	if !ok && at != nil && at.Type() != ast.NullType {
		r.fail(n, "wants %s, not %s", wanted, kindOf(at))
	}
	return v, ok
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "keys with values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.TagNode:
		return "a tag; leave it out"
	}
	return "text"
}

// resolve is what stands at n, behind anchors and aliases: a NullNode where that is nothing, and nil,
// once said why, where an alias leads nowhere. (The library follows them only where it forgets the lines.)
func (r *reader) resolve(n node) ast.Node {
	at := n.ast
	for range maxDepth {
		switch v := at.(type) {
		case *ast.AnchorNode:
			at = v.Value
		case *ast.AliasNode:
			name := v.Value.GetToken().Value
			if at = r.anchors[name]; at == nil {
				r.fail(n, "*%s: no value is marked &%s", name, name)
				return nil
			}
		case nil:
			return &ast.NullNode{}
		default:
			return at
		}
	}
	r.fail(n, "an alias that leads to itself")
	return nil
}

// scalar is a value that is neither list nor mapping.
type scalar struct {
	text   string // with its ${NAME}s replaced
	source string // as the file has it
	quoted bool   // text, even if it looks like a number
	typed  bool   // YAML itself takes it for a number, true or false
}

// scalar reads n; false, once said why, where no scalar stands.
func (r *reader) scalar(n node) (s scalar, ok bool) {
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
		r.fail(n, "has no value; write one, or leave the key out")
		return s, false
	default:
		r.fail(n, "wants one value, not %s", kindOf(v))
		return s, false
	}
	s.source = unshield(s.source)
	text, err := r.expand(s.source)
	if r.toLook && errors.Is(err, errUnset) && ofSecrets.MatchString(n.key) {
		text, err = s.source, nil
	}
	if err != nil {
		r.fail(n, "%v", err)
		return s, false
	}
	// In { } some ${NAME} need quotes; they do not make a number text.
	s.quoted = s.quoted && text == s.source
	s.text = text
	return s, true
}

// refuse shows the value as it stands in the file, so never what a variable holds.
func (r *reader) refuse(n node, s scalar, wanted error) {
	if n.secret {
		r.fail(n, "%v", wanted)
		return
	}
	r.fail(n, "%s: %v", s.shown(), wanted)
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
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

var dollar = regexp.MustCompile(`\$\$\{|\$\{[^}]*\}?`)

var errUnset = errors.New("is not set")

// ofSecrets are the keys of what only who polls or relays has to know.
var ofSecrets = regexp.MustCompile(`^commcells\[\d+\]\.auth\.|^(commcells|relays)\[\d+\]\..*_files?(\[\d+\])?$|^relays\[\d+\]\.webhook\.body\b`)

// expand replaces each ${NAME} by the environment variable, and $${ by ${.
// What a variable holds is taken as it is.
func (r *reader) expand(text string) (expanded string, err error) {
	expanded = dollar.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$${" {
			return "${"
		}
		name := reference.FindStringSubmatch(found)
		if name == nil || name[0] != found {
			// What stands there instead may be part of a password.
			err = cmp.Or(err, errors.New("a ${ without the name of an environment variable and } behind it; write ${NAME}, or $${ for a plain ${"))
			return ""
		}
		value, ok := r.getenv(name[1])
		if !ok {
			err = cmp.Or(err, fmt.Errorf("the environment variable %s %w; set it, or write $${ for a plain ${", name[1], errUnset))
		}
		return value
	})
	return expanded, err
}

// unknown is the error of a key that is none: it names the key that was meant, or those there are.
func unknown(name string, known []key) string {
	best, least := "", len(name)/3+2 // more mistakes than that make it another word
	names := make([]string, len(known))
	for i, f := range known {
		names[i] = f.name
		if d := distance(name, f.name); d < least {
			best, least = f.name, d
		}
	}
	if best != "" {
		return `unknown key; did you mean "` + best + `"?`
	}
	return "unknown key; known here: " + strings.Join(names, ", ")
}

// distance counts the letters to add, drop, exchange or swap with their neighbour, in any case.
func distance(a, b string) int {
	from, to := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	var before, above []int
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(from); i++ {
		before, above, row = above, row, make([]int, len(to)+1)
		row[0] = i
		for j := 1; j <= len(to); j++ {
			exchange := 1
			if from[i-1] == to[j-1] {
				exchange = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+exchange)
			if i > 1 && j > 1 && from[i-1] == to[j-2] && from[i-2] == to[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(to)]
}
