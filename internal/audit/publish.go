package audit

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"
)

// letPublish says that there may be a checkpoint to publish.
func (l *Log) letPublish() {
	select {
	case l.fresh <- struct{}{}:
	default:
	}
}

// publishAll publishes the checkpoint whenever there is one that was not, also after a restart, until ctx ends.
func (l *Log) publishAll(ctx context.Context) {
	last, _ := os.ReadFile(filepath.Join(l.Dir, publishedName))
	for {
		wait := time.Duration(-1)
		current, err := os.ReadFile(filepath.Join(l.Dir, checkpointName))
		if err == nil && !bytes.Equal(current, last) {
			if l.publishOne(ctx, current) != nil {
				wait = l.retry
			} else {
				last = current
				continue
			}
		}
		var later <-chan time.Time
		if wait > 0 {
			later = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-l.fresh:
		case <-later:
		}
		if wait > 0 { // not more often because there are more
			select {
			case <-ctx.Done():
				return
			case <-time.After(l.retry / 5):
			}
		}
	}
}

func (l *Log) publishOne(ctx context.Context, checkpoint []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := l.Publish(ctx, checkpoint); err != nil {
		return err
	}
	// Forgotten, it is published once more, which does no harm.
	_ = os.WriteFile(filepath.Join(l.Dir, publishedName), checkpoint, 0o644)
	return nil
}
