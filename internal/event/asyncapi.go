package event

import (
	"bytes"
	"encoding/json"
	"slices"

	"jobwatch/internal/job"
)

// AsyncAPI describes the subjects, without a prefix, and what is published under them.
func AsyncAPI() Document {
	d := Document{
		AsyncAPI: "3.0.0", ID: "urn:jobwatch", DefaultContentType: ContentType,
		Info: info{
			Title: "jobwatch", Version: "1.0.0",
			Description: "What becomes of Commvault jobs, told on NATS subjects. They stand here without the prefix " +
				"that nats.subject_prefix may put before them. A JetStream stream, called JOBS unless configured otherwise, holds them.",
		},
		Servers: map[string]server{"nats": {
			Host: "127.0.0.1:4222", Protocol: "nats",
			Description: "The server that jobwatch brings along; nats.url names another one.",
		}},
		Channels: map[string]channel{
			jobsTree:      channelOf(jobsAddress, "One job, and what of it changed.", false),
			commCellsTree: channelOf(commCellsAddress, "A CommCell that does not answer, or does again.", true),
		},
		Operations: map[string]operation{
			"tellJob":      tell(jobsTree, "jobwatch tells what changed of a job.", false),
			"tellCommCell": tell(commCellsTree, "jobwatch tells whether a CommCell answers.", true),
		},
	}
	d.Components.Messages = messageSchemas()
	d.Components.Schemas = componentSchemas()
	return d
}

const (
	jobsAddress      = jobsTree + ".{commcell}.{jobId}.{client}.{kind}.{detail}"
	commCellsAddress = commCellsTree + ".{commcell}.{detail}"
)

var commCellToken = parameter{Description: "The CommCell's name in jobwatch's configuration.", Examples: []string{"prod"}}

func parameters(ofCommCell bool) map[string]parameter {
	if ofCommCell {
		return map[string]parameter{
			"commcell": commCellToken,
			"detail":   {Description: "What became of it.", Enum: details(job.KindCommCell)},
		}
	}
	return map[string]parameter{
		"commcell": commCellToken,
		"jobId":    {Description: "The job's number, decimal.", Examples: []string{"1248"}},
		"client": {
			Description: "The client's name with everything percent-encoded that a NATS token cannot hold: . * > %, white space " +
				"and control characters. - where there is none. A long one ends in ~ and 16 hex digits of its SHA-256.",
			Examples: []string{"skma_2", "fall%2Eexample%2Ecom", "-"},
		},
		"kind": {Description: "What changed.", Enum: kinds()},
		"detail": {
			Description: "Of a state or phase its slug: lower case, _ for what is neither letter nor digit. Of a failure or watch " +
				"one of those in the schema.",
			Examples: append([]string{"completed_with_errors", "archive_index"}, details(job.KindFailure, job.KindWatch)...),
		},
	}
}

// kinds are those of jobs.
func kinds() []string {
	var all []string
	for _, r := range rows {
		if r.kind != job.KindCommCell && !slices.Contains(all, r.kind) {
			all = append(all, r.kind)
		}
	}
	return all
}

func details(of ...string) []string {
	var all []string
	for _, r := range rows {
		if slices.Contains(of, r.kind) {
			all = append(all, r.detail)
		}
	}
	return all
}

func channelOf(address, description string, commCells bool) channel {
	c := channel{Address: address, Description: description, Parameters: parameters(commCells), Messages: map[string]link{}}
	for _, name := range messagesOf(commCells) {
		c.Messages[name] = link{"#/components/messages/" + name}
	}
	return c
}

func tell(channel, summary string, commCells bool) operation {
	o := operation{Action: "send", Summary: summary, Channel: link{"#/channels/" + channel}}
	for _, name := range messagesOf(commCells) {
		o.Messages = append(o.Messages, link{"#/channels/" + channel + "/messages/" + name})
	}
	return o
}

func messageSchemas() map[string]messageOf {
	all := map[string]messageOf{}
	for _, r := range rows {
		all[r.message()] = messageOf{
			Name: r.message(), Title: "Event " + r.eventType(), ContentType: ContentType,
			Headers: link{schemas + "headers"}, Payload: link{schemas + r.message() + "Event"},
		}
	}
	return all
}

const schemas = "#/components/schemas/"

var headers = json.RawMessage(`{
	"type": "object",
	"description": "NATS headers. A message of JetStream has others besides.",
	"properties": {
		"Nats-Msg-Id": {"type": "string", "description": "The id of the event."},
		"Content-Type": {"type": "string", "const": "` + ContentType + `"}
	},
	"required": ["Nats-Msg-Id", "Content-Type"]
}`)

// componentSchemas are the definitions of the event's schema, each under its own name.
func componentSchemas() map[string]json.RawMessage {
	all := map[string]json.RawMessage{"headers": headers}
	for name, definition := range definitions() {
		encoded, err := json.Marshal(definition)
		if err != nil {
			panic(err) // as in schemaOf
		}
		all[name] = bytes.ReplaceAll(encoded, []byte(`"#/$defs/`), []byte(`"`+schemas))
	}
	return all
}

// Document is an AsyncAPI 3.0 document: as much of the specification as the subjects need.
type Document struct {
	AsyncAPI           string               `json:"asyncapi"`
	ID                 string               `json:"id"`
	Info               info                 `json:"info"`
	DefaultContentType string               `json:"defaultContentType"`
	Servers            map[string]server    `json:"servers"`
	Channels           map[string]channel   `json:"channels"`
	Operations         map[string]operation `json:"operations"`
	Components         components           `json:"components"`
}

type info struct {
	Title       string `json:"title"`
	Version     string `json:"version"`
	Description string `json:"description"`
}

type server struct {
	Host        string `json:"host"`
	Protocol    string `json:"protocol"`
	Description string `json:"description"`
}

type channel struct {
	Address     string               `json:"address"`
	Description string               `json:"description"`
	Parameters  map[string]parameter `json:"parameters"`
	Messages    map[string]link      `json:"messages"`
}

type parameter struct {
	Description string   `json:"description"`
	Enum        []string `json:"enum,omitempty"`
	Examples    []string `json:"examples,omitempty"`
}

type operation struct {
	Action   string `json:"action"`
	Summary  string `json:"summary"`
	Channel  link   `json:"channel"`
	Messages []link `json:"messages"`
}

type components struct {
	Messages map[string]messageOf       `json:"messages"`
	Schemas  map[string]json.RawMessage `json:"schemas"`
}

type messageOf struct {
	Name        string `json:"name"`
	Title       string `json:"title"`
	ContentType string `json:"contentType"`
	Headers     link   `json:"headers"`
	Payload     link   `json:"payload"`
}

type link struct {
	Ref string `json:"$ref"`
}
