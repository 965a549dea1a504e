package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/spf13/cobra"

	"jobwatch/internal/config"
	"jobwatch/internal/control"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// live asks the running watcher for as long as somebody looks, and the next one after a restart. It never takes the store's
// file itself: a watcher could not start then.
type live struct {
	path, config string

	mu     sync.Mutex
	client *control.Client // nil: to be found; guarded by mu
}

// newLive wants a watcher to be there at first.
func newLive(c *cobra.Command, cfg *config.Config) (*live, error) {
	l := &live{path: cfg.Store.Path}
	l.config, _ = c.Flags().GetString("config")
	_, err := l.dial()
	return l, err
}

func (l *live) dial() (*control.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil {
		return l.client, nil
	}
	client, err := control.Dial(l.path)
	if errors.Is(err, control.ErrNobody) {
		return nil, fmt.Errorf("no watcher is running; start one with: watcher run -c %s", l.config)
	}
	l.client = client
	return client, err
}

func (l *live) Select(ctx context.Context, s control.Selection) (ids []job.ID, err error) {
	err = l.ask(func(c *control.Client) error { ids, err = c.Select(ctx, s); return err })
	return ids, err
}

func (l *live) Show(ctx context.Context, ids []job.ID) (all []store.Listed, err error) {
	err = l.ask(func(c *control.Client) error { all, err = c.Show(ctx, ids); return err })
	return all, err
}

func (l *live) Job(ctx context.Context, id job.ID) (one store.Listed, err error) {
	err = l.ask(func(c *control.Client) error { one, err = c.Job(ctx, id); return err })
	return one, err
}

func (l *live) ask(what func(*control.Client) error) error {
	client, err := l.dial()
	if err != nil {
		return &silence{err}
	}
	if err = what(client); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.client = nil
		return &silence{err}
	}
	return nil
}

// silence is an error of a watcher that does not answer, and may again.
type silence struct{ error }

func (s *silence) Unwrap() error { return s.error }
