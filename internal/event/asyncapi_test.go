package event_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/event"
	"jobwatch/internal/testing/eventtest"
)

// document is the AsyncAPI document as it is printed.
func document(t *testing.T) (text []byte, whole map[string]any) {
	t.Helper()
	text, err := json.Marshal(event.AsyncAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		t.Fatal(err)
	}
	return text, whole
}

func TestReferencesOfTheDocument(t *testing.T) {
	_, whole := document(t)
	count := 0
	walk(whole, func(name string, value any) {
		if name != "$ref" {
			return
		}
		count++
		if !resolves(whole, value.(string)) {
			t.Errorf("%v leads nowhere", value)
		}
	})
	if count < 40 || resolves(whole, "#/components/schemas/absent") {
		t.Errorf("only %d references, or all resolve", count)
	}
}

func resolves(whole map[string]any, ref string) bool {
	path, ours := strings.CutPrefix(ref, "#/")
	for name := range strings.SplitSeq(path, "/") {
		whole, _ = whole[name].(map[string]any)
	}
	return ours && whole != nil
}

// walk shows each member of a JSON value, and of what lies in it.
func walk(value any, show func(name string, value any)) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			show(name, inner)
			walk(inner, show)
		}
	case []any:
		for _, inner := range v {
			walk(inner, show)
		}
	}
}

// The payload of each message is a schema; that of an event's own message alone accepts it.
func TestPayloadsOfTheDocument(t *testing.T) {
	text, whole := document(t)
	messages := whole["components"].(map[string]any)["messages"].(map[string]any)
	for file, want := range map[string]string{
		"state.json": "state", "vm.json": "failure", "reason.json": "failure",
		"unreachable.json": "commcellUnreachable", "reachable.json": "commcellReachable",
	} {
		golden, err := os.ReadFile("testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var value any
		if err := json.Unmarshal(golden, &value); err != nil {
			t.Fatal(err)
		}
		for name := range messages {
			payload := eventtest.Compile(text, "/components/messages/"+name+"/payload")
			if err := payload.Validate(value); (err == nil) != (name == want) {
				t.Errorf("%s as the message %s: %v", file, name, err)
			}
		}
	}
}

// AsyncAPI's own schemas are those of draft 7.
func TestSchemaKeepsToDraft7(t *testing.T) {
	known := []string{"type", "const", "enum", "oneOf", "not", "properties", "required", "additionalProperties", "items",
		"uniqueItems", "minItems", "minLength", "maxLength", "minimum", "pattern", "format", "title", "description", "$ref"}
	_, whole := document(t)
	var check func(at string, schema any)
	check = func(at string, schema any) {
		members, _ := schema.(map[string]any) // else it is true or false
		for keyword, value := range members {
			if !slices.Contains(known, keyword) {
				t.Errorf("%s has the keyword %s", at, keyword)
			}
			if keyword == "properties" {
				for name, inner := range value.(map[string]any) {
					check(at+"."+name, inner)
				}
			}
			for _, inner := range listed(keyword, value) {
				check(at, inner)
			}
		}
	}
	for name, schema := range whole["components"].(map[string]any)["schemas"].(map[string]any) {
		check(name, schema)
	}
}

// listed are the schemas in a keyword that holds some without names.
func listed(keyword string, value any) []any {
	switch keyword {
	case "oneOf":
		return value.([]any)
	case "not", "items":
		return []any{value}
	}
	return nil
}

func TestChannelsOfTheDocument(t *testing.T) {
	for subject, want := range map[string]string{
		"jobs.prod.1248.fall%2Eexample%2Ecom.state.completed": "jobs",
		"jobs.de-1_b.1.-.phase.archive_index":                 "jobs",
		"jobs.prod.1248.-.watch.lost":                         "jobs",
		"commcells.prod.unreachable":                          "commcells",
		"commcells.prod.reachable":                            "commcells",
		"commcells.prod.down":                                 "",
		"jobs.prod.1248.-.status.completed":                   "",
		"jobs.prod.1248.-.state":                              "",
		"jobs.prod.reachable":                                 "",
	} {
		if got := channelOf(subject); got != want {
			t.Errorf("%s is of the channel %q, want %q", subject, got, want)
		}
	}
}

// channelOf is the channel whose address, with its parameters' enumerations, a subject has.
func channelOf(subject string) string {
	for name, channel := range event.AsyncAPI().Channels {
		address := strings.ReplaceAll(channel.Address, ".", `\.`)
		pattern := regexp.MustCompile(`\{\w+\}`).ReplaceAllStringFunc(address, func(parameter string) string {
			enum := channel.Parameters[strings.Trim(parameter, "{}")].Enum
			if len(enum) == 0 {
				return `[^.]+`
			}
			return "(" + strings.Join(enum, "|") + ")"
		})
		if regexp.MustCompile("^" + pattern + "$").MatchString(subject) {
			return name
		}
	}
	return ""
}

// Each parameter stands in its channel's address, and each of an address is described.
func TestParametersOfTheDocument(t *testing.T) {
	for name, channel := range event.AsyncAPI().Channels {
		var inAddress []string
		for _, m := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(channel.Address, -1) {
			inAddress = append(inAddress, m[1])
		}
		if len(inAddress) != len(channel.Parameters) {
			t.Errorf("%s has %d parameters, its address %q", name, len(channel.Parameters), inAddress)
		}
		for _, parameter := range inAddress {
			if channel.Parameters[parameter].Description == "" {
				t.Errorf("%s does not describe %s", name, parameter)
			}
		}
	}
}
