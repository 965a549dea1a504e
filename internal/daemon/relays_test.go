package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/config"
	"jobwatch/internal/relay"
)

type nowhere struct{ relay.Destination }

// TestARelayThatCannotStart: it alone stands still, says why once, and starts when the reason is gone.
func TestARelayThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var broken atomic.Bool
		broken.Store(true)
		running := map[string]*atomic.Int32{"good": {}, "bad": {}, "good2": {}}
		all := newRelays([]config.Relay{{Name: "bad"}, {Name: "good"}}, func(c config.Relay) *relayRunner {
			return &relayRunner{
				Relay: c, log: slog.New(slog.NewTextHandler(&log, nil)),
				open: func(c config.Relay) (relay.Destination, error) {
					if c.Name == "bad" && broken.Load() {
						return nil, errors.New("token_file: no such file")
					}
					return nowhere{}, nil
				},
				run: func(ctx context.Context, _ relay.Destination) error {
					running[c.Name].Add(1)
					defer running[c.Name].Add(-1)
					<-ctx.Done()
					return nil
				},
			}
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- all.Run(ctx) }()
		time.Sleep(10 * time.Second)
		if running["good"].Load() != 1 || running["bad"].Load() != 0 {
			t.Error("the good one alone should run")
		}
		if trouble, since := all.Runners()[0].stands(); text(trouble) != "token_file: no such file" || time.Since(since) != 10*time.Second {
			t.Errorf("%v since %v", trouble, since)
		}
		if n := strings.Count(log.String(), "no such file"); n != 1 {
			t.Errorf("said %d times:\n%s", n, log.String())
		}
		broken.Store(false)
		time.Sleep(openAgain)
		synctest.Wait()
		if trouble, _ := all.Runners()[0].stands(); trouble != nil || running["bad"].Load() != 1 {
			t.Errorf("does not run: %v", trouble)
		}
		words, _ := all.Apply([]config.Relay{{Name: "bad"}, {Name: "good", Rate: 1}, {Name: "good2"}})
		if words != "good has changed, good2 is new" {
			t.Error(words)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
