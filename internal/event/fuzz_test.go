package event

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"jobwatch/internal/job"
)

// Whatever a client and a state are called, the event has a subject that NATS takes, and that leads back to its job.
func FuzzSubject(f *testing.F) {
	for _, client := range []string{"", "-", "file.example.com", "*", ">", "100%", "a b\u00a0c\x00", "\u00fc\U0001F4BE", "\xff\xfe", strings.Repeat(".", 50), strings.Repeat("\u20ac", 60)} {
		f.Add("", client, "Running", int64(71))
		f.Add("corp.backup", client, client, int64(1))
	}
	mint := NewMinter(nil)
	f.Fuzz(func(t *testing.T, prefix, client, state string, number int64) {
		if number <= 0 || prefix != "" && !plainPrefix(prefix) { // no job's; refused by the configuration
			return
		}
		seen := job.Observation{Snapshot: job.Snapshot{CommCell: "prod", Number: number, Client: job.Text(client), State: job.Text(state)}, Asked: time.Unix(1, 0), Answered: time.Unix(2, 0)}
		e, err := mint.Job(1, job.Change{Kind: job.KindState, Detail: job.Slug(job.Text(state)), To: job.Text(state)}, seen, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		row, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		id, subject, err := Address(prefix, seen.ID(), row)
		if err != nil || id != e.ID {
			t.Fatalf("%s is the event %q, error %v", row, id, err)
		}
		if of, ours := ParseSubject(prefix, subject); !ours || of != seen.ID() || !IsOurs(prefix, subject) {
			t.Errorf("%q is of job %v, ours: %t; want %v", subject, of, ours, seen.ID())
		}
		for token := range strings.SplitSeq(subject, ".") {
			if token == "" || strings.ContainsAny(token, "*>") || strings.ContainsFunc(token, unicode.IsSpace) || strings.ContainsFunc(token, unicode.IsControl) {
				t.Errorf("%q has the token %q", subject, token)
			}
		}
	})
}

func plainPrefix(prefix string) bool {
	for token := range strings.SplitSeq(prefix, ".") {
		if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r != '_' && r != '-' && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)) }) {
			return false
		}
	}
	return true
}
