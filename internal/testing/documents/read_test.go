package documents

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository's, from here.
const root = "../../.."

// command is what a document has its reader type: one line, with those that continue it.
type command struct {
	document string
	line     int
	text     string
}

func (c command) String() string { return fmt.Sprintf("%s:%d: %s", c.document, c.line, c.text) }

// documentsThere are the README and docs/*.md, by their names from the root.
func documentsThere(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(root + "/docs/*.md")
	if err != nil || len(found) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	names := []string{"README.md"}
	for _, file := range found {
		names = append(names, "docs/"+filepath.Base(file))
	}
	return names
}

func text(t *testing.T, document string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, document))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var (
	fence = regexp.MustCompile("^( *)```(\\S*)")
	item  = regexp.MustCompile(`^( *)(?:[-*]|\d+\.) +`)
)

// commands of a document stand in its indented blocks and in those fenced as sh. What a program prints, and files,
// are fenced as something else.
func commands(t *testing.T, document string) []command {
	t.Helper()
	var found []command
	var open string    // the fence that is open: what it says, "-" for nothing
	margin := 0        // where the text of the list's item begins
	block := false     // the line before was of an indented block, or empty
	continued := false // the line before goes on here
	add := func(line int, words string) {
		last := len(found) - 1
		switch {
		case continued:
			found[last].text += "\n" + words
		case words == "" || strings.HasPrefix(words, "#"):
			return
		default:
			found = append(found, command{document, line, words})
			last++
		}
		continued = !whole(found[last].text)
	}
	for n, line := range strings.Split(text(t, document), "\n") {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		switch m := fence.FindStringSubmatch(line); {
		case m != nil && open == "":
			open, block = m[2], false
			if open == "" {
				open = "-"
			}
		case m != nil:
			if continued {
				t.Errorf("%s:%d: the command above does not end", document, n)
			}
			open, continued, block = "", false, true
		case open == "sh":
			add(n+1, strings.TrimPrefix(line, strings.Repeat(" ", margin)))
		case open != "":
			if looksTyped.MatchString(line) {
				t.Errorf("%s:%d: a command is fenced as sh, or indented: %s", document, n+1, line)
			}
		case line == "":
			block = true
		case item.MatchString(line) && indent < margin+4:
			margin, block = len(item.FindString(line)), false
		case indent >= margin+4 && block || continued:
			add(n+1, line[min(margin+4, indent):])
		default:
			if indent < margin {
				margin = 0
			}
			block = false
		}
	}
	return found
}

// looksTyped is how a command begins that nobody would take for what a program prints.
var looksTyped = regexp.MustCompile(`^ *(?:\$ |sudo |\.{0,2}/?watcher (?:[a-z]+ ?)+|curl -|nats (?:sub|stream|consumer|request) )`)

// remark is what stands behind a command for its reader.
var remark = regexp.MustCompile(`\s+#\s.*`)

// whole says whether a shell would not wait for more.
func whole(words string) bool {
	words = remark.ReplaceAllString(words, "")
	return !strings.HasSuffix(words, `\`) && strings.Count(words, "'")%2 == 0
}
