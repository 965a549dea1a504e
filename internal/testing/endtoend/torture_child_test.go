package endtoend

import (
	"fmt"
	"math"
	"os"
	"os/signal"
	"syscall"
)

// What the environment says to the test binary as a watcher. The watcher that is shipped does not read it.
const (
	quotaVariable = "JOBWATCH_TEST_QUOTA" // "4096": SIGUSR1 limits the size of files to so many bytes, SIGUSR2 lifts that
	fullVariable  = "JOBWATCH_TEST_FULL"  // "4096": it is limited from the start
)

// What it says about that.
const (
	crashesAt   = "crashes at "
	obeys       = "obeys signals"
	quotaSet    = "file size limited"
	quotaLifted = "file size unlimited"
)

// armed makes the watcher die or fail where the test wants it.
func armed() {
	armCrash()
	var bytes uint64
	if n, _ := fmt.Sscan(os.Getenv(fullVariable), &bytes); n == 1 {
		signal.Ignore(syscall.SIGXFSZ)
		limitFileSize(bytes)
	}
	if n, _ := fmt.Sscan(os.Getenv(quotaVariable), &bytes); n == 1 {
		go obeyQuota(bytes)
	}
}

// obeyQuota has writes fail as on a disk with a quota: what lies beyond is refused (EFBIG).
func obeyQuota(bytes uint64) {
	signal.Ignore(syscall.SIGXFSZ)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	fmt.Fprintln(os.Stderr, obeys)
	for s := range signals {
		if s == syscall.SIGUSR1 {
			limitFileSize(bytes)
			fmt.Fprintln(os.Stderr, quotaSet)
			continue
		}
		limitFileSize(math.MaxUint64)
		fmt.Fprintln(os.Stderr, quotaLifted)
	}
}

func limitFileSize(bytes uint64) {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit)
	limit.Cur = min(bytes, limit.Max)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	}
	if err != nil {
		panic(err)
	}
}
