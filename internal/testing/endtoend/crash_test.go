package endtoend

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"jobwatch/internal/failpoint"
)

// crashVariable names the point at which a watcher that the test binary plays kills itself, and at which pass of it:
// "after commit:3".
const crashVariable = "JOBWATCH_CRASH"

func armCrash() {
	text := os.Getenv(crashVariable)
	if text == "" {
		return
	}
	name, pass, _ := strings.Cut(text, ":")
	nth, err := strconv.ParseInt(pass, 10, 64)
	if err != nil || nth < 1 || !slices.Contains(failpoint.CrashPoints, failpoint.Point(name)) {
		panic(fmt.Sprintf("%s=%q: want <point>:<pass>, with one of %q", crashVariable, text, failpoint.CrashPoints))
	}
	var passes atomic.Int64
	hook := func(at failpoint.Point, _ any) error {
		if at == failpoint.Point(name) && passes.Add(1) == nth {
			killSelf()
		}
		return nil
	}
	failpoint.Hook.Store(&hook)
}

// killSelf is kill -9, with the moment said: nothing is put in order, and nothing comes after it.
func killSelf() {
	fmt.Fprintln(os.Stderr, crashesAt+time.Now().Format(time.RFC3339Nano))
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {}
}
