// Package ports finds ports for tests of what has to keep its address over a restart.
package ports

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

var (
	mu    sync.Mutex
	given = map[int]bool{} // guarded by mu
)

// Free gives a port of 127.0.0.1 on which nobody listens, each once. It is none of those that the system gives to
// connections and to who does not care (from 32768 on): such a one may be taken before it is used, or used again.
func Free(t testing.TB) int {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	for range 1000 {
		port := 10000 + rand.IntN(20000)
		if given[port] {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			given[port] = true
			return port
		}
	}
	t.Fatal("no port below 30000 is free")
	return 0
}
