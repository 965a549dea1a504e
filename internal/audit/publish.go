package audit

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"time"
)

// retry is when a checkpoint that could not be published is tried again.
const retry = 5 * time.Second

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
		current, err := os.ReadFile(filepath.Join(l.Dir, checkpointName))
		if err != nil || bytes.Equal(current, last) {
			select {
			case <-ctx.Done():
				return
			case <-l.fresh:
			}
			continue
		}
		if l.publishOne(ctx, current) == nil {
			last = current
			continue
		}
		select { // not more often because there are more
		case <-ctx.Done():
			return
		case <-time.After(retry):
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
