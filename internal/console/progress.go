package console

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	bar "charm.land/bubbles/v2/progress"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/progress"
)

const (
	drawEvery  = 100 * time.Millisecond
	drawFrom   = 500 * time.Millisecond // what is done by then needs no bar
	widestBar  = 40
	slimmest   = 8           // else there is none
	judgedFrom = time.Second // before that a speed says little
)

// WithProgress runs do, and shows on a terminal how far it is, in a line that is gone when do has returned. What do writes
// to above comes above that line. Elsewhere, in CI and on a dumb terminal it shows nothing.
func WithProgress(ctx context.Context, errs io.Writer, do func(ctx context.Context, above io.Writer) error) error {
	screen := ScreenOf(errs)
	if !screen.Terminal() || os.Getenv("TERM") == "dumb" || os.Getenv("CI") != "" {
		return do(ctx, errs)
	}
	return drawProgress(ctx, screen, do)
}

func drawProgress(ctx context.Context, screen Screen, do func(ctx context.Context, above io.Writer) error) error {
	l := &progressLine{screen: screen, from: time.Now().Add(drawFrom)}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		again := time.NewTicker(drawEvery)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				l.draw()
			case <-done:
				return
			}
		}
	}()
	defer func() {
		close(done)
		<-gone
		l.clear()
	}()
	return do(progress.With(ctx, l.take), l)
}

// progressLine is where the work is, and the line that says so.
type progressLine struct {
	screen Screen
	from   time.Time // nothing is drawn before

	mu    sync.Mutex // guards what follows, and the writing
	step  progress.Step
	began time.Time // of the step
	drawn bool
}

func (l *progressLine) take(s progress.Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.What != l.step.What || s.Done < l.step.Done {
		l.began = time.Now()
	}
	l.step = s
}

// The cursor stays at the line's begin: what the terminal itself writes there, as ^C, is drawn over.
const lineAnew, begin = "\r\x1b[K", "\r"

func (l *progressLine) draw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.step.What == "" || time.Now().Before(l.from) {
		return
	}
	s := l.screen
	if now := ScreenOf(s.Out); now.Terminal() { // it may have another size by now
		s = now
	}
	_, _ = lipgloss.Fprint(s.Out, lineAnew+progressText(s, l.step, time.Since(l.began))+begin)
	l.drawn = true
}

func (l *progressLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
}

func (l *progressLine) wipe() {
	if l.drawn {
		_, _ = io.WriteString(l.screen.Out, lineAnew)
		l.drawn = false
	}
}

// Write writes a line above it.
func (l *progressLine) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wipe()
	return l.screen.Out.Write(text)
}

// progressText is the line: what is done, a bar, how much, how fast and how long still, as far as that is known.
func progressText(s Screen, step progress.Step, since time.Duration) string {
	counted := func(n int64) string { return fmt.Sprintf("%d", n) }
	if step.Unit == progress.Bytes {
		counted = func(n int64) string { return Bytes(&n) }
	}
	var parts []string
	share := min(float64(step.Done)/float64(max(step.Total, 1)), 1)
	switch {
	case step.Unit == "":
		parts = append(parts, Span(since))
	case step.Total > 0:
		parts = append(parts, fmt.Sprintf("%3d%%", int(100*share)), counted(step.Done)+" of "+counted(step.Total)+nameOf(step.Unit))
	default:
		parts = append(parts, counted(step.Done)+nameOf(step.Unit))
	}
	if speed := float64(step.Done) / since.Seconds(); step.Unit != "" && since >= judgedFrom && speed >= 1 {
		parts = append(parts, counted(int64(speed))+"/s")
		if step.Total > 0 {
			parts = append(parts, Span(time.Duration(float64(max(step.Total-step.Done, 0))/speed*float64(time.Second)))+" left")
		}
	}
	what, rest := step.What, strings.Join(parts, gap)
	room := min(s.Width-1-ansi.StringWidth(what+gap+gap+rest), widestBar)
	if step.Total == 0 || step.Unit == "" || room < slimmest {
		return s.cut(what + gap + rest)
	}
	return what + gap + drawBar(s, room, share) + gap + rest
}

func nameOf(unit string) string {
	if unit == progress.Bytes {
		return ""
	}
	return " " + unit
}

func drawBar(s Screen, width int, share float64) string {
	full, empty := '█', '░'
	if !s.Unicode {
		full, empty = '#', '.'
	}
	b := bar.New(bar.WithWidth(width), bar.WithoutPercentage(), bar.WithFillCharacters(full, empty), bar.WithColors(lipgloss.Blue))
	b.EmptyColor = lipgloss.BrightBlack
	return b.ViewAs(share)
}
