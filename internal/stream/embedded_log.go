package stream

import (
	"fmt"
	"log/slog"
	"sync"
)

// serverLog takes the embedded server's log: warnings and errors only. What is fatal to a server of its own, which would
// end the process, is an error of StartEmbedded.
type serverLog struct {
	log *slog.Logger

	mu    sync.Mutex
	up    bool
	fatal error // the first one
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}

func (l *serverLog) Warnf(format string, args ...any) {
	l.log.Warn("embedded NATS server: " + fmt.Sprintf(format, args...))
}

func (l *serverLog) Errorf(format string, args ...any) {
	l.log.Error("embedded NATS server: " + fmt.Sprintf(format, args...))
}

func (l *serverLog) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.up {
		l.Errorf(format, args...)
	} else if l.fatal == nil {
		l.fatal = fmt.Errorf(format, args...)
	}
}

// started ends the start: what is fatal from now on is logged.
func (l *serverLog) started() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up = true
	return l.fatal
}
