package slack

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/job"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/fakeslack"
)

var update = flag.Bool("update", false, "write the golden files and the pictures of them")

const hostile = "<!channel> @here <@U123> *b* _i_ ~s~ `c` <https://evil.example|x> https://evil.example :bomb: &amp;\n\r\nBcc: x\u202eback\x00"

func rich(state, reason job.Text) job.Snapshot {
	s := snapshot(1248, state)
	start := noon
	s.Operation, s.BackupLevel, s.Agent, s.Backupset = "Backup", "Full", "Windows File System", "defaultBackupSet"
	s.StartTime, s.Failures, s.Reason, s.ReasonCode = &start, "1 Folders, 3 Files", reason, "19:579"
	s.SizeOfApplication, s.DataWritten, s.Attempt = new(int64(13_314_398_618)), new(int64(2_362_232_012)), new(int64(2))
	if reason == "" {
		s.ReasonCode, s.Failures = "", "0 Folders, 0 Files"
	}
	s.Settle()
	return s
}

func filled(text job.Text) job.Snapshot {
	s := rich("Failed", text)
	for _, member := range []*job.Text{&s.State, &s.Phase, &s.Client, &s.Agent, &s.Backupset, &s.Subclient, &s.Operation, &s.BackupLevel, &s.Failures, &s.ReasonCode} {
		*member = text
	}
	return s
}

func crowd(n int, of job.Snapshot) relay.Batch {
	b := relay.Batch{Group: string(of.Client)}
	for i := range n {
		of.Number = 1248 + int64(i)
		b.Events = append(b.Events, becomes(4, of, "Running"))
	}
	return b
}

func batch(events ...*relay.Event) relay.Batch { return relay.Batch{Events: events} }

// situations are what people come to see.
func situations() map[string]relay.Batch {
	pending := rich("Running", "")
	pending.Phase, pending.PercentComplete = "Backup", new(41.5)
	evil, long := filled(hostile), filled(job.Text(strings.Repeat("😀&<>", 1000)))
	return map[string]relay.Batch{
		"running":     batch(becomes(1, pending, "")),
		"completed":   batch(becomes(4, rich("Completed", ""), "Running")),
		"warnings":    batch(becomes(4, rich("Completed w/ one or more warnings", "2 files were in use"), "Running")),
		"failed":      batch(becomes(4, rich("Failed", "The media is full; no spare is left in the library"), "Running")),
		"stalled":     batch(happens(5, pending, job.Change{Kind: job.KindWatch, Detail: job.DetailStalled})),
		"lost":        batch(happens(5, pending, job.Change{Kind: job.KindWatch, Detail: job.DetailLost})),
		"bare":        batch(becomes(1, job.Snapshot{CommCell: "prod", Number: 1}, "")),
		"thread":      batch(life()...),
		"unreachable": batch(commCell(1, job.DetailUnreachable, "connection refused")),
		"reachable":   batch(commCell(2, job.DetailReachable, "")),
		"hidden":      batch(becomes(1, filled("\u202e\u200b"), "")),
		"group":       crowd(5, rich("Failed", "no route to host")),
		"hostile": batch(becomes(1, evil, hostile),
			happens(2, evil, job.Change{Kind: job.KindFailure, Detail: job.DetailVM, To: hostile, VM: hostile}),
			happens(3, evil, job.Change{Kind: job.KindFailure, Detail: job.DetailReason, To: hostile, Code: hostile}),
			happens(4, evil, job.Change{Kind: job.KindWatch, Detail: job.DetailAttempt, To: hostile})),
		"hostile-group":       crowd(3, evil),
		"hostile-unreachable": batch(commCell(1, job.DetailUnreachable, hostile)),
		"long":                batch(becomes(4, long, "Running")),
		"long-group":          crowd(100, long),
	}
}

// TestGoldenMessages pins what people see, and holds each message against the limits of Block Kit.
func TestGoldenMessages(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.Links = []Link{{"Command Center", "https://cs.example.com/#/jobs/{id}"}, {"History", "https://cs.example.com/#/history/{commcell}"}}
	})
	for name, b := range situations() {
		t.Run(name, func(t *testing.T) {
			text, err := w.slack.Preview(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range messagesOf(t, text) {
				if misfits := fakeslack.Misfits(m); len(misfits) > 0 {
					t.Errorf("Slack would refuse it, or read markup: %s\n%s", strings.Join(misfits, "\n"), m)
				}
			}
			if strings.HasPrefix(name, "long") {
				return // the limits say all
			}
			compare(t, filepath.Join("testdata", name+".json"), text+"\n")
		})
	}
}

func messagesOf(t *testing.T, text string) []json.RawMessage {
	var all []json.RawMessage
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		var reply struct{ Thread json.RawMessage }
		if json.Unmarshal(all[i], &reply) == nil && reply.Thread != nil {
			all[i] = reply.Thread
		}
	}
	return all
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("%s differs; go test ./internal/slack -update writes it anew, and git diff shows how:\n%s", file, got)
	}
}

// TestNothingFitsTheMisfits has the checks of the fake see what they are for.
func TestNothingFitsTheMisfits(t *testing.T) {
	for _, row := range []string{
		`{"text": "*x*"}`, `{"text": "<!channel>"}`, `{"text": "@here"}`, `{"text": "_x_"}`, `{"text": "https://x"}`, `{"text": "a\u202eb"}`,
		`{"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*x*"}}]}`,
		`{"blocks": [{"type": "section", "text": {"type": "plain_text", "text": ":bomb:"}}]}`,
		`{"blocks": [{"type": "section", "text": {"type": "plain_text", "emoji": false, "text": "` + strings.Repeat("x", 3001) + `"}}]}`,
		`{"blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "broadcast", "range": "here", "text": "x"}]}]}]}`,
		`{"attachments": [{"color": "red", "blocks": []}]}`,
	} {
		if len(fakeslack.Misfits([]byte(row))) == 0 {
			t.Errorf("fits: %s", row)
		}
	}
}
