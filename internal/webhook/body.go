package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// template is a body of the user's own: a YAML value whose texts may hold places, such as {data.job.client}. They are
// filled with what the event says, and the whole is marshalled then: whatever a name holds, it stays a text.
type template struct{ make maker }

// maker makes a value out of an event, which is what encoding/json reads of it.
type maker func(event any) any

func newTemplate(body any) (*template, error) {
	m, err := compile("webhook.body", body)
	if err != nil {
		return nil, err
	}
	return &template{m}, nil
}

// fill makes a body.
func (t *template) fill(data []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // as the event writes it
	var event any
	if err := dec.Decode(&event); err != nil {
		return nil, errors.New("it is no JSON")
	}
	return json.Marshal(t.make(event))
}

// compile prepares the value that stands at a key.
func compile(key string, value any) (maker, error) {
	switch value := value.(type) {
	case map[string]any:
		return compileObject(key, value)
	case []any:
		return compileList(key, value)
	case string:
		return compileText(key, value)
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return nil, fmt.Errorf("%s: %v is no number of JSON", key, value)
		}
	case nil, bool, int, int64, uint64:
	default:
		return nil, fmt.Errorf("%s: %T is nothing that JSON has; write a text, a number, a list or a mapping with texts as its keys", key, value)
	}
	return func(any) any { return value }, nil
}

func compileObject(key string, object map[string]any) (maker, error) {
	makers := make(map[string]maker, len(object))
	for name, value := range object {
		var err error
		if makers[name], err = compile(key+"."+name, value); err != nil {
			return nil, err
		}
	}
	return func(event any) any {
		made := make(map[string]any, len(makers))
		for name, m := range makers {
			made[name] = m(event)
		}
		return made
	}, nil
}

func compileList(key string, list []any) (maker, error) {
	makers := make([]maker, len(list))
	for i, value := range list {
		var err error
		if makers[i], err = compile(fmt.Sprintf("%s[%d]", key, i), value); err != nil {
			return nil, err
		}
	}
	return func(event any) any {
		made := make([]any, len(makers))
		for i, m := range makers {
			made[i] = m(event)
		}
		return made
	}, nil
}

// compileText prepares a text. One that is one place alone becomes what stands there, a number or null, say; of any
// other the places become texts.
func compileText(key, text string) (maker, error) {
	parts, err := split(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", key, text, err)
	}
	if len(parts) == 1 && parts[0].path != nil && parts[0].most == 0 {
		return func(event any) any { return find(event, parts[0].path) }, nil
	}
	return func(event any) any {
		var made strings.Builder
		for _, p := range parts {
			made.WriteString(p.text)
			if p.path != nil {
				made.WriteString(cut(asText(find(event, p.path)), p.most))
			}
		}
		return made.String()
	}, nil
}

// part is a piece of a text: itself, or a place.
type part struct {
	text string
	path []string
	most int // characters; 0: all
}

var (
	errOpen  = errors.New("a place begins and does not end; write {data.job.client}, or {{ for a brace")
	errClose = errors.New("a place ends and has not begun; write }} for a brace")
	errPath  = errors.New("is no place; write names with dots between them, as in {data.job.client}, or {{ for a brace")
	errMost  = errors.New("wants a number from 1 on behind the colon, of characters: {data.job.client:64}")
)

// split takes a text apart. {{ and }} are braces.
func split(text string) ([]part, error) {
	var parts []part
	var plain strings.Builder
	flush := func() {
		if plain.Len() > 0 {
			parts = append(parts, part{text: plain.String()})
			plain.Reset()
		}
	}
	for text != "" {
		at := strings.IndexAny(text, "{}")
		if at < 0 {
			plain.WriteString(text)
			break
		}
		plain.WriteString(text[:at])
		brace, rest := text[at], text[at+1:]
		switch {
		case rest != "" && rest[0] == brace:
			plain.WriteByte(brace)
			text = rest[1:]
		case brace == '}':
			return nil, errClose
		default:
			place, behind, ended := strings.Cut(rest, "}")
			if !ended {
				return nil, errOpen
			}
			p, err := parsePlace(place)
			if err != nil {
				return nil, fmt.Errorf("{%s} %w", place, err)
			}
			flush()
			parts = append(parts, p)
			text = behind
		}
	}
	flush()
	return parts, nil
}

// parsePlace reads names with dots between them, of which a number is a position in a list, and how many characters are
// wanted at most.
func parsePlace(place string) (part, error) {
	names, most, cuts := strings.Cut(place, ":")
	p := part{path: strings.Split(names, ".")}
	for _, name := range p.path {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool {
			return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		}) {
			return part{}, errPath
		}
	}
	if !cuts {
		return p, nil
	}
	var err error
	if p.most, err = strconv.Atoi(most); err != nil || p.most < 1 {
		return part{}, errMost
	}
	return p, nil
}

// cut keeps so many characters, of which the last then shows that there were more.
func cut(text string, most int) string {
	if most == 0 || len(text) <= most {
		return text
	}
	n, last := 0, 0 // characters, and where the last that may stay begins
	for at := range text {
		if n++; n == most {
			last = at
		}
		if n > most {
			return text[:last] + "…"
		}
	}
	return text
}

// find follows a path. What is not there is null.
func find(value any, path []string) any {
	for _, name := range path {
		switch at := value.(type) {
		case map[string]any:
			value = at[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			value = at[i]
		default:
			return nil
		}
	}
	return value
}

// asText is a value within a text: null is nothing.
func asText(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		return value
	default:
		text, _ := json.Marshal(value)
		return string(text)
	}
}
