package webhook

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestBody(t *testing.T) {
	for _, row := range []struct {
		body any
		want string
	}{
		{"{data.job.client}: {data.change.to}", `"skma_2: Completed"`},
		{"{data.job.id}", `1248`},
		{"job {data.job.id}", `"job 1248"`},
		{"{data.job.phase}", `null`},
		{"phase {data.job.phase}.", `"phase ."`},
		{"{data.job.terminal}", `true`},
		{"ended: {data.job.terminal}", `"ended: true"`},
		{"{data.job.nothing.there}", `null`},
		{"[{data.job.nothing.there}]", `"[]"`},
		{"{data.job.client.first}", `null`},
		{"{id} at {time}", `"q7m2xk3vb9t4hs6c-000000000003 at 2026-11-23T14:00:00.123Z"`},
		{"{data.job.sizeOfApplication}", `18446744073709551615`}, // as the event writes it, no float64
		{"size {data.job.sizeOfApplication}", `"size 18446744073709551615"`},
		{"{data.change}", `{"detail":"completed","from":"Running","kind":"state","notBefore":"2026-11-23T13:59:30.118Z","observedAt":"2026-11-23T14:00:00.123Z","to":"Completed"}`},
		{"{data.job.client:4} {data.job.client:6} {data.job.client:99}", `"skm… skma_2 skma_2"`},
		{"{data.job.id:9}", `"1248"`}, // cut or not, it is a text
		{"{data.job.phase:9}", `""`},
		{"{data.umlauts:3}{data.umlauts:4}{data.umlauts:1}", `"äö…äöüß…"`},
		{"{{data.job.id}}", `"{data.job.id}"`},
		{"{{{data.job.id}}}", `"{1248}"`},
		{"}}{{", `"}{"`},
		{"", `""`},
		{"no place", `"no place"`},
		{map[string]any{"a": []any{"{data.job.id}", true, nil, 1, int64(-2), uint64(3), 1.5, "x"}, "{id}": map[string]any{}},
			`{"a":[1248,true,null,1,-2,3,1.5,"x"],"{id}":{}}`},
		{[]any{}, `[]`},
		{42, `42`},
	} {
		made, err := newTemplate(row.body)
		if err != nil {
			t.Errorf("%v: %v", row.body, err)
			continue
		}
		got, err := made.fill([]byte(strings.Replace(completed, `"data":{`, `"data":{"umlauts":"äöüß",`, 1)))
		if string(got) != row.want || err != nil {
			t.Errorf("%v:\n got %s %v\nwant %s", row.body, got, err, row.want)
		}
	}
}

func TestBodyFindsItsWayInLists(t *testing.T) {
	made, err := newTemplate("{data.log.1.text} {data.log.2.text}{data.log.-1}{data.log.x}")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := made.fill([]byte(`{"data":{"log":[{"text":"a"},{"text":"b"}]}}`)); string(got) != `"b "` {
		t.Errorf("got %s", got)
	}
}

func TestWrongBodies(t *testing.T) {
	for _, row := range []struct {
		body any
		want string
	}{
		{"{data.job", `webhook.body: "{data.job": a place begins and does not end; write {data.job.client}, or {{ for a brace`},
		{"{", `webhook.body: "{": a place begins and does not end; write {data.job.client}, or {{ for a brace`},
		{"a}", `webhook.body: "a}": a place ends and has not begun; write }} for a brace`},
		{"{}", `webhook.body: "{}": {} is no place; write names with dots between them, as in {data.job.client}, or {{ for a brace`},
		{"{data..job}", `webhook.body: "{data..job}": {data..job} is no place; write names with dots between them, as in {data.job.client}, or {{ for a brace`},
		{"{id:0}", `webhook.body: "{id:0}": {id:0} wants a number from 1 on behind the colon, of characters: {data.job.client:64}`},
		{"{id:}", `webhook.body: "{id:}": {id:} wants a number from 1 on behind the colon, of characters: {data.job.client:64}`},
		{"{id:x}", `webhook.body: "{id:x}": {id:x} wants a number from 1 on behind the colon, of characters: {data.job.client:64}`},
		{"{ id }", `webhook.body: "{ id }": { id } is no place; write names with dots between them, as in {data.job.client}, or {{ for a brace`},
		{map[string]any{"a": []any{"ok", map[string]any{"b": "{x|y}"}}}, `webhook.body.a[1].b: "{x|y}": {x|y} is no place; write names with dots between them, as in {data.job.client}, or {{ for a brace`},
		{[]any{math.Inf(1)}, `webhook.body[0]: +Inf is no number of JSON`},
		{[]any{math.NaN()}, `webhook.body[0]: NaN is no number of JSON`},
		{map[any]any{1: 2}, `webhook.body: map[interface {}]interface {} is nothing that JSON has; write a text, a number, a list or a mapping with texts as its keys`},
	} {
		err := Config{URL: "https://h", Body: row.body}.Validate()
		if err == nil || err.Error() != row.want {
			t.Errorf("%v:\n got %v\nwant %s", row.body, err, row.want)
		}
	}
}

func TestAnEventThatIsNone(t *testing.T) {
	w := newWebhook(t, Config{URL: "https://h", Body: "{id}"})
	if _, err := w.Preview(batchOf(eventOf("not JSON"))); kindOf(err) != 2 || !strings.Contains(err.Error(), "no body can be made of it: it is no JSON") {
		t.Error(err)
	}
}

// FuzzBody puts any text where a name stands: the body's shape stays the same, and the text is in it as it was.
func FuzzBody(f *testing.F) {
	for _, hostile := range hostileTexts {
		f.Add(hostile)
	}
	made, err := newTemplate(map[string]any{"text": "<{data.job.client}>", "alone": "{data.job.client}", "list": []any{"{data.job.client}", 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name string) {
		name = strings.ToValidUTF8(name, "?")
		e, err := json.Marshal(map[string]any{"data": map[string]any{"job": map[string]any{"client": name}}})
		if err != nil {
			t.Fatal(err)
		}
		body, err := made.fill(e)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"text": "<" + name + ">", "alone": name, "list": []any{name, 1.0}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %s", body)
		}
	})
}

// hostileTexts are what a client may be called.
var hostileTexts = []string{
	`","admin":true,"x":"`, `\`, `"`, `\u0022`, "{id}", "{{id}}", "${HOME}", "<!channel>", "<script>alert(1)</script>", "[link](https://evil.example)",
	"@everyone", "<at>all</at>", "a\r\nBcc: all@example.com", "a\x00b\x1b[2J", "\u202egpj.exe", "\u2028\u2029", "=cmd|' /C calc'!A0", "$(reboot)", "`reboot`", strings.Repeat("ü", 3000),
}
