// Package contract_test holds what the program sends against the contract that is kept in this
// folder, so that a change of the contract is seen by whoever makes it.
package contract_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"jobwatch/internal/event"
)

func TestSchemaIsKept(t *testing.T) {
	for _, wrong := range unkept("jsonschema", "event.schema.json", printed(t, event.Schema())) {
		t.Error(wrong)
	}
}

func TestAsyncAPIIsKept(t *testing.T) {
	for _, wrong := range unkept("asyncapi", "asyncapi.json", printed(t, event.AsyncAPI())) {
		t.Error(wrong)
	}
}

// printed is a document as the command prints it.
func printed(t *testing.T, document any) []byte {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// unkept says in what a kept file is not what the command prints.
func unkept(command, file string, now []byte) []string {
	kept, err := os.ReadFile(file)
	if err != nil {
		return []string{err.Error()}
	}
	if bytes.Equal(kept, now) {
		return nil
	}
	return sentences(command, file, compare(kept, now))
}

// compare gives the findings between two documents, schemas or AsyncAPI.
func compare(kept, now []byte) []finding {
	var was, is object
	if err := json.Unmarshal(kept, &was); err != nil {
		return []finding{{"the kept file cannot be read: " + err.Error(), true}}
	}
	if err := json.Unmarshal(now, &is); err != nil {
		return []finding{{"what is printed cannot be read: " + err.Error(), true}}
	}
	var c comparison
	if was["asyncapi"] != nil {
		c.parts("", was, is)
	} else {
		c.schema("event", was, is)
	}
	return c.findings
}

// sentences say what breaks; where nothing does, how the new contract is kept.
func sentences(command, file string, findings []finding) []string {
	var broken, fitting []string
	for _, f := range findings {
		if f.breaks {
			broken = append(broken, fmt.Sprintf(
				"contract/%s: %s: that breaks subscribers; take it back, or send it as another version (v2) besides", file, f.text))
		} else {
			fitting = append(fitting, f.text)
		}
	}
	if len(broken) > 0 {
		return broken
	}
	what := strings.Join(fitting, "; ")
	if what == "" {
		what = "says the same otherwise"
	}
	return []string{fmt.Sprintf("contract/%s: %s: compatible; keep it with: go run ./cmd/watcher contract %s > contract/%s",
		file, what, command, file)}
}
