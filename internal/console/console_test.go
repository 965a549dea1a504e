package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

func at(hour, minute int) time.Time { return time.Date(2026, 3, 28, hour, minute, 0, 0, time.UTC) }

func clockAt(zone *time.Location, now time.Time, short bool) Clock {
	return Clock{Zone: zone, Now: func() time.Time { return now }, Short: short}
}

func TestClock(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := at(23, 30) // the 29th there, half an hour before midnight in UTC
	there, utc, whole := clockAt(berlin, now, true), clockAt(time.UTC, now, true), clockAt(berlin, now, false)
	for _, row := range []struct{ got, want string }{
		{there.Cell(new(at(23, 10))), "00:10:00"},
		{there.Cell(new(at(22, 10))), "03-28 23:10"},
		{there.Cell(new(at(22, 10).AddDate(-1, 0, 0))), "2025-03-28"},
		{utc.Cell(new(at(22, 10))), "22:10:00"},
		{whole.Cell(new(at(22, 10))), "2026-03-28T23:10:00+01:00"},
		{there.Cell(nil), ""},
		{there.Moment(new(at(22, 10))), "2026-03-28 23:10:00 CET"},
		{there.Moment(new(at(22, 10).AddDate(0, 0, 1))), "2026-03-30 00:10:00 CEST"},
		{there.Head("ENDED"), "ENDED CET"},
		{utc.Head("ENDED"), "ENDED UTC"},
		{whole.Head("ENDED"), "ENDED"},
		{Span(-time.Second), ""},
		{Span(59400 * time.Millisecond), "59s"},
		{Span(61 * time.Second), "1m01s"},
		{Span(26 * time.Hour), "1d02h"},
		{Span(90 * time.Minute), "1h30m"},
		{Bytes(new(int64(1023))), "1023 B"},
		{Bytes(new(int64(1536))), "1.5 KB"},
		{Bytes(new(int64(105558631797))), "98.3 GB"},
		{Bytes(new(int64(500 << 20))), "500 MB"},
		{Bytes(nil), ""},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}

func TestShowsUnicode(t *testing.T) {
	for _, row := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"LANG": "de_DE.UTF-8", "TERM": "xterm"}, true},
		{map[string]string{"LANG": "de_DE.UTF-8", "TERM": "linux"}, false},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C.utf8"}, true},
		{map[string]string{"LANG": "de_DE.ISO-8859-1"}, false},
	} {
		if got := showsUnicode(func(name string) string { return row.env[name] }); got != row.want {
			t.Errorf("%v: %v", row.env, got)
		}
	}
}

// printed is a table of jobs as it stands on a screen.
func printed(t *testing.T, s Screen, all ...store.Listed) []string {
	t.Helper()
	var out strings.Builder
	s.Out = &out
	g := NewGrid(s, JobColumns(s, clockAt(time.UTC, at(12, 0), s.Terminal()), false))
	for i := range all {
		if err := g.Add(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.End(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(ansi.Strip(out.String()), "\n"), "\n")
}

func listed(number int64, client, state, reason job.Text) store.Listed {
	l := store.Listed{Snapshot: job.Snapshot{CommCell: "prod", Number: number, Client: client, State: state, Reason: reason}}
	l.Snapshot.Settle()
	return l
}

// TestGridFits holds every line of a table to the width of its terminal, whatever is in it, and cuts nothing elsewhere.
func TestGridFits(t *testing.T) {
	long := job.Text(strings.Repeat("no space on the device ", 10))
	rows := []store.Listed{
		listed(1, "データベースサーバー.example.com", "Completed w/ one or more errors", long),
		listed(2, job.Text(strings.Repeat("x", 300)), "Failed", "short"),
		listed(3, "e\u0301\u0301\u0301", "Running", long),
	}
	for _, width := range []int{20, 40, 80, 132, 200} {
		lines := printed(t, Screen{Width: width, Unicode: true}, rows...)
		if len(lines) != len(rows)+1 {
			t.Errorf("%d cells: %d lines of %d rows", width, len(lines), len(rows))
		}
		for _, line := range lines {
			if ansi.StringWidth(line) > width {
				t.Errorf("a line has %d cells of %d: %s", ansi.StringWidth(line), width, line)
			}
		}
	}
	whole := strings.Join(printed(t, Screen{Unicode: true}, rows...), "\n")
	if !strings.Contains(whole, strings.TrimSpace(string(long))) || !strings.Contains(whole, strings.Repeat("x", 300)) {
		t.Errorf("cut where there is no terminal:\n%s", whole)
	}
}

// TestGridKeepsItsColumns has a wider row after the columns were laid out: those of a terminal stay where they are.
func TestGridKeepsItsColumns(t *testing.T) {
	var rows []store.Listed
	for n := range int64(rowsAtOnce) {
		rows = append(rows, listed(1000+n, "a", "Running", "r"))
	}
	rows = append(rows, listed(9999, "much-wider-than-the-others", "Completed w/ one or more errors", "r"))
	lines := printed(t, Screen{Width: 120, Unicode: true}, rows...)
	head, last := lines[0], lines[len(lines)-1]
	before, _, _ := strings.Cut(head, "OPERATION")
	if !strings.HasPrefix(last, "prod/9999  much-wider-than-the-others ") || ansi.Cut(last, ansi.StringWidth(before)-2, ansi.StringWidth(before)+3) != "  -  " {
		t.Errorf("a column moved, or is cut where there is room:\n%s\n%s", head, last)
	}
}

// TestMarks wants a mark of its own for each class, in Unicode and in ASCII, on terminals alone.
func TestMarks(t *testing.T) {
	seen := map[string]job.Class{}
	for class, l := range looks {
		for _, mark := range []string{l.mark, l.ascii} {
			if other, taken := seen[mark]; taken && other != class {
				t.Errorf("%s and %s have the mark %s", class, other, mark)
			}
			seen[mark] = class
		}
		if ansi.StringWidth(l.mark) != 1 || len(l.ascii) != 1 {
			t.Errorf("the mark of %s is not one cell", class)
		}
	}
	failed := listed(1, "a", "Failed", "")
	for screen, want := range map[Screen]string{{Width: 80, Unicode: true}: "✗ Failed", {Width: 80}: "x Failed", {Unicode: true}: "  Failed"} {
		if got := printed(t, screen, failed)[1]; !strings.Contains(got, want) {
			t.Errorf("%+v: %s", screen, got)
		}
	}
}

func TestGridOfNothingHasItsHead(t *testing.T) {
	var out strings.Builder
	g := NewGrid(Screen{Out: &out}, []Column[int]{
		{Name: "N", Text: func(n int) string { return fmt.Sprint(n) }},
		{Name: "SQUARE", Text: func(n int) string { return fmt.Sprint(n * n) }, Style: func(int) lipgloss.Style { return red }},
	})
	if err := g.End(); err != nil || out.String() != "N  SQUARE\n" {
		t.Errorf("printed is %q (%v)", out.String(), err)
	}
}
