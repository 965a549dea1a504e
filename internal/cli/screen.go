package cli

import "strings"

// lines keeps the first lines that are written.
type lines struct {
	most   int
	behind string // each of them
	text   string
}

func (l *lines) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if l.most == 0 {
			break
		}
		l.most--
		l.text += strings.TrimSuffix(line, "\n") + l.behind + "\n"
	}
	return len(text), nil
}
