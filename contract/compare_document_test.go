package contract_test

import (
	"reflect"
	"slices"
	"strings"
)

// document compares what of an AsyncAPI document is no schema: more is compatible, less or other is not.
func (c *comparison) document(at string, kept, now any) {
	switch was := kept.(type) {
	case object:
		c.parts(at, was, toObject(now))
	case []any:
		for _, one := range without(was, toList(now)) {
			c.breaks("%s lacks %s", at, reference(one))
		}
		for _, one := range without(toList(now), was) {
			c.fits("%s has %s too", at, reference(one))
		}
	default:
		if !reflect.DeepEqual(kept, now) {
			c.breaks("%s was %v and is %v", at, kept, now)
		}
	}
}

func (c *comparison) parts(at string, kept, now object) {
	for _, name := range names(kept, now) {
		part := strings.TrimPrefix(at+"."+name, ".")
		was, is := kept[name], now[name]
		switch {
		case reflect.DeepEqual(was, is):
		case slices.Contains([]string{"title", "description", "summary", "examples", "version"}, name):
			c.fits("%s is another", part)
		case part == "components.schemas":
			c.schemas(toObject(was), toObject(is))
		case is == nil:
			c.breaks("%s is gone", part)
		case was == nil:
			c.fits("%s is new", part)
		default:
			c.document(part, was, is)
		}
	}
}
