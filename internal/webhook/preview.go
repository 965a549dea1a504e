package webhook

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"jobwatch/internal/printable"
	"jobwatch/internal/relay"
)

// Preview says what would be sent. Of secrets it says only that they are there.
func (w *Webhook) Preview(b relay.Batch) (text string, err error) {
	var out strings.Builder
	for i, e := range b.Events {
		m, err := w.message(e)
		if err != nil {
			return "", err
		}
		if i > 0 {
			out.WriteString("\n\n")
		}
		w.preview(&out, m, w.credentials.Load())
	}
	return out.String(), nil
}

func (w *Webhook) preview(out *strings.Builder, m message, c *credentials) {
	fmt.Fprintf(out, "POST %s\n", w.shownURL(c))
	fmt.Fprintf(out, "User-Agent: jobwatch/%s\nContent-Type: %s\nwebhook-id: %s\nwebhook-timestamp: (of the attempt)\n", w.config.Version, m.contentType, m.id)
	if n := len(c.signers); n > 0 {
		fmt.Fprintf(out, "webhook-signature:%s\n", strings.Repeat(" v1,…", n))
	}
	if m.replayed {
		out.WriteString("Jobwatch-Replayed: true\n")
	}
	for _, name := range slices.Sorted(maps.Keys(c.header)) {
		fmt.Fprintf(out, "%s: …\n", name)
	}
	out.WriteString("\n" + printable.Lines(string(m.body)))
}

// shownURL leaves out what a file says after the host.
func (w *Webhook) shownURL(c *credentials) string {
	if w.config.URL != "" {
		return w.config.URL
	}
	return c.url.Scheme + "://" + c.url.Host + "/…"
}
