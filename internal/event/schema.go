package event

import (
	"encoding/json"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"jobwatch/internal/job"
)

// Schema is the JSON Schema (2020-12) of an event: exactly what this version of jobwatch sends.
// A subscriber that wants to go on with a later one ignores the members that the schema does not know.
//
// Its definitions keep to keywords that draft 7 has too, so that they can stand in an AsyncAPI document.
func Schema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Schema:      "https://json-schema.org/draft/2020-12/schema",
		ID:          "urn:jobwatch:event:v1",
		Title:       "Event of jobwatch",
		Description: "A CloudEvent that tells what became of a Commvault job, or of a CommCell.",
		OneOf:       refs(messages()),
		Defs:        definitions(),
	}
}

// messages are the names of the events' definitions, one for each CloudEvents type.
func messages() []string {
	var names []string
	for _, r := range rows {
		if name := r.message() + "Event"; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func definitions() map[string]*jsonschema.Schema {
	defs := map[string]*jsonschema.Schema{"job": jobSchema(), "truncated": truncated()}
	data := map[string][]string{} // of each message
	for _, r := range rows {
		if r.kind == job.KindCommCell {
			defs[r.name()+"Data"] = r.commCellData()
		} else {
			defs[r.name()+"Change"] = r.change()
			defs[r.name()+"Data"] = r.jobData()
		}
		event := r.message() + "Event"
		data[event] = append(data[event], r.name()+"Data")
		defs[event] = r.event(data[event])
	}
	return defs
}

// event is the envelope of a row, about one of the data.
func (r row) event(data []string) *jsonschema.Schema {
	s := schemaOf[Event]("event")
	s.Title = "Event " + r.eventType()
	p := s.Properties
	p["type"] = fixed(r.eventType())
	p["dataschema"] = fixed("urn:jobwatch:job-change:v1")
	p["subject"] = matching(`^jobs/`+jobPattern+`$`, "The job.")
	p["partitionkey"] = matching(`^`+commCellPattern+`/`+jobPattern+`$`, "What sequence counts in: the CommCell and the job.")
	if r.kind == job.KindCommCell {
		p["dataschema"] = fixed("urn:jobwatch:commcell-change:v1")
		p["subject"] = matching(`^commcells/`+commCellPattern+`$`, "The CommCell.")
		p["partitionkey"] = matching(`^`+commCellPattern+`$`, "What sequence counts in: the CommCell.")
	}
	p["sequence"].Not = fixed("00000000000000000000")
	p["data"] = refs(data)[0]
	if len(data) > 1 {
		p["data"] = &jsonschema.Schema{OneOf: refs(data)}
	}
	return s
}

func (r row) jobData() *jsonschema.Schema {
	s := schemaOf[JobData]("jobData")
	p := s.Properties
	p["change"] = ref(r.name() + "Change")
	p["severity"].Enum = anyOf(r.severities)
	p["job"], p["truncated"] = ref("job"), ref("truncated")
	return s
}

func truncated() *jsonschema.Schema {
	s := schemaOf[JobData]("jobData").Properties["truncated"]
	s.UniqueItems, s.MinItems = true, jsonschema.Ptr(1)
	s.Items.Enum, s.Items.Extra = cuttable(), map[string]any{open: true}
	return s
}

func (r row) change() *jsonschema.Schema {
	s := schemaOf[Observed]("change")
	p := s.Properties
	p["kind"].Const = jsonschema.Ptr[any](r.kind)
	if r.detail != "" {
		p["detail"].Const = jsonschema.Ptr[any](r.detail)
	} else {
		p["detail"].Pattern, p["detail"].MaxLength = slugPattern, jsonschema.Ptr(64)
	}
	r.from.write(p["from"])
	r.to.write(p["to"])
	for _, extra := range []string{"vm", "code"} {
		if r.extra != extra {
			delete(p, extra)
		}
	}
	if r.extra == "vm" {
		s.Required = append(s.Required, "vm")
		p["vm"].MinLength = jsonschema.Ptr(1)
	}
	return s
}

func (v value) write(s *jsonschema.Schema) {
	s.Type, s.Types = "string", nil
	switch v {
	case nothing:
		s.Type, s.MinLength, s.Description = "null", nil, "Nothing, in an event of this kind."
	case wordsOrNull, numeralOrNull:
		s.Type, s.Types = "", []string{"string", "null"}
	}
	if v == numeral || v == numeralOrNull {
		s.Pattern = numeralPattern
	}
}

func (r row) commCellData() *jsonschema.Schema {
	s := schemaOf[CommCellData]("commcellData")
	s.Properties["detail"].Const = jsonschema.Ptr[any](r.detail)
	s.Properties["severity"].Enum = anyOf(r.severities)
	return s
}

func jobSchema() *jsonschema.Schema {
	s := schemaOf[job.Snapshot]("job")
	annotate(s.Properties["vms"], "vms")
	s.Title = "Job"
	s.Description = "All that the answer said of the job, after the change. What it did not say is null."
	return s
}

// cuttable are the members of a job that can be cut.
func cuttable() []any {
	s := schemaOf[job.Snapshot]("job")
	names := []any{"vms"}
	for _, name := range s.PropertyOrder {
		if p := s.Properties[name]; slices.Contains(p.Types, "string") && p.Format == "" && p.Enum == nil {
			names = append(names, name)
		}
	}
	return names
}

// open marks an enumeration that may grow without notice.
const open = "x-open"

// types are the schemas of the Go types whose form in JSON is their own.
var types = map[reflect.Type]*jsonschema.Schema{
	reflect.TypeFor[job.Text]():        {Types: []string{"string", "null"}, MinLength: jsonschema.Ptr(1)},
	reflect.TypeFor[job.Severity]():    {Type: "string", Enum: anyOf(anySeverity)},
	reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time", Pattern: timePattern},
	reflect.TypeFor[json.RawMessage](): {},
}

// schemaOf is the schema of a Go type with what notes says of its members.
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
		if n, noted := notes[name+"."+member]; noted {
			n.write(p)
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
