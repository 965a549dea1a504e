package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxDepth is ten times what the keys need. The parser calls itself for each level, and a stack
// that overflows cannot be recovered.
const maxDepth = 50

// maxKeys is hundreds of CommCells. The parser's time grows with the square of a mapping's keys.
const maxKeys = 20_000

// document turns the bytes into the file's one YAML document; r knows its anchors afterwards.
func (r *reader) document(data []byte) (node, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if err := r.checkText(data); err != nil {
		return node{}, err
	}
	tokens := lexer.Tokenize(shield(lineEnds.Replace(string(data))))
	if err := r.checkTokens(tokens); err != nil {
		return node{}, err
	}
	file, err := parseTokens(tokens)
	if err != nil {
		return node{}, r.syntax(err)
	}
	return r.only(file.Docs)
}

func (r *reader) at(line int, format string, args ...any) *Error {
	return &Error{File: r.file, Line: line, Problem: fmt.Sprintf(format, args...)}
}

func (r *reader) checkText(data []byte) error {
	if len(data) > maxSize {
		return r.at(0, "larger than %d bytes; is it a configuration?", maxSize)
	}
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && size == 1 || c < ' ' && !strings.ContainsRune("\t\r\n", c) {
			return r.at(1+bytes.Count(data[:i], []byte("\n")), "byte 0x%02x is no text; save the file as UTF-8", data[i])
		}
		i += size
	}
	return nil
}

// The lexer counts some \r\n twice.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// checkTokens keeps the parser from what it takes too long for, or would not survive. A block's levels
// cost a line each, with ever more spaces, so maxSize bounds them; brackets, and dashes on one line,
// cost a byte or two.
func (r *reader) checkTokens(tokens token.Tokens) error {
	brackets, marks, keys, line := 0, 0, 0, 0
	for _, tk := range tokens {
		if tk.Position.Line != line {
			marks, line = 0, tk.Position.Line
		}
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			brackets++
		case token.SequenceEndType, token.MappingEndType:
			brackets--
		case token.SequenceEntryType, token.TagType, token.AnchorType:
			marks++
		case token.MappingKeyType:
			marks++
			keys++
		case token.MappingValueType:
			keys++
		}
		if brackets > maxDepth || marks > maxDepth {
			return r.at(line, "lists and mappings stand more than %d deep in each other", maxDepth)
		}
		if keys > maxKeys {
			return r.at(line, "more than %d keys; is it a configuration?", maxKeys)
		}
	}
	return nil
}

// parseTokens allows a key to stand twice: own finds that, and names the whole key. A panic of the
// parser is an error like others.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		// None is known; but a running watcher reads the file again when it is edited.
		if p := recover(); p != nil {
			err = fmt.Errorf("the YAML reader gave up: %v", p)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// syntax keeps the parser's message and line, and leaves out the source that it prints: there may be
// a secret in it.
func (r *reader) syntax(err error) error {
	var at yaml.Error
	if !errors.As(err, &at) {
		return r.at(0, "%v", err)
	}
	message := unshield(at.GetMessage())
	for _, known := range fixes {
		if strings.Contains(message, known.words) {
			message += "; " + known.fix
			break
		}
	}
	return r.at(at.GetToken().Position.Line, "%s", message)
}

// fixes are for the mistakes that people make in YAML: words of the parser, and what to do.
var fixes = []struct{ words, fix string }{
	{"'\t'", "indent with spaces"},
	{"tab character", "indent with spaces"},
	{"mapping value is not", `put a value that holds ": " in quotes`},
	{"value is not allowed", "is it indented like its neighbours?"},
	{"reserved character", "put the value in quotes"},
	{"non-map value is", `write "key: value"`},
	{"unexpected key name", `write "key: value"`},
	{"quoted text", "close the quotes"},
	{"sequence end token", "close the bracket"},
	{"flow mapping end token", "close the brace"},
}

// only is the one document there is; an empty one is as good as none.
func (r *reader) only(docs []*ast.DocumentNode) (root node, err error) {
	root.line = 1
	for _, doc := range docs {
		switch {
		case doc.Body == nil:
		case root.ast == nil:
			root = node{ast: doc.Body, line: doc.Body.GetToken().Position.Line}
		default:
			return root, r.at(doc.Body.GetToken().Position.Line, `a second document; a configuration is one, without "---" inside`)
		}
	}
	if root.ast == nil {
		return root, nil
	}
	for _, n := range ast.Filter(ast.AnchorType, root.ast) {
		anchor := n.(*ast.AnchorNode)
		name := anchor.Name.GetToken()
		if _, twice := r.anchors[name.Value]; twice {
			err = r.at(name.Position.Line, "&%s: this anchor stands twice; give one another name", name.Value)
		}
		r.anchors[name.Value] = anchor.Value
	}
	return root, err
}

// A ${NAME} may stand without quotes in { } and [ ], where YAML itself allows no braces inside a
// word. So its braces are exchanged while the YAML is parsed.
const open, shut = "\ue000", "\ue001"

var (
	reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)
	exchange  = "$$" + open + "${1}" + shut
	restore   = strings.NewReplacer("$"+open, "${", shut, "}")
)

func shield(text string) string   { return reference.ReplaceAllString(text, exchange) }
func unshield(text string) string { return restore.Replace(text) }
