// Package eventtest holds events against the contract, for the tests of all packages that make,
// keep, publish or read them.
package eventtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"jobwatch/internal/event"
)

// T is a *testing.T, *testing.B or *rapid.T.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Valid fails the test if a message is no event of the contract: the schema must accept it, its
// members, subject and headers must agree, and the SDK of CloudEvents must read of it what we read.
// No subject, no headers: it is not published yet, or its reader is not told them.
func Valid(t T, subject string, headers map[string][]string, message []byte) {
	t.Helper()
	key := fmt.Sprint(subject, headers, string(message))
	if _, again := valid.Load(key); again {
		return
	}
	if err := validate(message); err != nil {
		t.Errorf("the schema refuses %s\n%v", message, err)
		return
	}
	wrong := append(disagreements(subject, headers, message), misread(message)...)
	for _, sentence := range wrong {
		t.Errorf("%s in %s", sentence, message)
	}
	if len(wrong) == 0 {
		valid.Store(key, nil)
	}
}

// valid are the messages found so: a test that waits for a stream reads the same ones over and over.
var valid sync.Map

// validate holds a message against the schema, and says in few words what is wrong: of the kinds of
// events only the one counts that its type names.
func validate(message []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(message))
	if err != nil {
		return err
	}
	members, _ := value.(map[string]any)
	kind, _ := members["type"].(string)
	if one := kinds()[kind]; one != nil {
		return one.Validate(value)
	}
	return whole().Validate(value)
}

var whole = sync.OnceValue(func() *jsonschema.Schema { return Compile(text(), "") })

// kinds are the parts of the schema that are for one type of events each.
var kinds = sync.OnceValue(func() map[string]*jsonschema.Schema {
	all := map[string]*jsonschema.Schema{}
	for name, definition := range event.Schema().Defs {
		if p := definition.Properties["type"]; p != nil && strings.HasSuffix(name, "Event") {
			all[(*p.Const).(string)] = Compile(text(), "/$defs/"+name)
		}
	}
	return all
})

func text() []byte {
	text, err := json.Marshal(event.Schema())
	if err != nil {
		panic(err)
	}
	return text
}

// Compile makes a schema ready that is the whole of a document, or lies in it at a JSON pointer. It
// panics on what is no schema. Formats are checked, not only noted.
func Compile(document []byte, pointer string) *jsonschema.Schema {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		panic(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	const name = "urn:jobwatch:test"
	if err := c.AddResource(name, value); err != nil {
		panic(err)
	}
	return c.MustCompile(name + "#" + pointer)
}
