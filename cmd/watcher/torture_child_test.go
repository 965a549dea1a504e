package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// What the environment says to the test binary as a watcher. The watcher that is shipped does not read it.
const quotaVariable = "JOBWATCH_TEST_QUOTA" // SIGUSR1 limits the size of files to so many bytes, SIGUSR2 lifts that

// What it says about that.
const (
	crashesAt   = "crashes at "
	quotaObeyed = "obeys signals about file sizes"
	quotaSet    = "file size limited"
	quotaLifted = "file size unlimited"
)

// armed makes the watcher die or fail where the test wants it.
func armed() {
	armCrash()
	var bytes uint64
	if n, _ := fmt.Sscan(os.Getenv(quotaVariable), &bytes); n == 1 {
		go obeyQuota(bytes)
	}
}

// obeyQuota has writes fail as on a disk with a quota: what lies beyond is refused (EFBIG).
func obeyQuota(bytes uint64) {
	signal.Ignore(syscall.SIGXFSZ)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGUSR2)
	fmt.Fprintln(os.Stderr, quotaObeyed)
	for s := range signals {
		var limit syscall.Rlimit
		err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit)
		limit.Cur = limit.Max
		say := quotaLifted
		if s == syscall.SIGUSR1 {
			limit.Cur, say = bytes, quotaSet
		}
		if err == nil {
			err = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
		}
		if err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, say)
	}
}
