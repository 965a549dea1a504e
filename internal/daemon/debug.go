package daemon

import (
	"errors"
	"log/slog"
	"strings"

	"jobwatch/internal/control"
)

type object = map[string]any

func (p *parts) debug() *control.Debug {
	return &control.Debug{State: p.state, SetLogLevel: p.setLogLevel}
}

// state is what the parts say of themselves in a dump: what they do, and nothing of how they are configured.
func (p *parts) state() any {
	oldest, err := p.store.OldestUnsent()
	_, stopped := p.publisher.Refusals()
	read := false
	select {
	case <-p.publisher.CaughtUp():
		read = true
	default:
	}
	return object{
		"version":   p.Version,
		"commcells": p.pollers.states(),
		"outbox":    object{"unsent": p.store.Unsent(), "oldest": oldest, "error": text(err)},
		"nats":      object{"connected": p.broker.Connected(), "unusable": text(p.broker.Usable()), "embedded": text(p.embedded.Trouble())},
		"relays":    p.relays.shown(),
		"publisher": object{
			"streamRead": read, "published": p.publisher.Counts.Published.Load(), "errors": p.publisher.Errors(),
			"foreignWrites": p.publisher.ForeignWrites(), "stoppedJobs": stopped, "refusal": p.publisher.Refusal(), "stopped": text(p.publisher.Stopped()),
		},
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// setLogLevel is asked for by an administrator, and holds until the watcher ends or log.level is edited.
func (p *parts) setLogLevel(name string) (before string, err error) {
	if p.Level == nil {
		return "", errors.New("the level of this watcher's log is fixed")
	}
	before = strings.ToLower(p.Level.Level().String())
	return before, logAt(p.Level, name, p.Log, "the log's level is set by watcher debug: "+name)
}

// logAt sets a level, and says so where the old or the new one shows it.
func logAt(level *slog.LevelVar, name string, log *slog.Logger, message string) error {
	var next slog.Level
	if err := next.UnmarshalText([]byte(name)); err != nil {
		return err
	}
	level.Set(min(level.Level(), next))
	log.Info(message)
	level.Set(next)
	return nil
}
