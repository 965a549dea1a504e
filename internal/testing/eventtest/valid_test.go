package eventtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// recorder takes what a test would print.
type recorder struct{ said string }

func (e *recorder) Helper() {}

func (e *recorder) Errorf(format string, args ...any) { e.said += fmt.Sprintf(format, args...) }

func TestValidTellsWhatIsWrong(t *testing.T) {
	const subject = "jobs.prod.1248.fall%2Eexample%2Ecom.state.completed"
	message := completed(t)
	var e struct{ ID string }
	if err := json.Unmarshal(message, &e); err != nil {
		t.Fatal(err)
	}
	headers := func(id, contentType string) map[string][]string {
		return map[string][]string{"Nats-Msg-Id": {id}, "Content-Type": {contentType}}
	}
	right := headers(e.ID, "application/cloudevents+json")
	for _, row := range []struct {
		subject string
		headers map[string][]string
		message []byte
		want    string
	}{
		{subject, right, message, ""},
		{"", nil, message, ""},
		{subject, right, changed(t, message, "data.severity", "fatal"), "the schema refuses"},
		{subject, right, []byte("hello"), "the schema refuses"},
		{subject, right, changed(t, message, "partitionkey", "prod/1249"), `partitionkey is "prod/1249", not "prod/1248"`},
		{subject, right, changed(t, message, "subject", "jobs/1249"), `subject is "jobs/1249", not "jobs/1248"`},
		{subject, right, changed(t, message, "source", "/commcells/test"), `source is "/commcells/test", not "/commcells/prod"`},
		{subject, right, changed(t, message, "time", "2026-11-23T14:00:01Z"), `time is "2026-11-23T14:00:01Z"`},
		{subject, headers("another", "application/cloudevents+json"), message, `Nats-Msg-Id is "another"`},
		{subject, headers(e.ID, ""), message, `Content-Type is ""`},
		{subject, map[string][]string{}, message, `Nats-Msg-Id is ""`},
		{"jobs.prod.1248.-.state.completed", nil, message, "published under"},
		{"jobs.prod.1248.fall.state.completed", nil, message, "published under"},
		{"jobs.prod.1249.fall%2Eexample%2Ecom.state.completed", nil, message, "published under"},
		{"jobs.prod.1248.fall%2Eexample%2Ecom.state.failed", nil, message, "published under"},
		{"commcells.prod.completed", nil, message, "published under"},
		{"commcells.prod.reachable", nil, ofCommCell(t, "unreachable", ""), "published under"},
	} {
		var e recorder
		Valid(&e, row.subject, row.headers, row.message)
		if row.want == "" && e.said != "" || !strings.Contains(e.said, row.want) {
			t.Errorf("%s: said %q, want %q", row.subject, e.said, row.want)
		}
	}
}
