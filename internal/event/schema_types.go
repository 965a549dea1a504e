package event

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"jobwatch/internal/job"
)

// types are the schemas of the Go types whose form in JSON is their own.
var types = map[reflect.Type]*jsonschema.Schema{
	reflect.TypeFor[job.Text]():        {Types: []string{"string", "null"}, MinLength: jsonschema.Ptr(1)},
	reflect.TypeFor[job.Severity]():    {Type: "string", Enum: anyOf(anySeverity)},
	reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time", Pattern: timePattern},
	reflect.TypeFor[json.RawMessage](): {},
}

// schemaOf is the schema of a Go type with the descriptions of its members.
func schemaOf[T any](name string) *jsonschema.Schema {
	s, err := jsonschema.For[T](&jsonschema.ForOptions{TypeSchemas: types})
	if err != nil {
		panic(err) // the types are fixed: it fails in every test, or never
	}
	annotate(s, name)
	return s
}

func annotate(s *jsonschema.Schema, name string) {
	for member, p := range s.Properties {
		if !slices.Contains(s.Required, member) { // left out where it is empty, so never null
			notNull(p)
		}
		if d, described := descriptions[name+"."+member]; described {
			d.write(p)
		}
	}
}

func notNull(s *jsonschema.Schema) {
	for _, t := range s.Types { // null and another
		if t != "null" {
			s.Type = t
		}
	}
	s.Types = nil
}

func fixed(text string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Const: jsonschema.Ptr[any](text)}
}

func matching(pattern, text string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern, Description: text}
}

func ref(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }

func refs(names []string) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	for _, name := range names {
		all = append(all, ref(name))
	}
	return all
}
