package slack

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/slack-go/slack"

	"jobwatch/internal/job"
)

// What a text may take, in Slack's characters. Slack's own limits lie above them: 3,000 for a section, 2,000 for a field,
// and about 12,000 for the words of a whole message.
const (
	nameLimit   = 120
	fieldLimit  = 300
	reasonLimit = 2900
	lineLimit   = 300
)

// words makes the CommServe's fit for one line: without what turns, hides or breaks it, and no longer than the limit.
func words[T ~string](text T, limit int) string {
	line := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf) && r != '\u200d': // the joiner of emoji
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(text), "\uFFFD"))
	return clip(strings.TrimSpace(line), limit)
}

// clip cuts at a character, so that the text takes at most limit of Slack's, however Slack counts: in UTF-16, and with
// &, < and > as they are escaped.
func clip(text string, limit int) string {
	size, keep := 0, 0
	for i, r := range text {
		size += widthOf(r)
		if size > limit {
			return strings.TrimSpace(text[:keep]) + "…"
		}
		if size < limit {
			keep = i + len(string(r))
		}
	}
	return text
}

func width(text string) (size int) {
	for _, r := range text {
		size += widthOf(r)
	}
	return size
}

func widthOf(r rune) int {
	switch {
	case r == '&':
		return len("&amp;")
	case r == '<', r == '>':
		return len("&lt;")
	case r > 0xffff:
		return 2
	}
	return 1
}

var (
	lookAlike = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;",
		"*", "∗", "~", "∼", "`", "ˋ", "@", "＠", "://", ":∕∕")
	outerUnderscore = regexp.MustCompile(`(^|[^\pL\pN])_|_($|[^\pL\pN])`)
	emojiName       = regexp.MustCompile(`:([\pL\pN_+'-]+):`)
)

// inert is for the text that Slack shows in notifications, the one place where it reads markup (chat.update has no
// switch for that): what would be markup stands as what looks like it.
func inert(text string) string {
	text = lookAlike.Replace(text)
	for outerUnderscore.MatchString(text) { // those inside of a word mean nothing to Slack
		text = outerUnderscore.ReplaceAllString(text, "$1＿$2")
	}
	for emojiName.MatchString(text) {
		text = emojiName.ReplaceAllString(text, "∶$1∶")
	}
	return text
}

// plainText shows its words as they are: Slack reads no markup in it.
func plainText(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// The elements of rich text show their words as they are, too.

func plain(text string) slack.RichTextSectionElement {
	return slack.NewRichTextSectionTextElement(text, nil)
}

func bold(text string) slack.RichTextSectionElement {
	return slack.NewRichTextSectionTextElement(text, &slack.RichTextSectionTextStyle{Bold: true})
}

// richText leaves out what is empty: Slack refuses it.
func richText(elements ...slack.RichTextSectionElement) slack.Block {
	elements = slices.DeleteFunc(elements, func(e slack.RichTextSectionElement) bool {
		text, is := e.(*slack.RichTextSectionTextElement)
		return is && text.Text == ""
	})
	return slack.NewRichTextBlock("", slack.NewRichTextSection(elements...))
}

// joined leaves out what is empty.
func joined(separator string, parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, separator)
}

func name(text job.Text) string { return words(text, nameLimit) }

// bytesOf is a size as people write it.
func bytesOf(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	size, at := float64(n)/unit, 0
	for ; size >= unit && at < len("KMGTPE")-1; at++ {
		size /= unit
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTPE"[at])
}

// took is a duration as people write it.
func took(d time.Duration) string {
	hours, minutes, seconds := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case hours > 0:
		return fmt.Sprintf("%d h %02d min", hours, minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %02d s", minutes, seconds)
	}
	return fmt.Sprintf("%d s", seconds)
}
