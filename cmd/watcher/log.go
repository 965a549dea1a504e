package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"jobwatch/internal/config"
)

// newLog writes coloured text to a terminal and JSON elsewhere, unless the configuration says which.
func newLog(out io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked by config
	terminal := isTerminal(out)
	if c.Format == "json" || c.Format == "auto" && !terminal {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	}
	return newTextLog(out, level, terminal)
}

func newTextLog(out io.Writer, level slog.Level, coloured bool) *slog.Logger {
	return slog.New(tint.NewTextHandler(out, &tint.Options{
		Level: level, TimeFormat: time.TimeOnly, NoColor: !coloured, ReplaceAttr: printableAttr,
	}))
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
