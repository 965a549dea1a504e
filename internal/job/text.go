package job

import (
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is the CommServe's own words; "" is what it did not say, null in JSON.
type Text string

// MarshalJSON writes "" as null.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// UnmarshalJSON reads null as "".
func (t *Text) UnmarshalJSON(data []byte) error {
	if isPlain(data) {
		*t = Text(data[1 : len(data)-1])
		return nil
	}
	var text *string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	*t = ""
	if text != nil {
		*t = Text(*text)
	}
	return nil
}

// isPlain says whether the value is a string without anything that its quoting changes, as nearly all are.
func isPlain(data []byte) bool {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return false
	}
	for _, c := range data[1 : len(data)-1] {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// WithoutNumbers leaves the digits out: "12 of 40 streams" counts on, and says the same.
func (t Text) WithoutNumbers() Text {
	return Text(strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, string(t)))
}

// The most bytes a text may take in JSON, so that an event stays under 64 KiB: about 20 names,
// and a reason up to three times (from, to, and in the job).
const (
	NameLimit   = 1 << 10
	ReasonLimit = 8 << 10
)

const ellipsis = "…"

// Clip cuts a text so that it takes at most limit bytes in JSON; a cut one ends in "…".
// A broken byte becomes U+FFFD.
func Clip(text string, limit int) (clipped Text, cut bool) {
	if !utf8.ValidString(text) {
		text = string([]rune(text)) // each broken byte becomes U+FFFD
	}
	size, keep := 0, 0
	for i, r := range text {
		size += jsonSize(r)
		if size > limit {
			return Text(text[:keep] + ellipsis), true
		}
		if size <= limit-len(ellipsis) {
			keep = i + utf8.RuneLen(r)
		}
	}
	return Text(text), false
}

// jsonSize is the most bytes that a character takes in a JSON string.
func jsonSize(r rune) int {
	switch {
	case r < ' ', r == '<', r == '>', r == '&', r == '\u2028', r == '\u2029', r == 0x7f:
		return len(`\u0000`)
	case r == '"', r == '\\':
		return 2
	}
	return utf8.RuneLen(r)
}

// Cut cuts the texts of another writer's change to what those of ours may take.
func (c *Change) Cut() {
	cut(&c.From, ReasonLimit)
	cut(&c.To, ReasonLimit)
	cut(&c.Code, NameLimit)
	cut((*Text)(&c.VM), NameLimit)
	cut((*Text)(&c.VMGUID), NameLimit)
}

// Cut cuts the texts of another writer's snapshot to what those of ours may take.
func (s *Snapshot) Cut() {
	cut(&s.Reason, ReasonLimit)
	for _, name := range []*Text{
		&s.State, &s.StateClass, &s.Phase, &s.Client, &s.DestinationClient, &s.Agent, &s.Instance, &s.Backupset, &s.Subclient,
		&s.StoragePolicy, &s.MediaAgent, &s.Operation, &s.BackupLevel, &s.StartedBy, &s.StartedFrom, &s.SystemState,
		&s.SoftwareCompression, &s.Failures, &s.ReasonCode,
	} {
		cut(name, NameLimit)
	}
}

func cut(text *Text, limit int) { *text, _ = Clip(string(*text), limit) }
