package control

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/testing/slow"
)

func TestDebug(t *testing.T) {
	slow.Test(t, "1 s", "a CPU profile takes the time that it covers")
	w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
	hangs, asked := make(chan struct{}), false
	w.debug = &Debug{
		State: func() any {
			if asked {
				<-hangs
			}
			asked = true
			return map[string]int{"workers": 2}
		},
		SetLogLevel: func(level string) (string, error) {
			if level != "debug" {
				return "", errors.New("no such level")
			}
			return "info", nil
		},
	}
	defer close(hangs)
	client := w.open(t)

	before, err := client.SetLogLevel(t.Context(), "debug")
	if err != nil || before != "info" {
		t.Errorf("before: %q (%v)", before, err)
	}
	_, err = client.SetLogLevel(t.Context(), "loud")
	refuses(t, err, "no such level")

	dump, err := client.Dump(t.Context())
	state, _ := dump.State.(map[string]any)
	here := func(line string) bool { return strings.Contains(line, "control.TestDebug") }
	if err != nil || state["workers"] != 2.0 || dump.HeapBytes == 0 || !slices.ContainsFunc(dump.Goroutines, here) {
		t.Errorf("the dump is %+v (%v)", dump, err)
	}
	dump, err = client.Dump(t.Context())
	if err != nil || dump.State != "no answer within 2s" || !slices.ContainsFunc(dump.Goroutines, here) {
		t.Errorf("where a part hangs the dump is %+v (%v)", dump, err)
	}

	for _, kind := range Profiles {
		taken, err := client.Profile(t.Context(), kind, 10*time.Millisecond)
		if err != nil || !bytes.HasPrefix(taken, []byte{0x1f, 0x8b}) { // gzip
			t.Errorf("%s: %q (%v)", kind, taken, err)
		}
	}
	_, err = client.Profile(t.Context(), "secrets", time.Second)
	refuses(t, err, "secrets: no profile; there are cpu, heap")
	_, err = client.Profile(t.Context(), "cpu", time.Hour)
	refuses(t, err, "it may take up to 10m0s")
}

func TestDebugOfAnotherVersion(t *testing.T) {
	_, err := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db")).open(t).Dump(t.Context())
	refuses(t, err, "is it another version?")
}
