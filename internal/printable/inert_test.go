package printable

import "testing"

func TestInert(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a=b": "a=b", "=1": "'=1", "+1": "'+1", "-1": "'-1", "@x": "'@x", " =1": "' =1", "\t=1": "'\t=1", "\r": "'\r",
		"\u00a0=1": "'\u00a0=1", "＝1": "'＝1", "日本": "日本", "\xff": "\ufffd", "%x": "'%x",
	} {
		if got := Inert(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
