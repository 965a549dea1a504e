package email

import (
	"fmt"
	"html"
	"strings"

	"jobwatch/internal/job"
)

// plain is the letter as plain text. Each line begins with words of ours.
func (l letter) plain() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", l.headline)
	if len(l.facts) > 0 {
		text.WriteString("\n")
	}
	for _, f := range l.facts {
		fmt.Fprintf(&text, "%-10s %s\n", f.name+":", f.value)
	}
	if len(l.jobs) > 0 {
		text.WriteString("\n")
	}
	for _, r := range l.jobs {
		fmt.Fprintf(&text, "* %s: %s\n", r.name, r.headline)
		if r.reason != "" {
			fmt.Fprintf(&text, "  Reason: %s\n", r.reason)
		}
	}
	if len(l.happened) > 0 {
		text.WriteString("\nWhat was seen:\n")
	}
	for _, h := range l.happened {
		fmt.Fprintf(&text, "  %s  %s\n", h.at, h.what)
	}
	fmt.Fprintf(&text, "\n-- \n%s\n", l.footer)
	return text.String()
}

// colors are those of the bar beside the headline, which says in words what they mean.
var colors = map[job.Class]string{
	job.Succeeded: "#2e7d32", job.Partial: "#b26a00", job.Killed: "#b26a00", job.Unknown: "#b26a00", job.Failed: "#b71c1c",
}

const grey = "#607d8b"

func color(class job.Class) string {
	if c, ok := colors[class]; ok {
		return c
	}
	return grey
}

// page is an HTML page in the making: text is what it says, the rest is ours.
type page struct{ strings.Builder }

func (p *page) text(s string) { p.WriteString(escape(s)) }

// row is one of a table; the style is that of its first cell.
func (p *page) row(style string, cells ...string) {
	p.WriteString("<tr>")
	for _, cell := range cells {
		fmt.Fprintf(p, `<td style="padding:2px 12px 2px 0;vertical-align:top%s">`, style)
		p.text(cell)
		p.WriteString("</td>")
		style = ""
	}
	p.WriteString("</tr>\n")
}

// escape makes a text HTML that shows it, and in which no mail reader finds an address to link to.
func escape(s string) string {
	var out strings.Builder
	for _, r := range s {
		switch r {
		case '.', '@', ':', '/':
			fmt.Fprintf(&out, "<span>%c</span>", r)
		default:
			out.WriteString(html.EscapeString(string(r)))
		}
	}
	return out.String()
}

// html is the letter as HTML, without a picture, a link or a style sheet.
func (l letter) html() string {
	var p page
	p.WriteString("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\"></head>\n" +
		"<body style=\"font-family:sans-serif;font-size:14px\">\n")
	fmt.Fprintf(&p, "<p style=\"font-size:17px;font-weight:bold;border-left:6px solid %s;padding:6px 12px\">", color(l.class))
	p.text(l.headline)
	p.WriteString("</p>\n")
	if len(l.facts)+len(l.jobs) > 0 {
		p.WriteString("<table role=\"presentation\" cellspacing=\"0\">\n")
		for _, f := range l.facts {
			p.row(";color:"+grey, f.name, f.value)
		}
		for _, r := range l.jobs {
			p.row(";border-left:6px solid "+color(r.class)+";padding-left:8px", r.name, r.headline, r.reason)
		}
		p.WriteString("</table>\n")
	}
	if len(l.happened) > 0 {
		p.WriteString("<p><b>What was seen</b></p>\n<table role=\"presentation\" cellspacing=\"0\">\n")
		for _, h := range l.happened {
			p.row(";white-space:nowrap;color:"+grey, h.at, h.what)
		}
		p.WriteString("</table>\n")
	}
	fmt.Fprintf(&p, "<p style=\"font-size:12px;color:%s\">", grey)
	p.text(l.footer)
	p.WriteString("</p>\n</body></html>\n")
	return p.String()
}
