package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/jsonschema-go/jsonschema"
)

// relays also finds what no single relay can see: a name or a folder twice.
func relays(dst *[]Relay) value {
	declared := sectionOf(new(Relay).keys())
	declared.schema.Required = []string{"name"}
	declared.schema.Properties["name"].Default = nil
	var all shownList
	return value{keys: declared.keys, schema: listSchema(declared.schema), show: func() any { return all.show() }, read: func(r *reader, n node) {
		names, folders := map[string]int{}, map[string]int{}
		for _, item := range r.items(n) {
			var relay Relay
			section := sectionOf(relay.keys(), relay.rules)
			section.read(r, item)
			all = append(all, section.show)
			name := r.member(item, "name")
			if first := names[relay.Name]; first > 0 && relay.Name != "" {
				r.fail(name, "%q: the name of the relay on line %d too; give each its own", relay.Name, first)
			}
			names[relay.Name] = name.line
			if relay.Audit != nil && relay.Name != "" {
				dir := r.member(r.member(item, "audit"), "dir")
				if first := folders[relay.Audit.Dir]; first > 0 {
					r.fail(dir, "the folder of the relay on line %d too; give each its own", first)
				}
				folders[relay.Audit.Dir] = dir.line
			}
			*dst = append(*dst, relay)
		}
	}}
}

// part is a section whose place in the file says that it counts.
type part[T any] interface {
	*T
	keys() []key
	rules(r *reader, n node)
}

// optional is a section that is nil where the file leaves it out. It stands there even without keys: "audit:".
func optional[T any, P part[T]](dst **T) value {
	declared := sectionOf(P(new(T)).keys())
	var section value
	show := func() any {
		if section.show == nil {
			return nil
		}
		return section.show()
	}
	return value{keys: declared.keys, schema: declared.schema, show: show, read: func(r *reader, n node) {
		*dst = new(T)
		section = sectionOf(P(*dst).keys(), P(*dst).rules)
		section.read(r, n)
	}}
}

// texts is a list that goes to dst, where its default is put at once.
func texts(dst *[]string, k kind[string], def ...string) value {
	*dst = def
	v := list(k, func(_ *reader, _ node, text string) { *dst = append(*dst, text) })
	if len(def) > 0 {
		v.schema.Default = marshal(def)
	}
	read, show := v.read, v.show
	v.show = func() any {
		if all := show(); all != nil || len(*dst) == 0 {
			return all
		}
		return *dst // the default
	}
	v.read = func(r *reader, n node) {
		if at := r.resolve(n); at == nil || at.Type() == ast.NullType {
			return
		}
		*dst = nil
		read(r, n)
	}
	return v
}

// ownFile is a file that no version before could have had elsewhere.
func ownFile(dst *string) value {
	return one(dst, "", text()).then(func(r *reader, _ node) { *dst = r.beside(*dst) })
}

func ownFiles(dst *[]string) value {
	return texts(dst, text(notEmpty)).then(func(r *reader, _ node) {
		for i, name := range *dst {
			(*dst)[i] = r.beside(name)
		}
	})
}

// beside makes a name absolute, from the configuration file's folder; an empty one names nothing.
func (r *reader) beside(name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.folder, name)
}

// start is where a relay begins.
func start() kind[Start] {
	const wanted = "wants new, all or a duration like 24h"
	return kind[Start]{schema: matching(&jsonschema.Schema{Type: "string"}, `^(new|all|\+?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`, wanted),
		parse: func(s scalar) (Start, error) {
			switch s.text {
			case "new":
				return StartNew, nil
			case "all":
				return StartAll, nil
			}
			d, err := time.ParseDuration(s.text)
			if err != nil || d <= 0 {
				return 0, errors.New(wanted)
			}
			return Start(d), nil
		}}
}

func (s Start) String() string {
	switch s {
	case StartNew:
		return "new"
	case StartAll:
		return "all"
	default:
		return short(time.Duration(s))
	}
}

func (s Start) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

var units = map[string]int64{"": 1, "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

var sizeForm = regexp.MustCompile(`^([0-9]{1,9}) ?([A-Za-z]*)$`)

// size is a number of bytes, at least one.
func size(dst *int64, def string) value {
	const wanted = "wants a size above 0; write it like 64MiB"
	parse := func(s scalar) (int64, error) {
		parts := sizeForm.FindStringSubmatch(s.text)
		if parts == nil {
			return 0, errors.New(wanted)
		}
		n, err := strconv.ParseInt(parts[1], 10, 64)
		unit, known := units[parts[2]]
		if err != nil || !known || n == 0 {
			return 0, errors.New(wanted)
		}
		return n * unit, nil
	}
	schema := matching(&jsonschema.Schema{Types: []string{"integer", "string"}, Minimum: new(1.0)}, `^[0-9]+ ?(B|[kKMG]B|[KMG]iB)?$`, wanted)
	n, _ := parse(scalar{text: def})
	v := one(dst, n, kind[int64]{schema: schema, parse: parse})
	v.schema.Default = marshal(def)
	return v
}

// matches say which events are meant: each key of match takes words or patterns, of which one must fit.
func matches(dst *map[string][]string) value {
	*dst = map[string][]string{}
	keys := make([]key, 0, 11)
	for name := range strings.FieldsSeq("severity class commcell client client_group agent backupset subclient operation level job_type") {
		k := text(glob)
		switch name {
		case "severity":
			k = word("info", "warning", "error")
		case "class":
			k = word(classes...)
		}
		accepted := list(k, func(_ *reader, _ node, text string) { (*dst)[name] = append((*dst)[name], text) })
		keys = append(keys, key{name, accepted.then(func(r *reader, n node) {
			r.failIf(len((*dst)[name]) == 0 && !r.failed(n), n, "empty: no event would do; name what does, or leave the key out")
		}), "of which one must fit"})
	}
	return sectionOf(keys)
}

// failed tells whether something is wrong with n or below it already.
func (r *reader) failed(n node) bool {
	for _, err := range r.errs {
		if strings.HasPrefix(err.Key, n.key) {
			return true
		}
	}
	return false
}

// links are pages about a job: what is shown => URL.
func links(dst *[]Link) value {
	written := map[string]any{}
	url := like(`^[hH][tT][tT][pP][sS]?://`, "wants http:// or https:// in front")
	return value{schema: &jsonschema.Schema{
		Types: []string{"object", "null"}, Default: marshal(map[string]string{}), AdditionalProperties: url.schema,
	}, show: func() any { return shownMap(written) }, read: func(r *reader, n node) {
		for _, n := range r.pairs(n) {
			v, from, ok := text(linkURL).readFrom(r, n)
			r.failIf(strings.TrimSpace(n.name) == "", n, "has no name; write what is to be shown, as \"Command Center\"")
			if ok {
				written[n.name] = shown(v, from)
				*dst = append(*dst, Link{Text: n.name, URL: v})
			}
		}
	}}
}

// headers are sent along; what they hold stands in files.
func headers(dst *[]Header) value {
	declared := new(Header)
	section := sectionOf(declared.keys())
	section.schema.Required = []string{"value_file"}
	return value{schema: &jsonschema.Schema{
		Types: []string{"object", "null"}, Default: marshal(map[string]string{}), AdditionalProperties: section.schema,
	}, show: func() any {
		all := map[string]map[string]string{}
		for _, h := range *dst {
			all[h.Name] = map[string]string{"value_file": h.ValueFile}
		}
		return shownMap(all)
	}, read: func(r *reader, n node) {
		lines := map[string]int{}
		for _, n := range r.pairs(n) {
			h := Header{Name: n.name}
			before := len(r.errs)
			sectionOf(h.keys()).read(r, n)
			if err := headerName(h.Name); err != nil {
				r.fail(n, "%v", err)
			}
			first := lines[strings.ToLower(h.Name)]
			r.failIf(first > 0, n, "the same header as on line %d; keep one", first)
			r.failIf(h.ValueFile == "" && len(r.errs) == before, n, "without a value; write {value_file: …}, the file that holds it")
			lines[strings.ToLower(h.Name)] = n.line
			*dst = append(*dst, h)
		}
	}}
}

// prefixes are networks: 10.20.0.0/16, or one address.
func prefixes(dst *[]netip.Prefix) value {
	parse := func(s string) (netip.Prefix, error) {
		if address, err := netip.ParseAddr(s); err == nil && address.Zone() == "" {
			return netip.PrefixFrom(address, address.BitLen()), nil
		}
		return netip.ParsePrefix(s)
	}
	k := text(func(s string) error {
		prefix, err := parse(s)
		switch {
		case err != nil:
			return errors.New("wants a network; write it like 10.20.0.0/16, or 10.20.1.5 for one address")
		case prefix != prefix.Masked():
			return fmt.Errorf("has bits behind the prefix; write %s", prefix.Masked())
		}
		return nil
	})
	return list(k, func(_ *reader, _ node, s string) {
		prefix, _ := parse(s) // checked above
		*dst = append(*dst, prefix)
	})
}

// maxBody is far above any message; aliases could make one that fills memory.
const maxBody = 10_000

// anything is a YAML value of any kind, kept as JSON in its own order. It may hold what a receiver takes for a key.
func anything(dst *json.RawMessage) value {
	show := func() any {
		if *dst == nil {
			return nil
		}
		return notShown
	}
	return value{schema: &jsonschema.Schema{}, show: show, hidden: true, read: func(r *reader, n node) {
		if b := (&asJSON{reader: r}); b.write(n, 0) && string(b.text) != "null" {
			*dst = b.text
		}
	}}
}

type asJSON struct {
	*reader
	text  json.RawMessage
	count int
}

func (b *asJSON) write(n node, depth int) bool {
	if b.count++; depth > maxDepth || b.count > maxBody {
		b.fail(n, "more than %d values, or more than %d deep in each other", maxBody, maxDepth)
		return false
	}
	switch at := b.resolve(n).(type) {
	case nil:
		return false
	case ast.MapNode:
		return b.each('{', '}', b.pairs(n), depth, func(n node) { b.text = append(append(b.text, marshal(n.name)...), ':') })
	case *ast.SequenceNode:
		return b.each('[', ']', b.items(n), depth, func(node) {})
	case *ast.NullNode:
		b.text = append(b.text, "null"...)
	case *ast.IntegerNode:
		b.text = append(b.text, marshal(at.Value)...)
	case *ast.FloatNode:
		b.text = append(b.text, marshal(at.Value)...)
	case *ast.BoolNode:
		b.text = append(b.text, marshal(at.Value)...)
	case *ast.InfinityNode, *ast.NanNode:
		b.fail(n, "wants a number that JSON knows")
		return false
	default:
		s, ok := b.scalar(n)
		b.text = append(b.text, marshal(s.text)...)
		return ok
	}
	return true
}

func (b *asJSON) each(opening, closing byte, inside []node, depth int, before func(node)) bool {
	b.text = append(b.text, opening)
	good := true
	for i, n := range inside {
		if i > 0 {
			b.text = append(b.text, ',')
		}
		before(n)
		if good = b.write(n, depth+1) && good; b.count > maxBody {
			return false
		}
	}
	b.text = append(b.text, closing)
	return good
}
