package commvault

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
)

// tree is an object of an answer, to be written in both formats. A value is a text, a literal, a tree,
// or several.
type tree []member

type member struct {
	name  string
	value any
}

// literal is a number or a boolean, which XML writes like a text.
type literal string

func (t tree) inJSON() string {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range t {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:%s", m.name, valueInJSON(m.value))
	}
	out.WriteByte('}')
	return out.String()
}

func valueInJSON(value any) string {
	switch value := value.(type) {
	case tree:
		return value.inJSON()
	case []tree:
		var all []json.RawMessage
		for _, one := range value {
			all = append(all, json.RawMessage(one.inJSON()))
		}
		return marshaled(all)
	case literal:
		return string(value)
	}
	return marshaled(value)
}

func marshaled(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// inXML writes the tree as an element: texts and literals as attributes, trees as children.
func (t tree) inXML(name string) string {
	var attributes, children bytes.Buffer
	for _, m := range t {
		switch value := m.value.(type) {
		case tree:
			children.WriteString(value.inXML(m.name))
		case []tree:
			for _, one := range value {
				children.WriteString(one.inXML(m.name))
			}
		default:
			fmt.Fprintf(&attributes, ` %s="`, m.name)
			if err := xml.EscapeText(&attributes, fmt.Append(nil, value)); err != nil {
				panic(err)
			}
			attributes.WriteByte('"')
		}
	}
	return fmt.Sprintf("<%s%s>%s</%s>", name, attributes.String(), children.String(), name)
}

// detailsOf is an answer to JobDetails with the sections given.
func detailsOf(sections ...member) tree {
	return tree{{"job", tree{{"jobDetail", tree(sections)}}}}
}
