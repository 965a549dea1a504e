package slack

import (
	"io"
	"net"
	"strings"
	"testing"

	"jobwatch/internal/relay"
	"jobwatch/internal/testing/fakeslack"
)

// TestNoSecretIsSaid where what answers sends back what it got: it need not be Slack.
func TestNoSecretIsSaid(t *testing.T) {
	w := newWorld(t)
	w.fake.Faults(func(string, int) fakeslack.Fault { return fakeslack.Fault{Error: "got " + fakeslack.Token} })
	if refusal := w.refuses(relay.Uncertain, life()[0]); !strings.Contains(refusal.Reason, "got …") {
		t.Errorf("the token is said: %q", refusal.Reason)
	}
	address := "http://" + mirror(t) + "/services/T0123456/B0123456/s3cr3t-part"
	w.config = Config{Relay: "ops", WebhookURL: func() (string, error) { return address, nil }, Memory: w.memory}
	w.restarts()
	if refusal := w.refuses(relay.Uncertain, life()[0]); !strings.Contains(refusal.Reason, "…") || strings.Contains(refusal.Reason, "s3cr3t") {
		t.Errorf("the address is said: %q", refusal.Reason)
	}
}

// mirror is no HTTP server: the first bytes that it gets it sends back.
func mirror(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.CopyN(conn, conn, 64)
			}()
		}
	}()
	return l.Addr().String()
}
