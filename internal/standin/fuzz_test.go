package standin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"jobwatch/internal/standin"
)

const planted = "Zyxquellwobb"

func quoted(t *testing.T, text string) string {
	t.Helper()
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func unquoted(t *testing.T, text string) (is string) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &is); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return is
}

// FuzzJSON wants of any JSON the same structure again, without what was planted in each string and name of it.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[[],{"a":[1,-2.5e10,null,true,"x"]},"y"]`, `{"job":{"jobDetail":{"generalInfo":{"jobId":1}}}}`, `{"Müller":{"Zyx":"ä"}}`,
		`"token"`, `{"errorCode":"12345678901234567890"}`, `{"failures":"1 Folders, 2 Files"}`, `[1e9,12345,0.000001,-0]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var original any
		if json.Unmarshal([]byte(text), &original) != nil {
			return
		}
		body, err := json.Marshal(plant(original))
		if err != nil {
			return
		}
		s := standin.New(len(text)%2 == 0)
		got, form := s.Body(body)
		if form == standin.Prose || form == standin.Empty {
			return
		}
		if form != standin.JSON || strings.Contains(strings.ToLower(got), strings.ToLower(planted)) {
			t.Fatalf("%s becomes %s %s", body, form, got)
		}
		var is, was any
		if json.Unmarshal([]byte(got), &is) != nil || json.Unmarshal(body, &was) != nil {
			t.Fatalf("%s becomes %s, which is no JSON", body, got)
		}
		if a, b := outline(was), outline(is); a != b {
			t.Fatalf("%s becomes %s: %s, and then %s", body, got, a, b)
		}
	})
}

// plant puts a name into each string and the name of each member.
func plant(v any) any {
	switch v := v.(type) {
	case map[string]any:
		all := map[string]any{}
		for name, value := range v {
			all[name+planted] = plant(value)
			all[name] = plant(value)
		}
		return all
	case []any:
		for i := range v {
			v[i] = plant(v[i])
		}
		return v
	case string:
		return v + planted
	}
	return v
}

// outline is the structure: what kinds of values stand in what, in no order that names make.
func outline(v any) string {
	switch v := v.(type) {
	case map[string]any:
		counts := map[string]int{}
		for _, value := range v {
			counts[outline(value)]++
		}
		return fmt.Sprint(len(v), counts) // fmt sorts a map
	case []any:
		var b strings.Builder
		for _, value := range v {
			b.WriteString(outline(value) + ";")
		}
		return "[" + b.String() + "]"
	}
	return fmt.Sprintf("%T", v)
}

// FuzzBody wants of anything no more than its form: not what was planted in it, and where it was whole a whole one again.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		"<a b='PLANT'>PLANT<!-- PLANT --><c/></a>", `<?xml version="1.0"?><PLANT:a PLANT="1">&#x41;PLANT</PLANT:a>`, "<!DOCTYPE PLANT><a/>", "<html><title>PLANT",
		`{"PLANT":"PLANT","a":[1,"PLANT`, "PLANT", "\xef\xbb\xbf{\"a\":\"\r\nPLANT\"}", "<a><PLANT></a>", "{PLANT}", "<a>&PLANT;</a>", "\x00PLANT", "<a PLANT=PLANT>",
		`"Job PLANT does not exist"`, "<a><![CDATA[PLANT]]></a>",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		body := strings.ReplaceAll(text, "PLANT", planted)
		got, form := standin.New(false).Body([]byte(body))
		if strings.Contains(strings.ToLower(got), strings.ToLower(planted)) {
			t.Fatalf("%q becomes %s %q", body, form, got)
		}
		if _, again := standin.New(false).Body([]byte(got)); again != form && form != standin.Other {
			t.Fatalf("%q, which is %s, becomes %q, which is %s", body, form, got, again)
		}
	})
}
