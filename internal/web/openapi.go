package web

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"jobwatch/internal/job"
)

// endpoint is an address of the API as the OpenAPI document has it.
type endpoint struct {
	path, summary string
	parameters    []parameter
	schema        string // of an answer, among the components; "": a stream of events
	refuses       []int
}

type parameter struct {
	Name        string         `json:"name"`
	In          string         `json:"in"`
	Description string         `json:"description"`
	Required    bool           `json:"required,omitempty"`
	Schema      map[string]any `json:"schema"`
}

func inQuery(name, text string, schema map[string]any) parameter {
	return parameter{name, "query", text, false, schema}
}

var (
	aText     = map[string]any{"type": "string"}
	severally = map[string]any{"type": "array", "items": aText}
	ofAJob    = []parameter{
		{"commcell", "path", "The CommCell's name in the configuration.", true, aText},
		{"id", "path", "The job's number.", true, map[string]any{"type": "integer", "minimum": 1}},
	}
	lastEventID = parameter{"Last-Event-ID", "header", "Go on behind this sequence of the stream.", false, aText}
)

func upTo(most int) map[string]any {
	return map[string]any{"type": "integer", "minimum": 1, "maximum": most}
}

var endpoints = []endpoint{
	{"/api/v1/jobs", "Jobs, a page at a time.", []parameter{
		inQuery("commcell", "Of this CommCell.", aText), inQuery("client", "Of this client.", aText),
		inQuery("class", "Of these classes.", map[string]any{"type": "array", "items": map[string]any{"enum": classes}}),
		inQuery("ended_within", "Of the finished ones those that ended within it, as 24h.", aText),
		inQuery("order", "By number, or what has not ended first.", map[string]any{"enum": []string{"number", "active_first"}}),
		inQuery("after", "What next of the page before says.", aText), inQuery("limit", "Jobs of a page.", upTo(pageLimit)),
	}, "jobs", []int{400}},
	{"/api/v1/jobs/{commcell}/{id}", "One job, with all that is known of it.", ofAJob, "job", []int{404}},
	{"/api/v1/jobs/{commcell}/{id}/events", "The events of one job that the stream holds.", append(slices.Clone(ofAJob),
		inQuery("limit", "So many of the newest.", upTo(jobEventsMost))), "jobEvents", []int{400, 404, 503}},
	{"/api/v1/jobs/{commcell}/{id}/answer", "What the CommServe says of one job now: it is asked, once.", append(slices.Clone(ofAJob),
		parameter{"X-Requested-With", "header", "Anything; needed where no browser sends Sec-Fetch-Site, which has to be same-origin or none.", false, aText}),
		"jobAnswer", []int{404, 409, 429, 502}},
	{"/api/v1/table", "All unfinished jobs and those that ended lately, in columns.", []parameter{
		inQuery("since", "The finished ones ended within it; 24h without it.", aText)}, "table", []int{304, 400}},
	{"/api/v1/status", "How the watcher, its CommCells, relays and members stand.", nil, "status", nil},
	{"/api/v1/config", "The configuration in force, without secrets.", nil, "config", []int{404}},
	{"/api/v1/build", "What this program is built of.", nil, "build", nil},
	{"/api/v1/events", "The stream's events as they come: each a CloudEvent; event is its kind, id its sequence in the stream.", []parameter{
		inQuery("commcell", "Of these CommCells.", severally), inQuery("kind", "Of these kinds.", severally),
		inQuery("recent", "Begin with so many of the last.", upTo(ringSize)), lastEventID}, "", []int{400, 503}},
	{"/api/v1/told", "The events that the stream holds before a sequence, the newest first.", []parameter{
		inQuery("before", "Those before this sequence; without it the newest.", map[string]any{"type": "integer", "minimum": 1}),
		inQuery("limit", "So many at most; 100 without it.", upTo(toldMost)), inQuery("subject", "That a subscriber of this subject would get.", aText),
		inQuery("commcell", "Of this CommCell.", aText), inQuery("client", "Of the clients that are like this: * and ? stand for any characters, and any one.", aText),
		inQuery("kind", "Of this kind.", map[string]any{"enum": kinds}), inQuery("severity", "Of this severity and above.", map[string]any{"enum": severities}),
		inQuery("class", "Of jobs whose state is then of these classes.", map[string]any{"type": "array", "items": map[string]any{"enum": classes}}),
		inQuery("since", "That the stream got at this time or later, or within this length of time.", aText), inQuery("until", "Of this time or earlier, or of so long ago.", aText),
	}, "told", []int{400, 503}},
	{"/api/v1/live", "Events, status and progress in one line; event is one of event, status, progress, gone.", []parameter{
		inQuery("from", "Begin with this sequence of the stream.", map[string]any{"type": "integer", "minimum": 1}), lastEventID}, "", []int{400, 503}},
	{"/api/v1/openapi.json", "This document.", nil, "document", nil},
}

// schemas are those of the types that the answers are made of.
var schemas = sync.OnceValue(func() map[string]any {
	text := &jsonschema.Schema{Types: []string{"null", "string"}}
	options := &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[job.Text]():        text,
		reflect.TypeFor[json.RawMessage](): {Type: "object"}, // an event
		reflect.TypeFor[asGiven]():         {Types: []string{"object", "string"}, Description: "As it came; a string where that is XML."},
		reflect.TypeFor[time.Time]():       {Type: "string", Format: "date-time"},
	}}
	all := map[string]any{
		"table":    tableSchema(),
		"document": map[string]any{"type": "object"},
		"error": map[string]any{
			"type": "object", "properties": map[string]any{"error": aText}, "required": []string{"error"}, "additionalProperties": false,
		},
	}
	for name, of := range map[string]reflect.Type{
		"jobs": reflect.TypeFor[jobsPage](), "job": reflect.TypeFor[wholeJob](), "jobEvents": reflect.TypeFor[jobEvents](),
		"told": reflect.TypeFor[told](), "jobAnswer": reflect.TypeFor[jobAnswer](), "status": reflect.TypeFor[status](),
		"config": reflect.TypeFor[Configuration](), "build": reflect.TypeFor[build](),
	} {
		schema, err := jsonschema.ForType(of, options)
		if err != nil {
			panic(err) // the types are fixed: it fails in a test, or never
		}
		all[name] = schema
	}
	return all
})

func tableSchema() map[string]any {
	columns := map[string]any{}
	of := func(items map[string]any, names ...string) {
		for _, name := range names {
			columns[name] = map[string]any{"type": "array", "items": items}
		}
	}
	of(map[string]any{"type": "integer", "minimum": 0, "description": "A place in texts."}, textColumns[:]...)
	of(map[string]any{"type": []string{"integer", "null"}}, numberColumns[:]...)
	of(map[string]any{"type": "integer"}, "id", "terminal")
	of(map[string]any{"type": []string{"number", "null"}}, "percent")
	object := func(properties map[string]any) map[string]any {
		var names []string
		for name := range properties {
			names = append(names, name)
		}
		slices.Sort(names)
		return map[string]any{"type": "object", "properties": properties, "required": names, "additionalProperties": false}
	}
	return object(map[string]any{
		"time": map[string]any{"type": "string", "format": "date-time"}, "event": map[string]any{"type": "integer", "minimum": 0},
		"count": map[string]any{"type": "integer", "minimum": 0}, "texts": severally, "columns": object(columns),
	})
}

// openAPI is the document (OpenAPI 3.1), made of the types themselves.
func (s *Server) openAPI() map[string]any {
	paths := map[string]any{}
	for _, e := range endpoints {
		paths[e.path] = map[string]any{"get": e.operation()}
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "jobwatch", "version": s.Version,
			"description": "What a watcher knows of Commvault jobs. It reads and changes nothing. docs/http.md has the meaning of each member.",
		},
		"servers":  []any{map[string]any{"url": "../../"}}, // relative to where this document lies: a proxy may serve it below a path
		"paths":    paths,
		"security": []any{map[string]any{}, map[string]any{"bearer": []string{}}, map[string]any{"password": []string{}}},
		"components": map[string]any{
			"schemas": schemas(),
			"securitySchemes": map[string]any{
				"bearer":   map[string]any{"type": "http", "scheme": "bearer"},
				"password": map[string]any{"type": "http", "scheme": "basic", "description": "Any user; the token is the password."},
			},
		},
	}
}

func (e endpoint) operation() map[string]any {
	content := map[string]any{"text/event-stream": map[string]any{"schema": aText}}
	if e.schema != "" {
		content = jsonContent(e.schema)
	}
	responses := map[string]any{"200": map[string]any{"description": "The answer.", "content": content}}
	for _, code := range append([]int{401, 403}, e.refuses...) {
		response := map[string]any{"description": http.StatusText(code)}
		if code != http.StatusNotModified {
			response["content"] = jsonContent("error")
		}
		responses[strconv.Itoa(code)] = response
	}
	operation := map[string]any{"summary": e.summary, "responses": responses}
	if e.parameters != nil {
		operation["parameters"] = e.parameters
	}
	return operation
}

func jsonContent(schema string) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": map[string]any{"$ref": "#/components/schemas/" + schema}}}
}
