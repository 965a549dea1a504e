package contract_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// edit changes a schema or document at a path of names.
type edit func(whole object)

func at(path string) (parents, last string) {
	i := strings.LastIndex(path, "/")
	return path[:max(i, 0)], path[i+1:]
}

func find(whole object, path string) object {
	for name := range strings.SplitSeq(path, "/") {
		if name != "" {
			whole = whole[name].(object)
		}
	}
	return whole
}

func set(path string, value any) edit {
	parents, last := at(path)
	return func(whole object) { find(whole, parents)[last] = value }
}

func remove(path string) edit {
	parents, last := at(path)
	return func(whole object) { delete(find(whole, parents), last) }
}

func rename(path, to string) edit {
	parents, last := at(path)
	return func(whole object) {
		members := find(whole, parents)
		members[to] = members[last]
		delete(members, last)
	}
}

func add(path string, value any) edit {
	parents, last := at(path)
	return func(whole object) {
		members := find(whole, parents)
		members[last] = append(slices.Clone(toList(members[last])), value)
	}
}

func takeOut(path string, value any) edit {
	parents, last := at(path)
	return func(whole object) {
		members := find(whole, parents)
		members[last] = without(toList(members[last]), []any{value})
	}
}

const (
	ofJob    = "$defs/job/properties/"
	ofChange = "$defs/stateChange/properties/"
)

func TestChangesOfTheSchema(t *testing.T) {
	for _, row := range []struct {
		edit   edit
		want   string
		breaks bool
	}{
		{set(ofJob+"new", object{"type": "string"}), "job.new is new", false},
		{set("$defs/new", object{"type": "string"}), "new is new", false},
		{set(ofJob+"phase/description", "another"), "the description of job.phase is another", false},
		{set("title", "another"), "the title of event is another", false},
		{set(ofJob+"phase/type", "string"), "job.phase was string or null and is only string now", false},
		{set(ofJob+"percentComplete/type", []any{"null", "integer"}), "job.percentComplete was null or number and is only null or integer now", false},
		{add("$defs/stateData/required", "truncated"), "stateData.truncated is never missing now", false},
		{set(ofJob+"attempt/minimum", 1.0), "job.attempt is held to the minimum 1 now", false},
		{add("oneOf", object{"$ref": "#/$defs/newEvent"}), "event can now be newEvent too", false},
		{add("$defs/failureEvent/properties/data/oneOf", object{"$ref": "#/$defs/newData"}), "failureEvent.data can now be newData too", false},
		{add("$defs/truncated/items/enum", "new"), "truncated[] can now be new", false},

		{remove(ofJob + "phase/description"), "the description of job.phase is another", false},
		{remove(ofJob + "phase"), "job.phase is gone", true},
		{rename(ofJob+"phase", "step"), "job.phase is gone", true},
		{remove("$defs/watchLostChange"), "watchLostChange is gone", true},
		{set(ofChange+"to/type", []any{"string", "null"}), "stateChange.to was string and may be null now", true},
		{set(ofJob+"attempt/type", []any{"null", "string"}), "job.attempt was null or integer and may be string now", true},
		{set(ofJob+"attempt/type", []any{"null", "number"}), "job.attempt was null or integer and may be number now", true},
		{remove(ofJob + "attempt/type"), "job.attempt is no longer held to the type [null integer]", true},
		{takeOut("$defs/job/required", "phase"), "job.phase may be missing now", true},
		{takeOut("oneOf", object{"$ref": "#/$defs/watchEvent"}), "event can no longer be watchEvent", true},
		{takeOut("$defs/stateData/properties/severity/enum", "error"), "stateData.severity can no longer be error", true},
		{add("$defs/stateData/properties/severity/enum", "fatal"), "stateData.severity can now be fatal", true},
		{remove("$defs/stateData/properties/severity/enum"), "stateData.severity is no longer held to the enum [info warning error]", true},
		{set(ofJob+"endTime/format", "date"), "the format of job.endTime was date-time and is date", true},
		{remove(ofJob + "endTime/format"), "job.endTime is no longer held to the format date-time", true},
		{set("$defs/stateEvent/properties/sequence/pattern", "^[0-9]+$"), "the pattern of stateEvent.sequence was ^[0-9]{20}$ and is ^[0-9]+$", true},
		{set(ofChange+"kind/const", "status"), "the const of stateChange.kind was state and is status", true},
		{set("$defs/stateData/properties/job/$ref", "#/$defs/stateChange"), "the $ref of stateData.job was #/$defs/job and is #/$defs/stateChange", true},
		{set("$defs/job/additionalProperties", true), "the additionalProperties of job was false and is true", true},
		{set("$defs/job/propertyNames", object{}), "job has the propertyNames map[] now", true},
	} {
		check(t, kept(t, "event.schema.json"), row.edit, row.want, row.breaks)
	}
}

func TestChangesOfTheDocument(t *testing.T) {
	for _, row := range []struct {
		edit   edit
		want   string
		breaks bool
	}{
		{set("components/schemas/job/properties/new", object{"type": "string"}), "job.new is new", false},
		{set("channels/new", object{"address": "new"}), "channels.new is new", false},
		{set("channels/jobs/description", "another"), "channels.jobs.description is another", false},
		{set("info/version", "1.1.0"), "info.version is another", false},
		{add("channels/jobs/parameters/kind/enum", "new"), "channels.jobs.parameters.kind.enum has new too", false},
		{add("operations/tellJob/messages", object{"$ref": "#/channels/jobs/messages/new"}), "operations.tellJob.messages has new too", false},

		{remove("components/schemas/job/properties/phase"), "job.phase is gone", true},
		{remove("channels/commcells"), "channels.commcells is gone", true},
		{set("channels/jobs/address", "jobs.{commcell}.{client}.{jobId}.{kind}.{detail}"), "channels.jobs.address was jobs.{commcell}.{jobId}.", true},
		{remove("channels/jobs/parameters/client"), "channels.jobs.parameters.client is gone", true},
		{takeOut("channels/jobs/parameters/kind/enum", "watch"), "channels.jobs.parameters.kind.enum lacks watch", true},
		{remove("channels/jobs/messages/failure"), "channels.jobs.messages.failure is gone", true},
		{takeOut("operations/tellJob/messages", object{"$ref": "#/channels/jobs/messages/watch"}), "operations.tellJob.messages lacks watch", true},
		{set("components/messages/state/contentType", "application/json"), "components.messages.state.contentType was application/cloudevents+json and is application/json", true},
	} {
		check(t, kept(t, "asyncapi.json"), row.edit, row.want, row.breaks)
	}
}

func kept(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func check(t *testing.T, kept []byte, change edit, want string, breaks bool) {
	t.Helper()
	var whole object
	if err := json.Unmarshal(kept, &whole); err != nil {
		t.Fatal(err)
	}
	change(whole)
	got := compare(kept, printed(t, whole))
	if !slices.ContainsFunc(got, func(f finding) bool { return strings.HasPrefix(f.text, want) && f.breaks == breaks }) {
		t.Errorf("got %v, want %q, breaks %t", got, want, breaks)
	}
	if !breaks && slices.ContainsFunc(got, func(f finding) bool { return f.breaks }) {
		t.Errorf("%s: got %v, which breaks", want, got)
	}
}

func TestSentences(t *testing.T) {
	fits, breaks := finding{"job.new is new", false}, finding{"job.phase is gone", true}
	for _, row := range []struct {
		findings []finding
		want     string
	}{
		{[]finding{fits}, "contract/event.schema.json: job.new is new: compatible; " +
			"keep it with: go run ./cmd/watcher contract jsonschema > contract/event.schema.json"},
		{[]finding{fits, breaks}, "contract/event.schema.json: job.phase is gone: that breaks subscribers; " +
			"take it back, or send it as another version (v2) besides"},
		{nil, "contract/event.schema.json: says the same otherwise: compatible; " +
			"keep it with: go run ./cmd/watcher contract jsonschema > contract/event.schema.json"},
	} {
		if got := sentences("jsonschema", "event.schema.json", row.findings); len(got) != 1 || got[0] != row.want {
			t.Errorf("got  %q\nwant %q", got, row.want)
		}
	}
}

// The file is kept to the byte: a compatible change too has to be looked at once.
func TestUnkept(t *testing.T) {
	same := kept(t, "event.schema.json")
	if got := unkept("jsonschema", "event.schema.json", same); got != nil {
		t.Errorf("of the same: %q", got)
	}
	if got := unkept("jsonschema", "event.schema.json", append(same, '\n')); len(got) != 1 || !strings.Contains(got[0], "says the same otherwise") {
		t.Errorf("of another form: %q", got)
	}
	if got := unkept("jsonschema", "absent.json", same); len(got) != 1 || !strings.Contains(got[0], "absent.json") {
		t.Errorf("of none: %q", got)
	}
}
