package email

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"jobwatch/internal/relay"
)

// TestAServerThatTalksWithoutEnd: a line that does not end, and lines that do not, are read up to a limit.
func TestAServerThatTalksWithoutEnd(t *testing.T) {
	for name, words := range map[string]string{"a line": strings.Repeat("a", 1<<16), "lines": strings.Repeat("220-a\r\n", 1<<13)} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			var sent atomic.Int64
			go func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				for range 2000 {
					n, err := conn.Write([]byte(words))
					if sent.Add(int64(n)); err != nil {
						return
					}
				}
			}()
			e := to(t, &server{addr: listener.Addr().String()}, with(None))
			_, refusal := deliver(t, e, batch(t, state("e-1", "", "Running")))
			if refusal == nil || refusal.Kind != relay.Away || !strings.Contains(refusal.Reason, "says more than 1 MiB") {
				t.Errorf("got %+v", refusal)
			}
			if sent.Load() > 16<<20 {
				t.Errorf("%d MiB were taken", sent.Load()>>20)
			}
		})
	}
}
