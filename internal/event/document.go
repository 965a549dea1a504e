package event

import "encoding/json"

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
