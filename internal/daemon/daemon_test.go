package daemon

import (
	"testing"
	"testing/synctest"
	"time"
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
