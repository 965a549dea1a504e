package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// value is what a key declares of what stands behind it.
type value struct {
	read   func(*reader, node)
	schema *jsonschema.Schema
	keys   []key      // of a section, or of each section of a list
	show   func() any // what it is, once it was read (show.go); nil or giving nil: nothing
	hidden bool       // it is a secret
}

// kind is a kind of scalar: how it is parsed, with errors that say what is wanted, and its schema.
type kind[T any] struct {
	parse  func(scalar) (T, error)
	schema *jsonschema.Schema
}

// one is a scalar that goes to dst, where the default is put at once.
func one[T comparable](dst *T, def T, k kind[T]) value {
	*dst = def
	k.schema.Default = marshal(def)
	written := ""
	show := func() any {
		if empty := any(""); any(*dst) == empty && any(def) == empty {
			return nil
		}
		return shown(*dst, written)
	}
	return value{schema: k.schema, show: show, read: func(r *reader, n node) {
		if v, from, ok := k.readFrom(r, n); ok {
			*dst, written = v, from
		}
	}}
}

func (k kind[T]) read(r *reader, n node) (v T, ok bool) {
	v, _, ok = k.readFrom(r, n)
	return v, ok
}

// readFrom also gives what is written in the place of the value, where that names a variable.
func (k kind[T]) readFrom(r *reader, n node) (v T, written string, ok bool) {
	s, ok := r.scalar(n)
	if !ok {
		return v, "", false
	}
	v, err := k.parse(s)
	if err != nil {
		r.refuse(n, s, err)
	}
	if s.text != s.source {
		written = s.source
	}
	return v, written, err == nil
}

// secret is a text that no error may show.
func secret(dst *string) value {
	return hidden(one(dst, "", text(func(s string) error { return sendable(trimLineEnd(s)) }))).then(
		func(*reader, node) { *dst = trimLineEnd(*dst) })
}

// hidden is a value that no error may show.
func hidden(v value) value {
	read, show := v.read, v.show
	v.hidden, v.show = true, func() any {
		if show() == nil {
			return nil
		}
		return notShown
	}
	v.read = func(r *reader, n node) {
		n.secret = true
		read(r, n)
	}
	return v
}

// file is the name of a file or folder; one that has a default is never empty.
func file(dst *string, def string) value {
	return one(dst, def, text(func(s string) error {
		if s == "" && def != "" {
			return errors.New("wants a value; leave the key out for the default")
		}
		return nil
	})).then(func(r *reader, n node) { *dst = r.placed(n, *dst) })
}

// then adds a step after the reading, which runs even where reading failed.
func (v value) then(step func(*reader, node)) value {
	read := v.read
	v.read = func(r *reader, n node) {
		read(r, n)
		step(r, n)
	}
	return v
}

// text is a text in which no check finds a fault.
func text(checks ...func(string) error) kind[string] {
	return kind[string]{schema: &jsonschema.Schema{Type: "string"}, parse: func(s scalar) (string, error) {
		if s.typed {
			return "", errors.New("wants text; put it in quotes")
		}
		for _, check := range checks {
			if err := check(s.text); err != nil {
				return "", err
			}
		}
		return s.text, nil
	}}
}

// like is a text of this pattern.
func like(pattern, wanted string) kind[string] {
	k := text(func(s string) error {
		if !regexp.MustCompile(pattern).MatchString(s) {
			return errors.New(wanted)
		}
		return nil
	})
	matching(k.schema, pattern, wanted)
	return k
}

// hint is a pattern for editors, which cannot ask the check.
func (k kind[T]) hint(pattern, wanted string) kind[T] {
	matching(k.schema, pattern, wanted)
	return k
}

// word is one of a few.
func word(words ...string) kind[string] {
	last := len(words) - 1
	k := text(func(s string) error {
		if slices.Contains(words, s) {
			return nil
		}
		return fmt.Errorf("wants %s or %s", strings.Join(words[:last], ", "), words[last])
	})
	enum := new(jsonschema.Schema)
	for _, word := range words {
		enum.Enum = append(enum.Enum, word)
	}
	k.schema = &jsonschema.Schema{AnyOf: []*jsonschema.Schema{enum, {Type: "string", Pattern: reference.String()}}}
	return k
}

func boolean() kind[bool] {
	return kind[bool]{schema: typed("boolean", "wants true or false, without quotes"), parse: func(s scalar) (bool, error) {
		if s.quoted || s.text != "true" && s.text != "false" {
			return false, errors.New("wants true or false, without quotes")
		}
		return s.text == "true", nil
	}}
}

// whole is a whole number from least to most.
func whole[T int | int64](least, most T) kind[T] {
	schema := typed("integer", "wants a whole number")
	if schema.Minimum = new(float64(least)); most < math.MaxInt64 {
		schema.Maximum = new(float64(most))
	}
	return kind[T]{schema: schema, parse: func(s scalar) (T, error) {
		v, err := strconv.ParseInt(s.text, 10, 64)
		switch {
		case s.quoted && err == nil:
			return 0, errors.New("wants a number; leave the quotes out")
		case err != nil && !errors.Is(err, strconv.ErrRange):
			return 0, errors.New("wants a whole number")
		case v < int64(least):
			return 0, fmt.Errorf("wants %d or more", least)
		case err != nil || v > int64(most): // a number out of range is read as the nearest in it
			return 0, fmt.Errorf("wants %d or less", most)
		}
		return T(v), nil
	}}
}

// rate is a number that is not below 0.
func rate() kind[float64] {
	schema := typed("number", "wants a number, without quotes")
	schema.Minimum = new(0.0)
	return kind[float64]{schema: schema, parse: func(s scalar) (float64, error) {
		v, err := strconv.ParseFloat(s.text, 64)
		switch {
		case s.quoted || err != nil:
			return 0, errors.New("wants a number, without quotes")
		case !(v >= 0) || math.IsInf(v, 1): // NaN is not >= 0
			return 0, errors.New("wants 0 (no limit) or more")
		}
		return v, nil
	}}
}

// positive is the shortest duration there is.
const positive = time.Nanosecond

// duration is a Go duration, positive or, with another least, that or 0.
func duration(least time.Duration) kind[time.Duration] {
	schema := &jsonschema.Schema{Type: "string"}
	if least != positive { // then a 0 needs no unit
		schema = &jsonschema.Schema{Types: []string{"integer", "string"}, Minimum: new(0.0), Maximum: new(0.0)}
	}
	matching(schema, `^\+?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`, "wants a duration; write it like 30s, 10m, 168h")
	return kind[time.Duration]{schema: schema, parse: func(s scalar) (time.Duration, error) {
		v, err := parseDuration("", s.text)
		switch {
		case err != nil:
			return 0, err
		case v <= 0 && least == positive:
			return 0, errors.New("wants a duration above 0")
		case v < 0:
			return 0, errors.New("wants 0 or more")
		case v != 0 && v < least:
			return 0, fmt.Errorf("wants %v or more, or 0 for off", least)
		}
		return v, nil
	}}
}

// list is a list of scalars; each takes one.
func list[T any](k kind[T], each func(*reader, node, T)) value {
	var all shownList
	return value{schema: listSchema(k.schema), show: func() any { return all.show() }, read: func(r *reader, n node) {
		for _, item := range r.items(n) {
			if v, written, ok := k.readFrom(r, item); ok {
				all = append(all, func() any { return shown(v, written) })
				each(r, item, v)
			}
		}
	}}
}

// jobs are job ids, each once.
func jobs(c *CommCell) value {
	c.JobLines = map[int64]int{}
	return list(whole[int64](1, math.MaxInt64), func(r *reader, item node, id int64) {
		if line, twice := c.JobLines[id]; twice {
			r.fail(item, "%d: listed on line %d already; keep one", id, line)
			return
		}
		c.Jobs = append(c.Jobs, id)
		c.JobLines[id] = item.line
	})
}

// globs are patterns of names.
func globs(dst *[]string) value {
	return list(text(glob), func(_ *reader, _ node, glob string) { *dst = append(*dst, glob) })
}

// filter says which jobs are meant: names of clients and the like => globs.
func filter(dst *map[string][]string) value {
	*dst = map[string][]string{}
	var keys []key
	for _, name := range strings.Fields("client client_group job_type operation application subclient") {
		globs := list(text(glob), func(_ *reader, _ node, glob string) { (*dst)[name] = append((*dst)[name], glob) })
		read := globs.read
		globs.read = func(r *reader, n node) {
			(*dst)[name] = nil // a list without patterns is another thing than none
			read(r, n)
		}
		keys = append(keys, key{name, globs, "patterns of which one must fit"})
	}
	return sectionOf(keys)
}

// severities say what a state means here; the keys are slugs, of which the CommServe may know any.
func severities(dst *map[string]string) value {
	*dst = map[string]string{}
	severity := word("info", "warning", "error")
	slug := like(`^[a-z0-9_]+$`, "no slug of a state; write it like completed_with_errors")
	return value{schema: &jsonschema.Schema{
		Types: []string{"object", "null"}, Default: marshal(*dst), PropertyNames: slug.schema, AdditionalProperties: severity.schema,
	}, show: func() any { return shownMap(*dst) }, read: func(r *reader, n node) {
		for _, n := range r.pairs(n) {
			if _, err := slug.parse(scalar{text: n.name}); err != nil {
				r.fail(n, "%v", err)
				continue
			}
			(*dst)[n.name], _ = severity.read(r, n)
		}
	}}
}

// sectionOf is a mapping. Its rules are asked only where each of the keys is right.
func sectionOf(keys []key, rules ...func(*reader, node)) value {
	return value{keys: keys, schema: sectionSchema(keys), show: showSection(keys), read: func(r *reader, n node) {
		before := len(r.errs)
		r.mapping(n, keys)
		for _, rule := range rules {
			if len(r.errs) == before {
				rule(r, n)
			}
		}
	}}
}

// commCells also finds what no single CommCell can see: that there is none, or a name twice.
func commCells(dst *[]CommCell) value {
	commCell := func(c *CommCell) value { return sectionOf(c.keys(), c.rules) }
	declared := commCell(new(CommCell))
	declared.schema.Required = []string{"name", "url", "auth"}
	for _, name := range declared.schema.Required {
		declared.schema.Properties[name].Default = nil
	}
	schema := &jsonschema.Schema{Type: "array", MinItems: new(1), Items: declared.schema}
	var all shownList
	return value{keys: declared.keys, schema: schema, show: func() any { return all.show() }, read: func(r *reader, n node) {
		before, lines := len(r.errs), map[string]int{}
		for _, item := range r.items(n) {
			var c CommCell
			section := commCell(&c)
			section.read(r, item)
			all = append(all, section.show)
			name := r.member(item, "name")
			if first, twice := lines[c.Name]; twice && c.Name != "" {
				r.fail(name, "%q: the name of the CommCell on line %d too; give each its own", c.Name, first)
			}
			lines[c.Name] = name.line
			*dst = append(*dst, c)
		}
		if len(*dst) == 0 && len(r.errs) == before {
			r.fail(n, "empty; name at least one CommServe, as configs/minimal.yaml does")
		}
	}}
}
