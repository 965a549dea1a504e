package stream_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wire lies between a broker and its server. What comes along can be lost on either way.
type wire struct {
	listener net.Listener
	up, down *direction

	mu   sync.Mutex
	to   string // host:port of the server
	ends []net.Conn
}

// direction is one direction of a wire.
type direction struct {
	mu        sync.Mutex
	swallows  bool
	swallowed bool
}

func newWire(t *testing.T) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: l, up: &direction{}, down: &direction{}}
	t.Cleanup(func() {
		l.Close()
		w.cut()
	})
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			w.join(near)
		}
	}()
	return w
}

func (w *wire) url() string { return "nats://" + w.listener.Addr().String() }

// lead has the connections to come end at a server's port.
func (w *wire) lead(host string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = host
}

func (w *wire) server() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to
}

func (w *wire) join(near net.Conn) {
	far, err := net.Dial("tcp", w.server())
	if err != nil {
		near.Close()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = append(w.ends, near, far)
	go w.up.carry(far, near)
	go w.down.carry(near, far)
}

// cut ends the connections; the next one loses nothing.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, end := range w.ends {
		end.Close()
	}
	w.ends = nil
	w.up.heal()
	w.down.heal()
}

func (y *direction) carry(to, from net.Conn) {
	defer to.Close()
	_, _ = io.Copy(y.onto(to), from)
}

// onto writes to an end what is not swallowed.
func (y *direction) onto(to io.Writer) io.Writer {
	return writer(func(p []byte) (int, error) {
		y.mu.Lock()
		defer y.mu.Unlock()
		if y.swallows {
			y.swallowed = true
			return len(p), nil
		}
		return to.Write(p)
	})
}

type writer func([]byte) (int, error)

func (f writer) Write(p []byte) (int, error) { return f(p) }

func (y *direction) swallow() { y.set(true) }
func (y *direction) heal()    { y.set(false) }

func (y *direction) set(swallows bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.swallows, y.swallowed = swallows, false
}

func (y *direction) hasSwallowed() bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.swallowed
}
