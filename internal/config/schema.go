package config

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// Schema is the JSON Schema of the configuration file, by which editors complete and check it. It lets pass what only the
// program can tell (rules between keys, what a ${NAME} holds), and refuses nothing that the program takes.
func Schema() *jsonschema.Schema {
	s := sectionOf(new(Config).keys()).schema
	s.Schema = "http://json-schema.org/draft-07/schema#"
	s.Title = "Configuration of jobwatch"
	s.Required = []string{"commcells"}
	return s
}

// sectionSchema lets a section stand without keys, too: it keeps the defaults.
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

// typed is for values that are no text in YAML; a text is only one that names a variable.
func typed(name, wanted string) *jsonschema.Schema {
	return matching(&jsonschema.Schema{Types: []string{name, "string"}}, "", wanted)
}

// matching lets pass texts of this pattern, and those that name a variable; editors say what is wanted.
func matching(s *jsonschema.Schema, pattern, wanted string) *jsonschema.Schema {
	if s.Pattern = reference.String(); pattern != "" {
		s.Pattern = "(" + pattern + ")|" + s.Pattern
	}
	s.Extra = map[string]any{"patternErrorMessage": wanted}
	return s
}

// marshal writes a default as the file has it.
func marshal(v any) json.RawMessage {
	if d, ok := v.(time.Duration); ok {
		v = short(d)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // texts, numbers, lists and maps: it cannot fail
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
