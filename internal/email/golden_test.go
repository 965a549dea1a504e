package email

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/golden"
)

// hostile is a name that tries all at once.
const hostile job.Text = "fall\r\nBcc: all@example.com\r\n\r\n<script>alert(1)</script> </td></table><img src=x onerror=alert(2)> " +
	"=?utf-8?B?DQpCY2M6IGFsbEBleGFtcGxlLmNvbQ==?= =0D=0A.=0D=0ADATA https://evil.example/x?a=b&c <a href='https://evil.example'>click</a> " +
	"\u202egnp.exe\u202c \u2066x\u2069 \x00\x1b[31mred\x7f\u2028--boundary\u200b\u00ad \U000e0041\xff \"quoted\" ünï日本 -- \r\n.\r\nQUIT\r\n"

func everyField(t testing.TB) job.Snapshot {
	started, big := asked.Add(-time.Hour), int64(123_456_789_012)
	return job.Snapshot{
		State: "Failed", Client: hostile, Subclient: hostile, Backupset: hostile, Agent: hostile, Instance: hostile,
		Operation: hostile, BackupLevel: hostile, Reason: hostile, ReasonCode: hostile, Failures: hostile, Phase: hostile,
		StartTime: &started, EndTime: new(asked), ElapsedSeconds: new(int64(3600)), DataWritten: &big, SizeOfApplication: &big, Attempt: new(int64(2)),
		Machines: []job.VM{{Name: string(hostile), Reason: hostile}, {Name: "b"}},
	}
}

// goldens are batches, by the name of their file.
func goldens(t testing.TB) map[string]relay.Batch {
	calm := job.Snapshot{State: "Completed", Client: "fall", Subclient: "nightly", Backupset: "defaultBackupSet", Agent: "File System", Operation: "Backup", BackupLevel: "Incremental"}
	change := func(kind, detail string, from, to job.Text) job.Change {
		c := job.Change{Kind: kind, Detail: detail, From: from, To: to}
		if detail == job.DetailVM {
			c.VM = string(hostile)
		}
		if detail == job.DetailReason {
			c.Code = hostile
		}
		return c
	}
	var all []*relay.Event
	for i, c := range []job.Change{
		change(job.KindState, "x", hostile, hostile), change(job.KindPhase, "x", "", hostile),
		change(job.KindFailure, job.DetailState, "", hostile), change(job.KindFailure, job.DetailItems, "", hostile),
		change(job.KindFailure, job.DetailVM, "", hostile), change(job.KindFailure, job.DetailReason, "", hostile),
		change(job.KindWatch, job.DetailStalled, "", ""), change(job.KindWatch, job.DetailResumed, "", ""),
		change(job.KindWatch, job.DetailAttempt, "1", "2"), change(job.KindWatch, job.DetailLost, "", ""),
	} {
		all = append(all, about(t, "q7m2xk3vb4t6hs5c-"+string(rune('0'+i)), everyField(t), c))
	}
	group := relay.Batch{Group: string(hostile)}
	for i := range 4 {
		s := everyField(t)
		s.Number = int64(2000 + i)
		if i == 3 {
			s = calm
			s.Number = 2003
		}
		group.Events = append(group.Events, about(t, "q7m2xk3vb4t6hs5c-2"+string(rune('0'+i)), s, change(job.KindState, "x", "", s.State)))
	}
	silent, err := event.NewMinter(nil).CommCell(1, job.Change{Kind: job.KindCommCell, Detail: job.DetailUnreachable}, job.ID{CommCell: "prod"}, asked, string(hostile))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]relay.Batch{
		"calm.eml":     {Events: []*relay.Event{about(t, "q7m2xk3vb4t6hs5c-9", calm, change(job.KindState, "completed", "Running", "Completed"))}},
		"hostile.eml":  {Events: all},
		"group.eml":    group,
		"commcell.eml": {Events: []*relay.Event{relayed(t, "q7m2xk3vb4t6hs5c-30", silent)}},
	}
}

// sent is the mail as a real server got it, its random boundary replaced.
func sent(t *testing.T, b relay.Batch) []byte {
	t.Helper()
	s := serve(t, StartTLS)
	if done, refusal := deliver(t, to(t, s), b); done != len(b.Events) || refusal != nil {
		t.Fatalf("%d delivered, %v", done, refusal)
	}
	raw := s.taken()[0].raw
	boundary := regexp.MustCompile(`boundary=([0-9a-f]+)`).FindSubmatch(raw)
	if boundary == nil {
		t.Fatalf("no boundary in %s", raw)
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(raw, boundary[1], []byte("BOUNDARY")), []byte("\r\n"), []byte("\n"))
}

func TestGolden(t *testing.T) {
	for file, b := range goldens(t) {
		t.Run(file, func(t *testing.T) {
			got := sent(t, b)
			golden.Is(t, file, string(got))
			inspect(t, got)
		})
	}
}

// inspect reads the mail as a mail program would, and looks for what a name has made of it.
func inspect(t *testing.T, raw []byte) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields("Auto-Submitted Content-Type Date From Importance In-Reply-To List-Id Message-Id Mime-Version References " +
		"Subject To X-Auto-Response-Suppress X-Jobwatch-About X-Jobwatch-Relay X-Jobwatch-Severity X-Mailer X-Priority")
	for name, values := range m.Header {
		if !slices.Contains(known, name) || len(values) != 1 {
			t.Errorf("header %s: %q", name, values)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Error(err)
	}
	inertText(t, "subject", subject, false)

	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s: %v", kind, err)
	}
	var kinds []string
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, part.Header.Get("Content-Type"))
		inertText(t, "a body", string(body), true)
		if len(kinds) == 2 {
			inertHTML(t, string(body))
		}
	}
	if got := strings.Join(kinds, " | "); got != "text/plain; charset=UTF-8 | text/html; charset=UTF-8" {
		t.Error(got)
	}
}

func inertText(t *testing.T, what, text string, lines bool) {
	t.Helper()
	for _, r := range text {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && (!lines || r != '\n') {
			t.Errorf("%s holds %U", what, r)
		}
	}
	for _, link := range []string{"https://", "mailto:", "=?"} {
		if strings.Contains(text, link) {
			t.Errorf("%s holds %s", what, link)
		}
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "Bcc") || strings.HasPrefix(line, ".") {
			t.Errorf("%s: a line of a name's own: %s", what, line)
		}
	}
}

// inertHTML says of each element whether it is one of ours.
func inertHTML(t *testing.T, page string) {
	t.Helper()
	for tokens := html.NewTokenizer(strings.NewReader(page)); tokens.Next() != html.ErrorToken; {
		token := tokens.Token()
		if token.Type == html.TextToken || token.Type == html.DoctypeToken {
			continue
		}
		if !slices.Contains(strings.Fields("html head meta body p b table tr td span"), token.Data) {
			t.Errorf("an element: %s", token)
		}
		for _, a := range token.Attr {
			if !slices.Contains(strings.Fields("lang charset name content style role cellspacing"), a.Key) || strings.Contains(a.Val, "evil") {
				t.Errorf("an attribute: %s", token)
			}
		}
	}
}

func TestOneThreadAJob(t *testing.T) {
	s := serve(t, StartTLS)
	e := to(t, s)
	for _, b := range []relay.Batch{
		batch(t, state("e-1", "", "Running")),
		batch(t, state("e-2", "Running", "Pending"), state("e-3", "Pending", "Running")),
		batch(t, state("e-4", "Running", "Failed")),
	} {
		if _, refusal := deliver(t, e, b); refusal != nil {
			t.Fatal(refusal)
		}
	}
	mails := s.taken()
	ids := make(map[string]bool)
	for _, m := range mails {
		ids[header(t, m, "Message-ID")] = true
		for _, name := range []string{"Subject", "References", "In-Reply-To"} {
			if got, want := header(t, m, name), header(t, mails[0], name); got != want || got == "" {
				t.Errorf("%s: %q, before it %q", name, got, want)
			}
		}
	}
	if len(mails) != 3 || len(ids) != 3 {
		t.Errorf("%d mails, %d ids", len(mails), len(ids))
	}
	other := about(t, "e-5", job.Snapshot{State: "Running", Client: "fall", Number: 1249}, job.Change{Kind: job.KindState, Detail: "running", To: "Running"})
	if _, refusal := deliver(t, e, relay.Batch{Events: []*relay.Event{other}}); refusal != nil {
		t.Fatal(refusal)
	}
	if header(t, s.taken()[3], "References") == header(t, mails[0], "References") {
		t.Error("another job is in the same thread")
	}
}

func TestPreview(t *testing.T) {
	text, err := to(t, serve(t, StartTLS), login("u", "geheim")).Preview(batch(t, state("e-1", "Running", "Failed")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"To: <ops@example.com>", "Subject: Job 1248 on fall (prod)", "Failed: job 1248, nightly on fall (prod)", "state Running → Failed"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
