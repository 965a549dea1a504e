package lives

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"jobwatch/internal/store"
	"jobwatch/internal/store/storetest"
)

var ackedAt = regexp.MustCompile(`"ackAt":[0-9]+`)

// state is all that what comes can depend on; ids in the order of their appearance, times left out. Which watcher is
// which makes no difference.
func (w *world) state() string {
	var common strings.Builder
	fmt.Fprintf(&common, "%d observed, %d faults left\n%s\n", w.small.observed, w.small.faults, w.streamText())
	for _, m := range w.forgotten {
		fmt.Fprintf(&common, "forgotten %s\n", m.ID)
	}
	a, b := w.stateOf(w.watchers[0]), w.stateOf(w.watchers[1])
	if w.shared() {
		return renamed(common.String() + w.clusterText() + a + b)
	}
	return min(renamed(common.String()+a+b), renamed(common.String()+b+a))
}

func (w *world) stateOf(x *watcher) string {
	var text strings.Builder
	for _, c := range w.gate.calls() {
		if c.process.watcher == x {
			fmt.Fprintf(&text, "%s %s %d %d\n", c.what, c.message.ID, c.message.ExpectLast, c.lapses)
		}
	}
	p := x.process
	if p == nil {
		return "down\n" + content(x.left)
	}
	fmt.Fprintf(&text, "has seen %d, knows %s%s%s%s%s",
		p.saw, p.knows(), content(p.store), p.memory.poller.String(), p.memory.publisher.String(), p.received())
	return text.String()
}

// renamed gives each id the number of its first appearance.
func renamed(text string) string {
	const epoch, number = 16, 12 // characters, a hyphen between
	var short strings.Builder
	short.Grow(len(text))
	names := map[string]string{}
	rest := text
	for {
		at := strings.Index(rest, "-"+strings.Repeat("0", number-3)) // a small world mints fewer than a thousand
		if at < epoch {
			short.WriteString(rest)
			return short.String()
		}
		id := rest[at-epoch : at+1+number]
		if names[id] == "" {
			names[id] = fmt.Sprint("e", len(names))
		}
		short.WriteString(rest[:at-epoch])
		short.WriteString(names[id])
		rest = rest[at+1+number:]
	}
}

func content(s *store.Store) string {
	var all bytes.Buffer
	err := storetest.Each(s, func(bucket, key, value []byte) {
		switch string(bucket) {
		case "sent":
			value = value[8:] // when it was acknowledged
		case "jobs":
			value = value[bytes.IndexByte(value, ',')+1:] // how often it has changed
		case "meta":
			if string(key) == "id" {
				value = nil // at random, each time that the way is walked; each file has its own
			}
		}
		for _, part := range [][]byte{bucket, key, ackedAt.ReplaceAll(value, nil)} {
			all.Write(part)
			all.WriteByte(' ')
		}
		all.WriteByte('\n')
	})
	if err != nil {
		panic(err)
	}
	return all.String()
}
