package config

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schema is the JSON Schema of the configuration file, by which editors complete and check it. It lets pass what only the
// program can tell (rules between keys, what a ${NAME} holds), and refuses nothing that the program takes.
func Schema() *jsonschema.Schema {
	s := sectionSchema(new(Config).keys())
	s.Schema = "http://json-schema.org/draft-07/schema#"
	s.Title = "Configuration of jobwatch"
	s.Required = []string{"commcells"}
	return s
}

// sectionSchema takes a section without keys, too: it keeps the defaults.
func sectionSchema(keys []key) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Types:                []string{"object", "null"},
		Properties:           map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	for _, k := range keys {
		k.value.schema.Description = k.doc
		s.Properties[k.name] = k.value.schema
		s.PropertyOrder = append(s.PropertyOrder, k.name)
	}
	return s
}

func listSchema(items *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Types: []string{"array", "null"}, Items: items, Default: marshal([]any{})}
}

func mapSchema(keys *regexp.Regexp, values *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{
		Types: []string{"object", "null"}, PropertyNames: &jsonschema.Schema{Pattern: keys.String()}, AdditionalProperties: values, Default: marshal(map[string]any{}),
	}
}

// typedSchema is for values that are no text in YAML; a text is only one that names a variable.
func typedSchema(name string) *jsonschema.Schema {
	return &jsonschema.Schema{Types: []string{name, "string"}, Pattern: reference.String()}
}

func wholeSchema(least, most float64) *jsonschema.Schema {
	s := typedSchema("integer")
	s.Minimum, s.Maximum = &least, &most
	return s
}

// durationSchema takes a 0 without unit where the duration may be 0.
func durationSchema(least time.Duration) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	if least != positive {
		s = wholeSchema(0, 0)
	}
	s.Pattern = orReference(`^\+?(([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`)
	return s
}

func wordSchema(words []string) *jsonschema.Schema {
	enum := &jsonschema.Schema{}
	for _, word := range words {
		enum.Enum = append(enum.Enum, word)
	}
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{enum, {Type: "string", Pattern: reference.String()}}}
}

func orReference(pattern string) string { return "(" + pattern + ")|" + reference.String() }

// marshal writes a default as the file has it.
func marshal(v any) json.RawMessage {
	if d, ok := v.(time.Duration); ok {
		v = short(d)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
