package web

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener whose connections exist in this process alone, so that time can be simulated.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9480} }

// overPipes serves in a bubble of simulated time, and hands over one connection's other end.
func overPipes(t *testing.T, talk func(conn net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		listener, ended := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}, make(chan error)
		s := New(Config{Listen: "127.0.0.1:9480", Metrics: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler)})
		go func() { ended <- s.Run(ctx, listener) }()
		ours, theirs := net.Pipe()
		listener.conns <- theirs
		talk(ours)
		ours.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestASlowRequestIsGivenUp: a client that sends a byte now and then, or none, holds a connection for a bounded time only.
func TestASlowRequestIsGivenUp(t *testing.T) {
	for name, row := range map[string]struct {
		begin   string
		drip    string // each second from then on
		atMost  time.Duration
		answers string
	}{
		"says nothing":             {"", "", 11 * time.Second, ""},
		"drips a header":           {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", "X", 11 * time.Second, ""},
		"drips headers":            {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n", 11 * time.Second, ""},
		"drips a body":             {"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000\r\n\r\n", "x", 31 * time.Second, ""},
		"asks once, and sits idle": {"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "", 121 * time.Second, "200 OK"},
	} {
		t.Run(name, func(t *testing.T) {
			overPipes(t, func(conn net.Conn) {
				began, closed := time.Now(), make(chan string)
				go func() {
					answer, _ := io.ReadAll(conn)
					closed <- string(answer)
				}()
				_, _ = io.WriteString(conn, row.begin)
				for {
					select {
					case answer := <-closed:
						if took := time.Since(began); took > row.atMost || !strings.Contains(answer, row.answers) {
							t.Errorf("closed after %v with %q", took, answer)
						}
						return
					case <-time.After(time.Second):
						if row.drip != "" {
							_, _ = io.WriteString(conn, row.drip)
						}
					}
					if time.Since(began) > 10*time.Minute {
						t.Error("it is served for ever")
						conn.Close()
						<-closed
						return
					}
				}
			})
		})
	}
}

// TestLargeHeadersAreRefused, whether they are many or long.
func TestLargeHeadersAreRefused(t *testing.T) {
	for name, headers := range map[string]string{"long": "X: " + strings.Repeat("a", 32<<10) + "\r\n", "many": strings.Repeat("X: y\r\n", 6<<10)} {
		t.Run(name, func(t *testing.T) {
			overPipes(t, func(conn net.Conn) {
				go func() { _, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"+headers+"\r\n") }()
				status, err := bufio.NewReader(conn).ReadString('\n')
				if err != nil || !strings.Contains(status, "431") {
					t.Errorf("got %q, %v", status, err)
				}
			})
		})
	}
}

// TestAReaderWhoDoesNotReadIsGivenUp.
func TestAReaderWhoDoesNotReadIsGivenUp(t *testing.T) {
	overPipes(t, func(conn net.Conn) {
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		time.Sleep(answerWithin + time.Second)
		if answer, _ := io.ReadAll(conn); len(answer) > 0 {
			t.Errorf("after %v it is answered: %q", answerWithin, answer)
		}
	})
}
