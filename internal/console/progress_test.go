package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/charmbracelet/x/ansi"

	"jobwatch/internal/progress"
	"jobwatch/internal/testing/golden"
)

func TestProgressText(t *testing.T) {
	var lines strings.Builder
	for _, step := range []progress.Step{
		{What: "reading the stream", Unit: "events", Done: 27_000, Total: 50_000},
		{What: "copying the store", Unit: progress.Bytes, Done: 0, Total: 100 << 20},
		{What: "copying the store", Unit: progress.Bytes, Done: 100 << 20, Total: 100 << 20},
		{What: "reading the stream", Unit: "events", Done: 11, Total: 10}, // more have come
		{What: "reading", Unit: "dead letters", Done: 900},
		{What: "checking the copy"},
	} {
		for _, s := range []Screen{{Width: 110, Unicode: true}, {Width: 80}, {Width: 30, Unicode: true}} {
			line := ansi.Strip(progressText(s, step, 3*time.Second))
			if width := ansi.StringWidth(line); width > s.Width {
				t.Errorf("%d cells in %d: %s", width, s.Width, line)
			}
			fmt.Fprintln(&lines, line)
		}
	}
	golden.Is(t, "progress.golden", lines.String())
}

// TestProgressIsGone sees the line come, make room, and go.
func TestProgressIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		failed := errors.New("failed")
		err := drawProgress(t.Context(), Screen{Out: &out, Width: 80}, func(ctx context.Context, above io.Writer) error {
			is := progress.Of(ctx, "reading", "lines", 10)
			time.Sleep(drawFrom - time.Millisecond)
			if synctest.Wait(); out.Len() > 0 {
				t.Errorf("what may be done at once has a bar: %q", out.String())
			}
			is(5)
			time.Sleep(drawEvery)
			synctest.Wait()
			if got := out.String(); !strings.Contains(got, "50%") || strings.Contains(got, "\n") {
				t.Errorf("drawn is %q", got)
			}
			out.Reset()
			fmt.Fprintln(above, "said meanwhile")
			return failed
		})
		if got, want := out.String(), lineAnew+"said meanwhile\n"; got != want || !errors.Is(err, failed) {
			t.Errorf("left is %q, want %q (%v)", got, want, err)
		}
	})
}

// TestProgressElsewhere: where nobody looks on nothing is drawn, and nobody is told.
func TestProgressElsewhere(t *testing.T) {
	var out bytes.Buffer
	err := WithProgress(t.Context(), &out, func(ctx context.Context, above io.Writer) error {
		if progress.Shown(ctx) != nil || above != &out {
			t.Error("somebody looks on")
		}
		return nil
	})
	if err != nil || out.Len() > 0 {
		t.Errorf("%v: %q", err, out.String())
	}
}
