package job

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a job says of its failures, the counts read of it survive being written as Commvault writes them.
func FuzzParseFailures(f *testing.F) {
	for _, text := range []string{"0 Folders, 0 Files", "1 folder,1 file", "3 Folders, 12 Files, 1 Stream", "-1 Folders, 2 Files", "3 Ordner, 12 Dateien", ",", "9\u00a0Folders,\t9 Files"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		folders, files, ok := ParseFailures(Text(text))
		if folders < 0 || files < 0 || !ok && folders+files > 0 {
			t.Errorf("%q is %d, %d, %t", text, folders, files, ok)
		}
		if !ok {
			return
		}
		written := Text(fmt.Sprintf("%d Folders, %d Files", folders, files))
		if again, filesAgain, ok := ParseFailures(written); !ok || again != folders || filesAgain != files {
			t.Errorf("%q is %d, %d, but %q is %d, %d", text, folders, files, written, again, filesAgain)
		}
	})
}

// Whatever a state is called, its slug is one token of a subject, and its own slug.
func FuzzSlug(f *testing.F) {
	for _, words := range []string{"", "Completed w/ one or more errors", "Wird gesichert", "..", "*", ">", "\u0130\u212a \U0001F4BE", "\xff", strings.Repeat("\u00df1 ", 40)} {
		f.Add(words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		slug := Slug(Text(words))
		if slug == "" || !utf8.ValidString(slug) || strings.ContainsAny(slug, ".*> \t\r\n\x00") || utf8.RuneCountInString(slug) > slugLength {
			t.Errorf("%q has the slug %q", words, slug)
		}
		if again := Slug(Text(slug)); again != slug {
			t.Errorf("%q has the slug %q, and that one %q", words, slug, again)
		}
	})
}
