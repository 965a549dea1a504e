package cli

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"jobwatch/internal/config"
	"jobwatch/internal/printable"
)

// newLog writes coloured text to a terminal and JSON elsewhere, unless the configuration says which. The level may be
// changed while it is used.
func newLog(out io.Writer, c config.Log) (*slog.Logger, *slog.LevelVar) {
	return newLogTo(out, isTerminal(out), c)
}

func newLogTo(out io.Writer, terminal bool, c config.Log) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	_ = level.UnmarshalText([]byte(c.Level)) // checked by config
	if c.Format == "json" || c.Format == "auto" && !terminal {
		return slog.New(slog.NewJSONHandler(printable.JSON{Out: out}, &slog.HandlerOptions{Level: level})), level
	}
	return newTextLog(out, level, terminal), level
}

func newTextLog(out io.Writer, level slog.Leveler, coloured bool) *slog.Logger {
	return slog.New(tint.NewTextHandler(out, &tint.Options{
		Level: level, TimeFormat: time.TimeOnly, NoColor: !coloured, ReplaceAttr: printableAttr,
	}))
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// printableAttr is for the text log, which itself quotes all that a value should not hold but the character that begins
// a colour, and nothing of a message.
func printableAttr(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch value := a.Value.Resolve(); value.Kind() {
	case slog.KindString:
		text = value.String()
	case slog.KindAny:
		err, isError := value.Any().(error)
		if !isError {
			return a
		}
		text = err.Error()
	default:
		return a
	}
	if a.Key == slog.MessageKey {
		return slog.String(a.Key, printable.Line(text))
	}
	return slog.String(a.Key, strings.ReplaceAll(text, "\x1b", `\u001b`))
}
