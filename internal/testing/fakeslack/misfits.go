package fakeslack

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
)

// block is any part of a message.
type block struct {
	Type     string
	Text     json.RawMessage // an object, or of rich text a string
	Fields   []block
	Elements []block
	Emoji    *bool
	URL      string
}

type whole struct {
	Text        string
	Blocks      []block
	Attachments []struct {
		Color  string
		Blocks []block
	}
	Metadata *struct {
		EventType    string         `json:"event_type"`
		EventPayload map[string]any `json:"event_payload"`
	}
}

// Misfits says what of a message Slack would refuse, or would read as markup: its limits, and in the texts that it reads
// as mrkdwn anything but dates and what is escaped.
func Misfits(message []byte) []string {
	var m whole
	if err := json.Unmarshal(message, &m); err != nil {
		return []string{err.Error()}
	}
	f := &finder{}
	f.limit("text", m.Text, 40_000)
	f.mrkdwn("text", m.Text)
	f.blocks("blocks", m.Blocks)
	if len(m.Attachments) > 100 {
		f.say("%d attachments", len(m.Attachments))
	}
	for _, a := range m.Attachments {
		if !regexp.MustCompile(`^#[0-9a-f]{6}$`).MatchString(a.Color) {
			f.say("color is %q", a.Color)
		}
		f.blocks("attachment", a.Blocks)
	}
	if f.words > 12_000 {
		f.say("%d characters in all", f.words)
	}
	if m.Metadata != nil && !regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,254}$`).MatchString(m.Metadata.EventType) {
		f.say("event_type is %q", m.Metadata.EventType)
	}
	return f.said
}

type finder struct {
	said  []string
	words int
}

func (f *finder) say(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *finder) limit(what, text string, most int) {
	if n := len(utf16.Encode([]rune(text))); n > most {
		f.say("%s has %d characters, over %d", what, n, most)
	}
}

func (f *finder) blocks(where string, blocks []block) {
	if len(blocks) > 50 {
		f.say("%s: %d blocks", where, len(blocks))
	}
	for _, b := range blocks {
		what := where + " " + b.Type
		switch b.Type {
		case "section":
			f.section(what, b)
		case "context":
			if len(b.Elements) < 1 || len(b.Elements) > 10 {
				f.say("%s: %d elements", what, len(b.Elements))
			}
			for _, e := range b.Elements {
				f.text(what, e, 2000)
			}
		case "rich_text":
			for _, section := range b.Elements {
				f.rich(what, section)
			}
		default:
			f.say("%s is unknown", what)
		}
	}
}

func (f *finder) section(what string, b block) {
	if b.Text == nil && b.Fields == nil || len(b.Fields) > 10 {
		f.say("%s: no text and %d fields", what, len(b.Fields))
	}
	if b.Text != nil {
		var text block
		if err := json.Unmarshal(b.Text, &text); err != nil {
			f.say("%s: %v", what, err)
		}
		f.text(what, text, 3000)
	}
	for _, field := range b.Fields {
		f.text(what+" field", field, 2000)
	}
}

// text is a text object.
func (f *finder) text(what string, b block, most int) {
	var text string
	if err := json.Unmarshal(b.Text, &text); err != nil || text == "" {
		f.say("%s: no text", what)
	}
	f.limit(what, text, most)
	f.words += len(utf16.Encode([]rune(text)))
	switch b.Type {
	case "plain_text":
		f.visible(what, text)
		if b.Emoji == nil || *b.Emoji {
			f.say("%s: names of emoji are read in %q", what, text)
		}
	case "mrkdwn":
		f.mrkdwn(what, text)
	default:
		f.say("%s: text of type %q", what, b.Type)
	}
}

func (f *finder) rich(what string, section block) {
	if section.Type != "rich_text_section" || len(section.Elements) == 0 {
		f.say("%s: %s of %d", what, section.Type, len(section.Elements))
	}
	for _, e := range section.Elements {
		var text string
		if err := json.Unmarshal(e.Text, &text); err != nil || text == "" {
			f.say("%s: an element without text", what)
		}
		f.visible(what, text)
		f.words += len(utf16.Encode([]rune(text)))
		switch {
		case e.Type == "text" && e.URL == "":
		case e.Type == "link" && strings.HasPrefix(e.URL, "https://cs.example.com/"): // the one that tests configure
		default:
			f.say("%s: element %s %s", what, e.Type, e.URL)
		}
	}
}

var (
	dates  = regexp.MustCompile(`<!date\^\d+\^[{}a-z_ ]+\|[0-9A-Z :-]+>`)
	markup = regexp.MustCompile("[<>*~`@]|&(?:[^algt]|$)|://|(?:^|[^\\pL\\pN])_|_(?:$|[^\\pL\\pN])|:[\\pL\\pN_+'-]+:")
	hidden = regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f-\x{9f}\x{2028}\x{2029}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2066}-\x{2069}]`)
)

// mrkdwn is what Slack reads as markup.
func (f *finder) mrkdwn(what, text string) {
	f.visible(what, text)
	rest := dates.ReplaceAllString(text, "")
	if found := markup.FindString(regexp.MustCompile(`\d:\d\d:\d\d`).ReplaceAllString(rest, "")); found != "" {
		f.say("%s: %q is markup in %q", what, found, text)
	}
}

func (f *finder) visible(what, text string) {
	if found := hidden.FindString(text); found != "" {
		f.say("%s: %q turns or hides in %q", what, found, text)
	}
}
