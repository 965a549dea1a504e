package web

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"jobwatch/internal/job"
)

// Each address is in the document, and each of the document is served.
func TestOpenAPIHasEachAddress(t *testing.T) {
	source, err := os.ReadFile("web.go")
	if err != nil {
		t.Fatal(err)
	}
	var served, documented []string
	for _, route := range regexp.MustCompile(`"GET (/api/v1/[^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		served = append(served, route[1])
	}
	for _, e := range endpoints {
		documented = append(documented, e.path)
	}
	slices.Sort(served)
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("served are\n%q, documented\n%q", served, documented)
	}
}

// The document is one of OpenAPI 3.1, by the schema that the OpenAPI Initiative publishes; one that is not is told apart.
func TestOpenAPIDocument(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile("testdata/openapi/schema-2022-10-07.json")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	_, text := w.get("/api/v1/openapi.json")
	valid := func(text string) error {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		w.must(err)
		return schema.Validate(document)
	}
	if err := valid(text); err != nil {
		t.Error(err)
	}
	for _, slip := range []struct{ was, is string }{
		{`"openapi":"3.1.0"`, `"openapi":"3.0.3"`},
		{`"title":"jobwatch",`, ``},
		{`"in":"path"`, `"in":"body"`},
		{`"required":true,`, ``}, // of what is in the path
		{`"paths":`, `"path":`},
		{`"get":`, `"fetch":`},
		{`"scheme":"bearer"`, `"schema":"bearer"`},
		{`"description":"Not Found"`, `"summary":"Not Found"`},
		{`"/api/v1/status"`, `"api/v1/status"`},
	} {
		if !strings.Contains(text, slip.was) || valid(strings.Replace(text, slip.was, slip.is, 1)) == nil {
			t.Errorf("%s in place of %s is let through", slip.is, slip.was)
		}
	}
}

// What is answered is what the document says, with no member more or less.
func TestAnswersAreAsOpenAPISays(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Configuration = func() Configuration { return Configuration{"watcher.yaml", time.Now(), "log: {}"} }
	})
	_, text := w.get("/api/v1/openapi.json")
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	w.must(err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	w.must(compiler.AddResource("openapi.json", document))
	valid := func(schema, body string) error {
		t.Helper()
		s, err := compiler.Compile("openapi.json#/components/schemas/" + schema)
		w.must(err)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		w.must(err)
		return s.Validate(value)
	}
	whole := running(71)
	whole.StartTime, whole.Priority = new(time.Now()), new(int64(3))
	whole.Machines = []job.VM{{Name: "a", Reason: "no space", StartTime: new(time.Now())}, {Name: "b"}}
	w.commServe.is(job.Snapshot{Number: 72, State: "Waiting"})
	w.sees(whole)
	w.sees(ended(71, "Failed", time.Now()))
	w.sent()
	w.until("the stream is shown", func() bool { return w.status().Stream != nil })
	for _, e := range endpoints {
		if e.schema == "" {
			continue
		}
		path := strings.NewReplacer("{commcell}", "prod", "{id}", "71").Replace(e.path)
		code, body, _ := w.ask(http.MethodGet, path, fromPage)
		if err := valid(e.schema, body); code != http.StatusOK || err != nil {
			t.Errorf("%s: %d: %v", path, code, err)
		}
		more := strings.Replace(body, "{", `{"another":1,`, 1)
		if err := valid(e.schema, more); err == nil && e.schema != "document" {
			t.Errorf("%s: a member that is not documented is let through", path)
		}
	}
	for _, path := range []string{"/api/v1/jobs?limit=x", "/api/v1/jobs/prod/99", "/api/v1/table?since=x", "/api/v1/live?from=x", "/api/v1/events?recent=x", "/api/v1/jobs/prod/71/answer"} {
		code, body := w.get(path)
		if err := valid("error", body); code < 400 || err != nil {
			t.Errorf("%s: %d: %v", path, code, err)
		}
	}
	var is struct{ OpenAPI string }
	if err := json.Unmarshal([]byte(text), &is); err != nil || is.OpenAPI != "3.1.0" {
		t.Errorf("it is of %q, %v", is.OpenAPI, err)
	}
}
