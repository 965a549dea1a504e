package daemon

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"jobwatch/internal/config"
	"jobwatch/internal/event"
	"jobwatch/internal/poller"
	"jobwatch/internal/store"
)

// A CommCell that could not be polled here, since a file of its settings is gone, is given away all the same: to rest waits
// for what polls, and not for what looks after it while another polls.
func TestWhatIsNotPolledIsNotWaitedFor(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "watcher.db"), event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var broken error
	p, err := newPollers([]config.CommCell{{Name: "prod"}}, true, func(cell config.CommCell) (*poller.Poller, error) {
		return poller.New(poller.Config{CommCell: cell.Name, Store: s}), broken
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	defer func() { stop(); <-ended }()
	for deadline := time.Now().Add(time.Minute); p.states()[0]["started"] != true; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing starts")
		}
	}
	broken = errors.New("its certificate is gone")
	if _, err := p.Poll("prod", true); err == nil {
		t.Fatal("it is polled")
	}
	wait, err := p.Poll("prod", false)
	if err != nil {
		t.Fatal(err)
	}
	rested := make(chan struct{})
	go func() { wait(); close(rested) }()
	select {
	case <-rested:
	case <-time.After(20 * time.Second):
		t.Error("it waits for what goes on")
	}
}
