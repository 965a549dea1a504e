package job

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTextWithoutWordsIsNull(t *testing.T) {
	for text, want := range map[Text]string{"": "null", "Running": `"Running"`, "null": `"null"`, `a"b`: `"a\"b"`} {
		encoded, err := json.Marshal(text)
		if err != nil || string(encoded) != want {
			t.Errorf("%q is %s in JSON (%v), want %s", text, encoded, err, want)
		}
		back := Text("something before")
		if err := json.Unmarshal(encoded, &back); err != nil || back != text {
			t.Errorf("%s reads as %q (%v), want %q", encoded, back, err, text)
		}
	}
	var text Text
	if err := json.Unmarshal([]byte("7"), &text); err == nil {
		t.Errorf("7 reads as %q, want an error", text)
	}
}

func TestClip(t *testing.T) {
	for _, row := range []struct {
		text  string
		limit int
		want  Text
		cut   bool
	}{
		{"", 10, "", false},
		{"0123456789", 10, "0123456789", false},
		{"0123456789a", 10, "0123456…", true},
		{"ääääää", 10, "äää…", true},        // 3 bytes are the ellipsis's
		{"012345ä789", 10, "012345…", true}, // never half a character
		{"𝄞𝄞𝄞", 12, "𝄞𝄞𝄞", false},
		{"𝄞𝄞𝄞", 11, "𝄞𝄞…", true},
		{"a\xffb", 10, "a\uFFFDb", false},
		{"fall\xc3", 10, "fall\uFFFD", false}, // cut short by someone else
		{"\x01\x02", 12, "\x01\x02", false},   // six bytes each in JSON
		{"\x01\x02a", 12, "\x01…", true},
		{"<<", 11, "<…", true},
		{`""""`, 8, `""""`, false},
		{`""""a`, 8, `""…`, true},
	} {
		got, cut := Clip(row.text, row.limit)
		if got != row.want || cut != row.cut {
			t.Errorf("Clip(%q, %d) = %q, %t; want %q, %t", row.text, row.limit, got, cut, row.want, row.cut)
		}
	}
}

// Whatever the text: its JSON keeps the limit, it is whole characters, and only a cut one differs.
func TestClipKeepsTheLimit(t *testing.T) {
	ugly := rapid.SampledFrom([]string{
		"a", "ä", "完", "𝄞", "\x00", "\n", "\x7f", "<", ">", "&", `"`, `\`, "\u2028", "\u0085", "\xff", "\xe2\x82", "\uFFFD",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(ugly, 0, 60).Draw(t, "text"), "")
		limit := rapid.IntRange(len(ellipsis), 120).Draw(t, "limit")
		got, cut := Clip(text, limit)
		encoded, err := json.Marshal(string(got))
		if size := len(encoded) - len(`""`); err != nil || size > limit {
			t.Fatalf("%q takes %d bytes (%v), want %d at most", got, size, err, limit)
		}
		if !utf8.ValidString(string(got)) {
			t.Fatalf("%q is broken", got)
		}
		whole := string([]rune(text))
		if head, found := strings.CutSuffix(string(got), ellipsis); cut && (!found || !strings.HasPrefix(whole, head)) {
			t.Fatalf("%q is no beginning of %q", got, whole)
		}
		if !cut && string(got) != whole {
			t.Fatalf("%q was changed to %q", text, got)
		}
	})
}

// Every text of a snapshot and of a change is cut, those too that are not thought of yet.
func TestCut(t *testing.T) {
	long := strings.Repeat("a", 2*ReasonLimit)
	var s Snapshot
	var c Change
	for _, fields := range []reflect.Value{reflect.ValueOf(&s).Elem(), reflect.ValueOf(&c).Elem()} {
		for i := range fields.NumField() {
			if fields.Field(i).Kind() == reflect.String {
				fields.Field(i).SetString(long)
			}
		}
	}
	s.CommCell, c.Kind, c.Detail = "prod", KindFailure, DetailVM // no texts of a CommServe's
	s.Cut()
	c.Cut()
	for name, fields := range map[string]reflect.Value{"Snapshot": reflect.ValueOf(s), "Change": reflect.ValueOf(c)} {
		for i := range fields.NumField() {
			field, limit := fields.Type().Field(i).Name, NameLimit
			if field == "Reason" || field == "From" || field == "To" {
				limit = ReasonLimit
			}
			if size := fields.Field(i); size.Kind() == reflect.String && size.Len() > limit {
				t.Errorf("%s.%s has %d bytes, want at most %d", name, field, size.Len(), limit)
			}
		}
	}
}
