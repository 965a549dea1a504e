package dist

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"
)

// schemas are those that Kubernetes publishes of its kinds (swagger.json, that of 1.21 in kustomize), as kubectl takes them:
// a key that is not named is none.
type schemas struct {
	compiler *jsonschema.Compiler
	names    map[string]string // apps/v1 StatefulSet => io.k8s.api.apps.v1.StatefulSet
}

func published(t *testing.T) schemas {
	t.Helper()
	text, err := json.Marshal(openapi.Schema())
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := schemas{jsonschema.NewCompiler(), map[string]string{}}
	for name, definition := range document.(map[string]any)["definitions"].(map[string]any) {
		definition := definition.(map[string]any)
		if definition["properties"] != nil && definition["additionalProperties"] == nil {
			definition["additionalProperties"] = false
		}
		if definition["format"] == "int-or-string" {
			definition["type"] = []any{"integer", "string"}
		}
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		for _, kind := range kinds {
			kind := kind.(map[string]any)
			version := strings.TrimPrefix(kind["group"].(string)+"/"+kind["version"].(string), "/")
			all.names[version+" "+kind["kind"].(string)] = name
		}
	}
	if err := all.compiler.AddResource("kubernetes.json", document); err != nil {
		t.Fatal(err)
	}
	return all
}

func (s schemas) judge(t *testing.T, text []byte) error {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	object, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	keys := object.(map[string]any)
	kind := keys["apiVersion"].(string) + " " + keys["kind"].(string)
	if s.names[kind] == "" {
		t.Fatalf("no schema of %s is published", kind)
	}
	schema, err := s.compiler.Compile("kubernetes.json#/definitions/" + s.names[kind])
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(object)
}

// TestPublishedSchemas: what kubectl apply -k would send is what Kubernetes' published schemas take.
func TestPublishedSchemas(t *testing.T) {
	all := published(t)
	for _, folder := range []string{"one", "cluster"} {
		for _, text := range documents(t, build(t, "../../packaging/kubernetes/"+folder)) {
			if err := all.judge(t, text); err != nil {
				t.Errorf("%s: %v in:\n%s", folder, err, text)
			}
		}
	}
}

// TestPublishedSchemasRefuse what is wrong: else the test above would say nothing.
func TestPublishedSchemasRefuse(t *testing.T) {
	all := published(t)
	text := string(build(t, "../../packaging/kubernetes/cluster"))
	for _, row := range []struct{ what, right, wrong, says string }{
		{"a misspelt key", "replicas: 3", "replica: 3", "'replica' not allowed"},
		{"a misspelt key deep within", "readOnlyRootFilesystem: true", "readonlyRootFilesystem: true", "'readonlyRootFilesystem' not allowed"},
		{"a number in quotes", "replicas: 3", `replicas: "3"`, "got string, want integer"},
		{"a list that is none", "drop:\n            - ALL", "drop: ALL", "got string, want array"},
		{"a key that lacks", "serviceName: watcher", "", "missing property 'serviceName'"},
		{"a port that is no number or name", "targetPort: http", "targetPort: [http]", "got array, want integer or string"},
	} {
		wrong := strings.Replace(text, row.right, row.wrong, 1)
		if wrong == text {
			t.Errorf("%s: %q is in no manifest", row.what, row.right)
		}
		said := ""
		for _, text := range documents(t, []byte(wrong)) {
			if err := all.judge(t, text); err != nil {
				said += err.Error()
			}
		}
		if !strings.Contains(said, row.says) {
			t.Errorf("%s: it says %q, want %q", row.what, said, row.says)
		}
	}
}
