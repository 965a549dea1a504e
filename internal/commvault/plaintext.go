package commvault

import (
	"strings"

	"golang.org/x/net/html"
)

// plainText takes the HTML out of words, and puts them into one line.
func plainText(words string) string {
	if strings.ContainsAny(words, "<&") {
		words = withoutTags(words)
	}
	return strings.Join(strings.Fields(words), " ")
}

func withoutTags(words string) string {
	var text strings.Builder
	hidden := "" // the element whose text nobody is meant to read
	for tokens := html.NewTokenizer(strings.NewReader(words)); ; {
		switch kind := tokens.Next(); kind {
		case html.ErrorToken:
			return text.String()
		case html.TextToken:
			if hidden == "" {
				text.WriteString(html.UnescapeString(string(tokens.Raw())))
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := tokens.TagName()
			hidden = hiddenBy(string(name), kind, hidden)
			text.WriteString(between(string(name)))
		}
	}
}

func hiddenBy(name string, kind html.TokenType, hidden string) string {
	switch {
	case hidden == "" && kind == html.StartTagToken && (name == "script" || name == "style"):
		return name
	case kind == html.EndTagToken && name == hidden:
		return ""
	}
	return hidden
}

// between is what stands in a text where a tag was: nothing for one that only says how words look.
func between(name string) string {
	switch name {
	case "a", "b", "em", "font", "i", "span", "strong", "u":
		return ""
	}
	return " "
}
