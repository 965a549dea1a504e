package contract_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// finding is one difference between a kept document and what the program prints now.
type finding struct {
	text   string
	breaks bool // a subscriber who trusted the kept one
}

// comparison looks at the contract as a subscriber does, who reads events and writes none: what may
// come now that could not come before breaks him, and so does what he can no longer count on.
type comparison struct{ findings []finding }

type object = map[string]any

func (c *comparison) breaks(format string, args ...any) {
	c.findings = append(c.findings, finding{fmt.Sprintf(format, args...), true})
}

func (c *comparison) fits(format string, args ...any) {
	c.findings = append(c.findings, finding{fmt.Sprintf(format, args...), false})
}

// schemas compares schemas by name.
func (c *comparison) schemas(kept, now object) {
	for _, name := range names(kept, now) {
		was, is := kept[name], now[name]
		switch {
		case is == nil:
			c.breaks("%s is gone", name)
		case was == nil:
			c.fits("%s is new", name)
		default:
			c.schema(name, was.(object), is.(object))
		}
	}
}

// schema compares two schemas of one thing, keyword by keyword.
func (c *comparison) schema(at string, kept, now object) {
	for _, keyword := range names(kept, now) {
		was, is := kept[keyword], now[keyword]
		if !reflect.DeepEqual(was, is) {
			c.keyword(at, keyword, kept, now)
		}
	}
}

func (c *comparison) keyword(at, keyword string, kept, now object) {
	was, is := kept[keyword], now[keyword]
	if was == nil || is == nil {
		c.comesOrGoes(at, keyword, was, is)
		return
	}
	switch keyword {
	case "title", "description", "examples":
		c.fits("the %s of %s is another", keyword, at)
	case "$defs":
		c.schemas(toObject(was), toObject(is))
	case "properties":
		c.members(at, toObject(was), toObject(is))
	case "required":
		c.required(at, kept, now)
	case "type":
		c.types(at, toList(was), toList(is))
	case "oneOf":
		c.kinds(at, toList(was), toList(is))
	case "enum":
		c.enum(at, toList(was), toList(is))
	case "items":
		c.schema(at+"[]", toObject(was), toObject(is))
	default:
		c.breaks("the %s of %s was %v and is %v", keyword, at, was, is)
	}
}

// comesOrGoes compares where only one of two schemas has a keyword. A first bound shuts out nothing
// that a subscriber could count on.
func (c *comparison) comesOrGoes(at, keyword string, was, is any) {
	bounds := []string{"type", "enum", "const", "pattern", "format", "not", "minimum", "maximum",
		"minLength", "maxLength", "minItems", "maxItems", "uniqueItems", "required"}
	switch {
	case slices.Contains([]string{"title", "description", "examples"}, keyword):
		c.fits("the %s of %s is another", keyword, at)
	case was == nil && slices.Contains(bounds, keyword):
		c.fits("%s is held to the %s %v now", at, keyword, is)
	case is == nil:
		c.breaks("%s is no longer held to the %s %v", at, keyword, was)
	default:
		c.breaks("%s has the %s %v now", at, keyword, is)
	}
}

func (c *comparison) members(at string, kept, now object) {
	for _, name := range names(kept, now) {
		member := at + "." + name
		was, is := kept[name], now[name]
		switch {
		case is == nil:
			c.breaks("%s is gone", member)
		case was == nil:
			c.fits("%s is new", member)
		default:
			c.schema(member, was.(object), is.(object))
		}
	}
}

// required passes over members that came or went: those are told already.
func (c *comparison) required(at string, kept, now object) {
	was, is := toList(kept["required"]), toList(now["required"])
	for _, name := range without(was, is) {
		if toObject(now["properties"])[name.(string)] != nil {
			c.breaks("%s.%v may be missing now", at, name)
		}
	}
	for _, name := range without(is, was) {
		if toObject(kept["properties"])[name.(string)] != nil {
			c.fits("%s.%v is never missing now", at, name)
		}
	}
}

func (c *comparison) types(at string, kept, now []any) {
	for _, t := range without(now, kept) {
		if t != "integer" || !slices.Contains(kept, any("number")) { // each integer is a number
			c.breaks("%s was %s and may be %v now", at, words(kept), t)
			return
		}
	}
	c.fits("%s was %s and is only %s now", at, words(kept), words(now))
}

// kinds compares what a thing may be one of: a subscriber passes over a kind of event he does not know.
func (c *comparison) kinds(at string, kept, now []any) {
	for _, one := range without(kept, now) {
		c.breaks("%s can no longer be %s", at, reference(one))
	}
	for _, one := range without(now, kept) {
		c.fits("%s can now be %s too", at, reference(one))
	}
}

// openSets are the enumerations that subscribers are told to take as open.
var openSets = []string{"truncated[]"}

// enum compares the values of a set: a subscriber tells them apart, and has no branch for another.
func (c *comparison) enum(at string, kept, now []any) {
	tell := c.breaks
	if slices.Contains(openSets, at) {
		tell = c.fits
	}
	for _, value := range without(kept, now) {
		tell("%s can no longer be %v", at, value)
	}
	for _, value := range without(now, kept) {
		tell("%s can now be %v", at, value)
	}
}

func names(a, b object) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func without(list, others []any) []any {
	return slices.DeleteFunc(slices.Clone(list), func(one any) bool {
		return slices.ContainsFunc(others, func(other any) bool { return reflect.DeepEqual(one, other) })
	})
}

func words(list []any) string {
	var all []string
	for _, one := range list {
		all = append(all, fmt.Sprint(one))
	}
	return strings.Join(all, " or ")
}

// reference is the name that a $ref ends in.
func reference(one any) string {
	ref, is := toObject(one)["$ref"].(string)
	if !is {
		return fmt.Sprint(one)
	}
	return ref[strings.LastIndex(ref, "/")+1:]
}

func toObject(value any) object {
	o, is := value.(object)
	if !is {
		return object{}
	}
	return o
}

func toList(value any) []any {
	switch v := value.(type) {
	case []any:
		return v
	case nil:
		return nil
	}
	return []any{value}
}
