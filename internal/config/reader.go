package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// reader walks the YAML once. It notes each mistake and goes on, so that one run shows them all.
type reader struct {
	file    string
	folder  string                      // from which the names of files are looked for
	getenv  func(string) (string, bool) // nil: no variable is set
	anchors map[string]ast.Node
	errs    []*Error
	lines   map[string]int
	set     map[string]bool

	relative   []relative
	leftBehind []string // warnings
}

// node is a value of the file, with the key and the line that an error about it names.
type node struct {
	ast    ast.Node // nil: nothing stands there
	name   string   // the last part of key
	key    string   // "commcells[0].auth.token"
	line   int
	secret bool // no error may show it
}

// field is a key that may stand in a mapping, and what reads its value.
type field struct {
	name string
	read func(node)
}

type fields []field

func (r *reader) fail(n node, format string, args ...any) {
	r.errs = append(r.errs, &Error{File: r.file, Line: n.line, Key: n.key, Problem: fmt.Sprintf(format, args...)})
}

// mapping reads a mapping whose keys are all known.
func (r *reader) mapping(n node, known fields) {
	for _, n := range r.pairs(n) {
		if read := known.find(n.name); read != nil {
			read(n)
			continue
		}
		r.fail(n, "%s", unknown(n.name, known))
	}
}

func (f fields) find(name string) func(node) {
	for _, known := range f {
		if known.name == name {
			return known.read
		}
	}
	return nil
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
		pairs = append(pairs, without(more, pairs)...)
	}
	for _, p := range pairs {
		r.lines[p.key] = p.line
	}
	return pairs
}

// own are the keys that a mapping sets itself, each once, and what it merges.
func (r *reader) own(n node) (pairs []node, merge *node) {
	lines := map[string]int{}
	for _, p := range r.entries(n) {
		child := n.child(p)
		if line, twice := lines[child.name]; twice {
			r.fail(child, "set twice, first on line %d; keep one", line)
			continue
		}
		lines[child.name] = child.line
		if p.Key.IsMergeKey() {
			merge = &node{ast: p.Value, key: n.key, line: child.line}
			continue
		}
		pairs = append(pairs, child)
	}
	return pairs, merge
}

func without(more, pairs []node) []node {
	return slices.DeleteFunc(more, func(m node) bool {
		return slices.ContainsFunc(pairs, func(p node) bool { return p.name == m.name })
	})
}

func (r *reader) entries(n node) []*ast.MappingValueNode {
	switch v := r.resolve(n).(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.MappingNode:
		return v.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{v}
	default:
		r.wrongKind(n, "keys with values", v)
		return nil
	}
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

// items are the values of a list; none where nothing stands.
func (r *reader) items(n node) []node {
	var list *ast.SequenceNode
	switch v := r.resolve(n).(type) {
	case nil, *ast.NullNode:
		return nil
	case *ast.SequenceNode:
		list = v
	default:
		r.wrongKind(n, "a list", v)
		return nil
	}
	items := make([]node, len(list.Values))
	for i, v := range list.Values {
		items[i] = node{ast: v, key: fmt.Sprintf("%s[%d]", n.key, i), line: lineOf(v, n.line)}
	}
	return items
}

// lineOf falls back to the list's line for a value that has no token.
func lineOf(v ast.Node, list int) int {
	if v == nil || v.GetToken() == nil {
		return list
	}
	return v.GetToken().Position.Line
}

// wrongKind shows nothing of the value: text at the wrong place may be a secret.
func (r *reader) wrongKind(n node, want string, got ast.Node) {
	r.fail(n, "wants %s, not %s", want, kind(got))
}

func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.TagNode:
		return "a tag; leave it out"
	case *ast.NullNode:
		return "nothing"
	default:
		return "text"
	}
}
