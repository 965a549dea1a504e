package event

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/job"
)

var detailToken = regexp.MustCompile(`^[\p{L}\p{N}_]{1,256}$`) // a slug has 64 characters

// TestNoNameShapesASubject: whatever a client, a state or a phase is called, the subject has six tokens, of which those of job
// and kind are what they are, and none is a wildcard, empty, or ends a line of NATS's protocol.
func TestNoNameShapesASubject(t *testing.T) {
	for _, name := range []string{
		"a.b", "*", ">", "a.>", "..", ".", " ", "a b", "a\tb", "a\r\nPUB jobs.prod.1.x.state.failed 0\r\n\r\n", "a\x00b", "\u2028", "\u00a0", "$JS.API.STREAM.DELETE.JOBS",
		"_INBOX.x", "$KV.JOBS_cluster.owner.prod", "%", "%2E", "-", "", "\xff", "\u202e", strings.Repeat(".", 200), strings.Repeat("é>", 200),
	} {
		text := job.Text(strings.ToValidUTF8(name, "\ufffd"))
		seen := job.Observation{
			Snapshot: job.Snapshot{CommCell: "prod", Number: 71, Client: text, State: text, Phase: text}, Asked: time.Unix(1, 0), Answered: time.Unix(2, 0),
		}
		for _, change := range []job.Change{{Kind: job.KindState, Detail: job.Slug(text), To: text}, {Kind: job.KindPhase, Detail: job.Slug(text), To: text}} {
			e, err := NewMinter(nil).Job(1, change, seen, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			row, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			_, subject, err := Address("acme", seen.ID(), row)
			if err != nil {
				t.Fatal(err)
			}
			token := strings.Split(subject, ".")
			if len(token) != 7 || strings.Join(token[:4], ".") != "acme.jobs.prod.71" || token[5] != string(change.Kind) || !detailToken.MatchString(token[6]) {
				t.Errorf("%q, %s: %q", name, change.Kind, subject)
				continue
			}
			if client := token[4]; client == "" || len(client) > 128 || strings.ContainsAny(client, "*> \t\r\n\x00\u2028\u00a0") {
				t.Errorf("%q: the client is %q", name, client)
			}
		}
	}
}
