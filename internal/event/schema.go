package event

import (
	"slices"

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
		OneOf:       refs(eventNames()),
		Defs:        definitions(),
	}
}

// eventNames are those of the definitions of whole events.
func eventNames() []string {
	var names []string
	for _, message := range slices.Concat(messagesOf(false), messagesOf(true)) {
		names = append(names, message+"Event")
	}
	return names
}

func definitions() map[string]*jsonschema.Schema {
	defs := map[string]*jsonschema.Schema{"job": jobSchema(), "truncated": truncated(), "log": feedLog()}
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
	s.Items.Enum = truncatable()
	return s
}

func feedLog() *jsonschema.Schema {
	s := schemaOf[Observed]("change").Properties["log"]
	s.MinItems = jsonschema.Ptr(1)
	annotate(s.Items, "feedEntry")
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
	p["log"] = ref("log")
	r.from.write(p["from"])
	r.to.write(p["to"])
	for extra, of := range map[string]string{"vm": "vm", "vmGuid": "vm", "vmJob": "vm", "code": "code"} {
		if r.extra != of {
			delete(p, extra)
		}
	}
	if r.extra == "vm" {
		s.Required = append(s.Required, "vm")
		p["vm"].MinLength, p["vmGuid"].MinLength = jsonschema.Ptr(1), jsonschema.Ptr(1)
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
	default: // a string
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

// truncatable are the members of a job that can be cut.
func truncatable() []any {
	s := schemaOf[job.Snapshot]("job")
	names := []any{"vms"}
	for _, name := range s.PropertyOrder {
		if p := s.Properties[name]; slices.Contains(p.Types, "string") && p.Format == "" && p.Enum == nil {
			names = append(names, name)
		}
	}
	return names
}
