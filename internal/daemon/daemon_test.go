package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/store"
)

// TestTheReadingOfTheStreamHasABound holds the start to what it waits for.
func TestTheReadingOfTheStreamHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := awaitReading(t.Context(), make(chan struct{})); err == nil || time.Since(began) != readPatience {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		read := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(read) })
		if err := awaitReading(t.Context(), read); err != nil || time.Since(began) != readPatience+time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// TestAnOverwrittenStoreIsNotWaitedFor: who works with the store then may never return.
func TestAnOverwrittenStoreIsNotWaitedFor(t *testing.T) {
	p := &parts{store: &store.Store{}}
	overwritten := errors.New("overwritten")
	err := p.untilBroken(t.Context(), func(ctx context.Context) error {
		for range 3 { // each transaction that finds it
			go p.store.Broken(overwritten)
		}
		select {}
	})
	if !errors.Is(err, overwritten) {
		t.Errorf("it ends with %v", err)
	}
}
