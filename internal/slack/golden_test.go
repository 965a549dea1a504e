package slack

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"jobwatch/internal/job"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/fakeslack"
	"jobwatch/internal/testing/golden"
	"jobwatch/internal/testing/slow"
)

// hostile is a name that tries all at once.
const hostile job.Text = "<!channel> <@U012AB3CD> @here <https://evil.example|click> https://evil.example *b* _i_ ~s~ `c` ```\nrm\n``` " +
	":fire: &lt;!here&gt; <!date^0^{date}^https://evil.example|x> > quote\r\n\x00\x1b[31m\u202egnp.exe\u202c\u2066x\u2069\u200b\u2028\U000e0041\xff \"}],\"text\":\"x ünï日本𝄞"

// cut is a text as an answer's texts are when it is read: no longer one is ever told.
func cut(text job.Text, limit int) job.Text {
	text, _ = job.Clip(string(text), limit)
	return text
}

// everywhere is a job whose every text is the one given, as far as it goes there.
func everywhere(text job.Text) job.Snapshot {
	reason := cut(text, job.ReasonLimit)
	text = cut(text, job.NameLimit)
	started, ended := noon.Add(-time.Hour), noon
	return job.Snapshot{
		CommCell: "prod", Number: 1248, State: text, StateClass: text, Phase: text, Client: text, DestinationClient: text,
		Agent: text, Instance: text, Backupset: text, Subclient: text, StoragePolicy: text, MediaAgent: text, Operation: text,
		BackupLevel: text, StartedBy: text, StartedFrom: text, SystemState: text, SoftwareCompression: text,
		Failures: text, Reason: reason, ReasonCode: text, Attempt: new(int64(3)), StartTime: &started, EndTime: &ended,
		SizeOfApplication: new(int64(1 << 40)), DataWritten: new(int64(-1)), PercentComplete: new(120.5),
		ElapsedSeconds: new(int64(-5)), VMs: &job.VMCount{Total: 9, Failed: 2},
	}
}

// changes are one of each kind, with the text wherever one may stand, as far as it goes there.
func changes(text job.Text) []job.Change {
	reason, name := cut(text, job.ReasonLimit), cut(text, job.NameLimit)
	all := []job.Change{{Kind: job.KindState, Detail: "x"}, {Kind: job.KindPhase, Detail: "x"}}
	for _, detail := range []string{job.DetailState, job.DetailItems, job.DetailVM, job.DetailReason} {
		all = append(all, job.Change{Kind: job.KindFailure, Detail: detail})
	}
	for _, detail := range []string{job.DetailStalled, job.DetailResumed, job.DetailAttempt, job.DetailLost} {
		all = append(all, job.Change{Kind: job.KindWatch, Detail: detail})
	}
	for i := range all {
		all[i].From, all[i].To, all[i].Code = reason, reason, name
		if all[i].Detail == job.DetailVM {
			all[i].VM = string(name)
		}
	}
	return all
}

func eachKind(text job.Text) []*relay.Event {
	var events []*relay.Event
	for i, c := range changes(text) {
		events = append(events, happens(uint64(i+1), everywhere(text), c))
	}
	return events
}

// full is a job as a CommServe tells it.
func full(number int64, state job.Text) job.Snapshot {
	s := snapshot(number, state)
	started := noon.Add(-95 * time.Minute)
	s.Backupset, s.Agent, s.Operation, s.BackupLevel, s.Phase = "defaultBackupSet", "File System", "Backup", "Incremental", "Backup"
	s.StartTime, s.ElapsedSeconds, s.PercentComplete = &started, new(int64(5700)), new(42.5)
	s.SizeOfApplication, s.DataWritten = new(int64(123_456_789_012)), new(int64(45_678_901_234))
	s.Failures = "0 Folders, 0 Files"
	s.Settle()
	return s
}

// situations are batches, by the name of their golden file.
func situations() map[string]relay.Batch {
	one := func(events ...*relay.Event) relay.Batch { return relay.Batch{Events: events} }
	partial, failed, attempt := full(1248, "Completed w/ one or more errors"), full(1248, "Failed"), full(1248, "Running")
	partial.Failures, partial.VMs = "2 Folders, 17 Files", &job.VMCount{Total: 12, Failed: 2}
	failed.Reason, failed.ReasonCode, failed.Attempt = "The media agent [ma-2] cannot be reached.", "19:579", new(int64(2))
	attempt.Attempt = new(int64(2))
	all := map[string]relay.Batch{
		"queued":    one(becomes(1, snapshot(1248, "Queued"), "")),
		"running":   one(becomes(1, full(1248, "Running"), "")),
		"phase":     one(happens(2, full(1248, "Running"), job.Change{Kind: job.KindPhase, Detail: "backup", From: "Scan", To: "Backup"})),
		"succeeded": one(becomes(3, full(1248, "Completed"), "Running")),
		"partial":   one(becomes(3, partial, "Running"), happens(4, partial, job.Change{Kind: job.KindFailure, Detail: job.DetailItems, To: partial.Failures}), happens(5, partial, job.Change{Kind: job.KindFailure, Detail: job.DetailVM, VM: "web-1", To: "snapshot failed"})),
		"failed":    one(becomes(3, failed, "Running"), happens(4, failed, job.Change{Kind: job.KindFailure, Detail: job.DetailReason, To: failed.Reason, Code: "19:579"})),
		"killed":    one(becomes(3, full(1248, "Killed"), "Running")),
		"suspended": one(becomes(3, full(1248, "Suspended"), "Running")),
		"unknown":   one(becomes(3, full(1248, "Dematerialised"), "Running")),
		"stalled":   one(happens(4, full(1248, "Running"), job.Change{Kind: job.KindWatch, Detail: job.DetailStalled})),
		"lost":      one(happens(4, full(1248, "Running"), job.Change{Kind: job.KindWatch, Detail: job.DetailLost})),
		"attempt":   one(happens(4, attempt, job.Change{Kind: job.KindWatch, Detail: job.DetailAttempt, From: "1", To: "2"})),
		"bare":      one(becomes(1, job.Snapshot{CommCell: "prod", Number: 1248}, "")),

		"commcell-away": one(commCell(1, job.DetailUnreachable, "dial tcp 10.0.0.7:443: connect: no route to host")),
		"commcell-back": one(commCell(1, job.DetailUnreachable, "no route to host"), commCell(2, job.DetailReachable, "")),

		"hostile":          one(eachKind(hostile)...),
		"hostile-commcell": one(commCell(1, job.DetailUnreachable, hostile)),
		"group": {Group: "fall", Events: []*relay.Event{
			becomes(3, full(1248, "Failed"), "Running"), becomes(3, full(1249, "Completed"), "Running"),
			becomes(2, full(1250, "Running"), "Queued"), becomes(3, full(1250, "Failed"), "Running"),
		}},
	}
	all["bare-group"] = relay.Batch{Group: "-", Events: []*relay.Event{
		becomes(1, job.Snapshot{CommCell: "prod", Number: 1248}, ""), becomes(1, job.Snapshot{CommCell: "prod", Number: 1249}, ""),
	}}
	group := relay.Batch{Group: string(cut(hostile, job.NameLimit))}
	for n := range int64(4) {
		s := everywhere(hostile)
		s.Number = 2000 + n
		group.Events = append(group.Events, becomes(1, s, hostile))
	}
	all["hostile-group"] = group
	return all
}

func previewer(t testing.TB) *Slack {
	s, err := New(Config{
		Relay: "ops", Token: func() (string, error) { return "xoxb-1", nil }, Channel: fakeslack.Channel,
		Links:     []Link{{"Command Center", "https://cs.example.com/#/{commcell}/{id}"}, {"Runbook", "https://cs.example.com/runbook"}},
		Broadcast: []string{"failed", "partial", job.DetailLost, job.DetailStalled},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// misfits says what of a preview Slack would refuse, or read as markup.
func misfits(preview string) []string {
	var messages []struct {
		Thread      json.RawMessage
		Text        string
		Blocks      json.RawMessage
		Attachments json.RawMessage
	}
	if err := json.Unmarshal([]byte(preview), &messages); err != nil {
		return []string{err.Error()}
	}
	var whole []json.RawMessage
	if err := json.Unmarshal([]byte(preview), &whole); err != nil {
		return []string{err.Error()}
	}
	var all []string
	for i, m := range messages {
		text := m.Thread
		if text == nil {
			text = whole[i]
		}
		all = append(all, fakeslack.Misfits(text)...)
	}
	return all
}

// The golden files are what a preview of each situation prints.
func TestMessages(t *testing.T) {
	s := previewer(t)
	all := situations()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		preview, err := s.Preview(all[name])
		if err != nil {
			t.Fatal(name, err)
		}
		for _, misfit := range misfits(preview) {
			t.Errorf("%s: %s", name, misfit)
		}
		golden.Is(t, name+".json", preview+"\n")
	}
}

// Whatever the CommServe calls things: Slack takes the message, and reads no markup in it.
func TestNoNameShapesAMessage(t *testing.T) {
	slow.Test(t, "2 s", "names that nobody has thought of")
	s := previewer(t)
	pieces := strings.Split(string(hostile), " ")
	rapid.Check(t, func(r *rapid.T) {
		text := job.Text(strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(pieces), rapid.String()), 0, 20).Draw(r, "text"), rapid.SampledFrom([]string{"", " "}).Draw(r, "between")))
		text = job.Text(strings.Repeat(string(text), rapid.SampledFrom([]int{1, 1, 10}).Draw(r, "times")))
		batches := []relay.Batch{{Events: eachKind(text)}, {Events: []*relay.Event{commCell(1, job.DetailUnreachable, text)}}}
		group := relay.Batch{Group: string(cut(text, job.NameLimit))}
		for n := range rapid.SampledFrom([]int64{1, 4, 40}).Draw(r, "jobs") {
			snapshot := everywhere(text)
			snapshot.Number = 1 + n
			group.Events = append(group.Events, becomes(1, snapshot, text))
		}
		for _, b := range append(batches, group) {
			preview, err := s.Preview(b)
			if err != nil {
				r.Fatal(err)
			}
			if wrong := misfits(preview); wrong != nil {
				r.Fatalf("%q", wrong)
			}
		}
	})
}

// A group has a hundred jobs at most, and each may have long names.
func TestAHundredJobsInAGroup(t *testing.T) {
	for _, text := range []job.Text{hostile + hostile, job.Text(strings.Repeat("no 𝄞 ", 200))} {
		group := relay.Batch{Group: string(cut(text, job.NameLimit))}
		for n := range int64(100) {
			s := everywhere(text)
			s.Number = 1<<40 + n
			group.Events = append(group.Events, becomes(1, s, text))
		}
		preview, err := previewer(t).Preview(group)
		if err != nil {
			t.Fatal(err)
		}
		if wrong := misfits(preview); wrong != nil {
			t.Errorf("%q", wrong)
		}
	}
}

// An event may be as long as its texts may, each up to where it is cut.
func TestTheLongestTexts(t *testing.T) {
	for _, character := range []string{"\x00", "<", "`", "a", "完", "𝄞"} {
		text := job.Text(strings.Repeat(character, job.ReasonLimit))
		for _, b := range []relay.Batch{
			{Events: eachKind(text)}, {Events: []*relay.Event{commCell(1, job.DetailUnreachable, text)}},
		} {
			preview, err := previewer(t).Preview(b)
			if err != nil {
				t.Fatalf("%q: %v", character, err)
			}
			if wrong := misfits(preview); wrong != nil {
				t.Errorf("%q: %q", character, wrong)
			}
		}
	}
}
