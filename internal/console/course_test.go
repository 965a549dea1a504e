package console

import (
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/testing/golden"
)

// lived is a job that was polled every few minutes: told are minutes from noon, what changed, and between which polls.
func lived(c *Course, start int, told ...observed) {
	noon := at(12, 0)
	minute := func(n int) time.Time { return noon.Add(time.Duration(n) * time.Minute) }
	for _, o := range told {
		kind, detail, _ := strings.Cut(o.what, ".")
		s := job.Snapshot{CommCell: "prod", Number: 1, State: job.Text(o.to), StartTime: new(minute(start))}
		if kind != job.KindState {
			s.State = "Running"
		}
		s.Settle()
		c.Tell(event.JobData{Job: s, Change: event.Observed{
			Change: job.Change{Kind: kind, Detail: detail, To: job.Text(o.to)}, NotBefore: new(minute(o.after)), ObservedAt: minute(o.at),
		}})
	}
}

type observed struct {
	after, at int
	what, to  string
}

func drawn(c *Course, s Screen) string {
	return ansi.Strip(strings.Join(c.Draw(s, clockAt(time.UTC, at(14, 0), true)), "\n")) + "\n"
}

func TestCourse(t *testing.T) {
	c := NewCourse()
	lived(c, 0,
		observed{0, 1, "state.waiting", "Waiting"},
		observed{9, 10, "state.running", "Running"},
		observed{9, 10, "phase.discover", "Discover"},
		observed{14, 15, "phase.backup", "Backup"},
		observed{20, 21, "watch.attempt", "1"},
		observed{28, 33, "state.interrupted", "Interrupted"},
		observed{45, 46, "state.running", "Running"},
		observed{45, 46, "watch.attempt", "2"},
		observed{50, 51, "failure.items", "0 Folders, 2 Files"},
		observed{50, 51, "failure.vm", "no space"},
		observed{58, 59, "watch.stalled", "no progress"},
	)
	c.Silent(at(12, 60), true)
	c.Silent(at(12, 70), false)
	lived(c, 0,
		observed{58, 72, "phase.archive", "Archive Index"},
		observed{72, 73, "watch.resumed", "progress"},
		observed{89, 90, "state.completed_with_errors", "Completed w/ one or more errors"},
	)
	golden.Is(t, "course.golden", drawn(c, Screen{Width: 120, Unicode: true})+drawn(c, Screen{Width: 60}))
}

// TestCourseOfNow is of a job that runs: behind the last answer nothing is drawn, but that nobody answers.
func TestCourseOfNow(t *testing.T) {
	c := NewCourse()
	lived(c, 0, observed{0, 1, "state.running", "Running"})
	c.Until(at(12, 40), at(13, 0))
	answers := drawn(c, Screen{Width: 80, Unicode: true})
	c.Silent(at(12, 41), true)
	c.Until(at(12, 40), at(13, 0))
	golden.Is(t, "course-now.golden", answers+drawn(c, Screen{Width: 80, Unicode: true}))
}

// TestCourseDrawsAChangeAsAnInterval: what lies between two polls belongs to neither state, and what nobody saw to none.
func TestCourseDrawsAChangeAsAnInterval(t *testing.T) {
	c := NewCourse()
	lived(c, 0, observed{0, 0, "state.running", "Running"}, observed{20, 40, "state.pending", "Pending"}, observed{99, 100, "state.completed", "Completed"})
	c.Silent(at(12, 60), true)
	c.Silent(at(12, 80), false)
	d := drawing{Course: c, pen: pens[false], width: 100, zone: time.UTC}
	lane := ansi.Strip(d.lane("state", c.state, true))[laneName:]
	for i, want := range map[int]byte{1: '=', 18: '=', 21: '/', 38: '/', 41: '-', 58: '-', 61: 'x', 78: 'x', 82: '-', 101: '+'} {
		if lane[i] != want {
			t.Errorf("at minute %d is %c, want %c:\n%s", i, lane[i], want, lane)
		}
	}
}

// TestCourseFits has states and times of all kinds on narrow and wide screens.
func TestCourseFits(t *testing.T) {
	for _, width := range []int{10, 32, 80, 132, 500} {
		c := NewCourse()
		lived(c, -3000, observed{-3000, 0, "state.x", "データベースのバックアップ"}, observed{0, 0, "phase.x", "a"}, observed{0, 500, "phase.y", "\u202ey"},
			observed{500, 4000, "state.failed", "Failed"})
		for _, line := range c.Draw(Screen{Width: width, Unicode: true}, clockAt(time.UTC, at(14, 0), true)) {
			if ansi.StringWidth(line) > width || strings.Contains(line, "\u202e") {
				t.Errorf("a line of %d cells on %d: %q", ansi.StringWidth(line), width, line)
			}
		}
	}
	if lines := NewCourse().Draw(Screen{Width: 80}, clockAt(time.UTC, at(14, 0), true)); lines != nil {
		t.Errorf("of nothing is drawn %q", lines)
	}
}
