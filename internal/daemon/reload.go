package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/config"
)

// reloader reads the configuration again on SIGHUP, and when its file has been edited. A bad one is refused with its
// errors, and the old one goes on.
type reloader struct {
	file    string
	started *config.Config // what of it needs a restart is compared with this
	hangups <-chan os.Signal
	apply   func(*config.Config) (string, error) // with an error nothing changes
	done    func(taken bool)                     // is told what came of each reading
	log     *slog.Logger
	level   *slog.LevelVar // of log; nil: it stays as it is

	seen   []byte         // the text last taken or refused
	latest *config.Config // that was taken: what is said of it is not said again
}

// readEvery is how often the file is read. It is read, and not watched: a file that is replaced, mounted or linked, as
// containers have it, is seen all the same.
const readEvery = time.Second

// Run reloads until ctx ends.
func (r *reloader) Run(ctx context.Context) error {
	ticker := time.NewTicker(readEvery)
	defer ticker.Stop()
	r.seen, r.latest = r.started.Text, r.started // what was edited since is news
	var edited []byte
	for {
		select {
		case <-r.hangups:
			if text, err := os.ReadFile(r.file); err != nil {
				r.refuse(err)
			} else if !r.reload(text) {
				r.log.Info("SIGHUP: the configuration is the one in force")
			}
		case <-ticker.C:
			text, err := os.ReadFile(r.file)
			if err != nil || bytes.Equal(text, r.seen) {
				continue
			}
			if bytes.Equal(text, edited) { // written to its end, as far as one can tell
				r.reload(text)
			}
			edited = text
		case <-ctx.Done():
			return nil
		}
	}
}

// reload applies a text, and says whether the log tells anything of it.
func (r *reloader) reload(text []byte) bool {
	r.seen = text
	next, err := config.Parse(r.file, text, os.LookupEnv)
	if err != nil {
		return r.refuse(err)
	}
	if err := CheckRelays(next); err != nil {
		return r.refuse(err)
	}
	words, err := r.apply(next)
	if err != nil {
		return r.refuse(err)
	}
	told := words != ""
	if told {
		r.log.Info("configuration taken: " + words)
	}
	if r.level != nil && next.Log.Level != r.latest.Log.Level {
		told = true
		_ = logAt(r.level, next.Log.Level, r.log, "configuration taken: log.level is "+next.Log.Level) // which config has checked
	}
	restart := r.needRestart(next)
	for _, key := range restart {
		r.log.Warn("changed in the configuration, and taken at the next start: " + key)
	}
	said := Notices(r.latest)
	for _, notice := range Notices(next) {
		if !slices.Contains(said, notice) {
			r.log.Warn(notice)
		}
	}
	r.latest = next
	r.done(true)
	return told || len(restart) > 0
}

func (r *reloader) refuse(err error) bool {
	r.done(false)
	for line := range strings.SplitSeq(err.Error(), "\n") {
		r.log.Error("the configuration is refused, and the old one goes on", "err", line)
	}
	return true
}

// needRestart names the sections that differ and that a running watcher cannot take.
func (r *reloader) needRestart(b *config.Config) []string {
	a := r.started
	aLog, bLog := a.Log, b.Log
	if r.level != nil {
		aLog.Level = bLog.Level
	}
	var keys []string
	for _, section := range []struct {
		key  string
		a, b any
	}{
		{"nats", a.NATS, b.NATS}, {"store", a.Store, b.Store}, {"http", a.HTTP, b.HTTP}, {"log", aLog, bLog},
		{"cluster", a.Cluster, b.Cluster}, {"severity", a.Severity, b.Severity}, {"metrics", a.Metrics, b.Metrics},
	} {
		if !reflect.DeepEqual(section.a, section.b) {
			keys = append(keys, section.key)
		}
	}
	return keys
}
