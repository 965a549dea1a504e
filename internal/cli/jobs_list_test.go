package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/console"
	"jobwatch/internal/control"
	"jobwatch/internal/diff"
	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/testing/golden"
	"jobwatch/internal/testing/terminal"
)

// shelf is a store without a watcher, and a configuration that names it.
type shelf struct {
	store  *store.Store
	config string
}

func newShelf(t *testing.T) *shelf { return newShelfIn(t, t.TempDir()) }

func newShelfIn(t *testing.T, dir string) *shelf {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := &shelf{config: filepath.Join(dir, "watcher.yaml")}
	text := "commcells: [{name: prod, url: \"http://127.0.0.1:1\", auth: {token: x}}, {name: lab, url: \"http://127.0.0.1:1\", auth: {token: x}}]\nstore: {path: watcher.db}\n"
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.store, err = store.Open(filepath.Join(dir, "watcher.db"), event.NewMinter(nil)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shelf) hold(t *testing.T, seen job.Snapshot, more ...job.Change) {
	t.Helper()
	seen.Settle()
	known, err := s.store.Recall(seen.JobID())
	if err != nil {
		t.Fatal(err)
	}
	changes := append(diff.Since(known.Told, &seen), more...)
	err = s.store.Commit(store.PollResult{Known: known, Seen: job.Observation{Snapshot: seen, Asked: clock(0)}, Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
}

func (s *shelf) path() string { return filepath.Join(filepath.Dir(s.config), "watcher.db") }

// awaitWatcher waits until one serves the store.
func (s *shelf) awaitWatcher(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := control.Dial(s.path()); err == nil {
			return
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func heldJob(number int64) job.Snapshot {
	return job.Snapshot{CommCell: "prod", Number: number, Client: "held", State: "Suspended"}
}

// close leaves the file to the command.
func (s *shelf) close(t *testing.T) {
	t.Helper()
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
}

// clock is some minutes after a moment in the past.
func clock(minutes int) time.Time {
	return time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
}

// fill holds a job of each kind that a list shows differently.
func (s *shelf) fill(t *testing.T) {
	t.Helper()
	at := func(minutes int) *time.Time { return new(clock(minutes)) }
	ago := func(d time.Duration) *time.Time { return new(time.Now().Add(-d).UTC().Truncate(time.Second)) }
	s.hold(t, job.Snapshot{CommCell: "prod", Number: 1, Client: "sql-01", Operation: "Backup", State: "Running", Phase: "Scan", PercentComplete: new(40.0)},
		job.Change{Kind: job.KindWatch, Detail: job.DetailStalled, To: "no progress"})
	s.hold(t, job.Snapshot{CommCell: "prod", Number: 2, Client: "SQL-02", Operation: "Backup", State: "Completed", StartTime: at(0), EndTime: at(90), PercentComplete: new(100.0)})
	s.hold(t, job.Snapshot{CommCell: "prod", Number: 3, Client: "vc", Operation: "Backup", State: "Completed w/ one or more errors", StartTime: at(10), EndTime: at(40),
		Machines: []job.VM{{Name: "web"}, {Name: "sql-44", Reason: "no space"}, {Name: "cache-21", Reason: "no space"}}})
	s.hold(t, job.Snapshot{CommCell: "prod", Number: 4, Client: "file 1", Operation: "Restore", State: "Failed", StartTime: at(20), EndTime: at(21),
		Failures: "1 Folders, 12 Files", Reason: "=Disk\nis full"})
	s.hold(t, job.Snapshot{CommCell: "lab", Number: 5, Client: "tape", Operation: "Aux Copy", State: "Pending", Reason: "No drive"})
	s.hold(t, job.Snapshot{CommCell: "prod", Number: 6, Client: "sql-01", Operation: "Backup", State: "Killed", StartTime: ago(2 * time.Hour), EndTime: ago(time.Hour)})
}

func TestJobsList(t *testing.T) {
	s := newShelf(t)
	s.fill(t)
	s.close(t)
	list := func(t *testing.T, words ...string) string {
		t.Helper()
		return terminal.Command(Execute).Typed(t, append([]string{"jobs", "list", "-c", s.config}, words...)...).Succeeds(t).Out
	}
	for _, row := range []struct{ words, want string }{
		{"", "lab/5 prod/1 prod/6 prod/2 prod/3 prod/4"},
		{"--failed", "prod/6 prod/3 prod/4"},
		{"--failed --since 24h", "prod/6"},
		{"--since 24h", "lab/5 prod/1 prod/6"},
		{"--held", "lab/5"},
		{"--stalled", "prod/1"},
		{"--stalled --held", ""},
		{"--class failed --class held", "lab/5 prod/4"},
		{"--class failed,succeeded", "prod/2 prod/4"},
		{"--client sql-*", "prod/1 prod/6 prod/2"},
		{"--client SQL-0?", "prod/1 prod/6 prod/2"},
		{"--client sql", ""},
		{"--commcell lab", "lab/5"},
		{"--limit 2", "lab/5 prod/1"},
		{"--sort took --limit 3", "prod/2 prod/6 prod/3"},
		{"--sort -took --limit 2 --failed", "prod/4 prod/3"},
		{"--sort client", "prod/4 prod/1 prod/6 prod/2 lab/5 prod/3"},
		{"--sort failed --limit 2", "prod/3 prod/4"},
		{"--sort started --class succeeded,partial,failed", "prod/4 prod/3 prod/2"},
	} {
		got := strings.Join(strings.Fields(list(t, append(strings.Fields(row.words), "-o", "name")...)), " ")
		if got != row.want {
			t.Errorf("jobs list %s: %s, want %s", row.words, got, row.want)
		}
	}

	golden.Is(t, "jobs-list.golden", list(t, "--utc", "--class", "active,held,succeeded,partial,failed"))
	golden.Is(t, "jobs-list.csv.golden", list(t, "-o", "csv", "--class", "active,held,succeeded,partial,failed"))
}

// TestWatchPrintsWhatChanges plays three looks.
func TestWatchPrintsWhatChanges(t *testing.T) {
	of := func(number int64, state job.Text) store.Listed {
		s := job.Snapshot{CommCell: "prod", Number: number, State: state, StartTime: new(clock(int(number)))}
		s.Settle()
		return store.Listed{Snapshot: s}
	}
	var out strings.Builder
	w := newChanges(&out, testClock())
	for _, now := range [][]store.Listed{
		{of(1, "Running"), of(2, "Waiting")},
		{of(1, "Running"), of(2, "Running"), of(3, "Running")},
		{of(2, "Running"), of(3, "Running")},
	} {
		err := w.show(func(yield func(store.Listed) error) error {
			for _, l := range now {
				if err := yield(l); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line)[1:3], " "))
	}
	want := []string{"there prod/1", "there prod/2", "changed prod/2", "new prod/3", "gone prod/1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// counted is an admin of many jobs, which counts how many were shown.
type counted struct {
	admin
	jobs, shown int
}

func (c *counted) Select(context.Context, control.Selection) ([]job.ID, error) {
	ids := make([]job.ID, c.jobs)
	for i := range ids {
		ids[i] = job.ID{CommCell: "prod", Number: int64(c.jobs - i)}
	}
	return ids, nil
}

func (c *counted) Show(_ context.Context, ids []job.ID) ([]store.Listed, error) {
	all := make([]store.Listed, len(ids))
	for i, id := range ids {
		all[i].Snapshot = job.Snapshot{CommCell: id.CommCell, Number: id.Number, State: "Running"}
	}
	c.shown += len(ids)
	return all, nil
}

// TestJobsListStreams wants the first lines of 50,000 jobs before more than the first of them were read.
func TestJobsListStreams(t *testing.T) {
	a := &counted{jobs: 50_000}
	first := 0
	lines := 0
	out := writerFunc(func(text []byte) {
		if first == 0 {
			first = a.shown
		}
		lines += strings.Count(string(text), "\n")
	})
	if err := listJobs(t.Context(), a, jobQuery{}, newJobList(asTable, plainScreen(out), testClock())); err != nil {
		t.Fatal(err)
	}
	if first > 2*jobsAtOnce || lines != a.jobs+1 {
		t.Errorf("%d jobs were read before the first line, and %d lines printed", first, lines)
	}
	a.shown = 0
	if err := listJobs(t.Context(), a, jobQuery{limit: 10}, newJobList(asName, plainScreen(out), testClock())); err != nil || a.shown > jobsAtOnce {
		t.Errorf("for ten jobs %d were read (%v)", a.shown, err)
	}
}

type writerFunc func([]byte)

func (w writerFunc) Write(text []byte) (int, error) {
	w(text)
	return len(text), nil
}

// TestJobsThatAnotherMemberFollows: of a job that is not at its end the list says who follows it, as the page does.
func TestJobsThatAnotherMemberFollows(t *testing.T) {
	running := store.Listed{Snapshot: job.Snapshot{CommCell: "prod", Number: 71, State: "Running"}, Why: store.Discovered, FollowedBy: "w2"}
	ended, own := running, running
	ended.Snapshot.Number, ended.Snapshot.State, ended.Why = 72, "Completed", ""
	ended.Snapshot.Settle()
	own.Snapshot.Number, own.FollowedBy = 73, ""
	var table, wide, array strings.Builder
	for out, form := range map[*strings.Builder]output{&table: asTable, &wide: asWide, &array: asJSON} {
		list := newJobList(form, plainScreen(out), testClock())
		for _, l := range []store.Listed{running, ended, own} {
			if err := list.add(l); err != nil {
				t.Fatal(err)
			}
		}
		if err := list.end(); err != nil {
			t.Fatal(err)
		}
	}
	for text, times := range map[string]int{table.String(): 1, wide.String(): 2} {
		lines := strings.Split(text, "\n")
		if strings.Count(lines[1], "  followed by w2  ") != times || strings.Contains(lines[2], "w2") || strings.Contains(lines[3], "w2") {
			t.Errorf("the table:\n%s", text)
		}
	}
	if !strings.Contains(wide.String(), "  discovered  ") {
		t.Errorf("the wide table:\n%s", wide.String())
	}
	if text := array.String(); strings.Count(text, `"followedBy":"w2"`) != 2 || strings.Count(text, `"followedBy":null`) != 1 {
		t.Errorf("the array:\n%s", text)
	}
}

// TestJobsListCannotMoveTheTerminal has a hostile client and reason.
func TestJobsListCannotMoveTheTerminal(t *testing.T) {
	s := newShelf(t)
	s.hold(t, job.Snapshot{CommCell: "prod", Number: 1, Client: terminal.Evil, State: "Running", Phase: terminal.Evil, Reason: terminal.Evil})
	s.close(t)
	for _, form := range []string{asTable, asWide, asJSON, asJSONL, asCSV} {
		out := terminal.Command(Execute).Typed(t, "jobs", "list", "-c", s.config, "-o", form).Succeeds(t).Out
		terminal.Harmless(t, fmt.Sprintf("jobs list -o %s", form), out)
	}
}

func plainScreen(out io.Writer) console.Screen { return console.Screen{Out: out, Unicode: true} }

func testClock() console.Clock { return console.NewClock(true, false) }
