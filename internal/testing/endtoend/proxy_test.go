package endtoend

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"

	"jobwatch/internal/testing/ports"
)

// proxy stands between the watcher and NATS. While it swallows, what the watcher sends arrives, and
// what NATS answers does not: acknowledgements get lost, of events that are in the stream.
type proxy struct {
	t      *testing.T
	listen string
	target string

	mu   sync.Mutex
	now  *toxiproxy.Proxy // guarded by mu
	loss *loss            // of now; guarded by mu
}

func newProxy(t *testing.T, target string) *proxy {
	p := &proxy{t: t, listen: keptAddress(t), target: target}
	p.cut()
	t.Cleanup(p.close)
	return p
}

// keptAddress is free, and stays so while nobody listens there.
func keptAddress(t *testing.T) string { return fmt.Sprintf("127.0.0.1:%d", ports.Free(t)) }

func (p *proxy) address() string { return p.listen }

// swallow begins at once, also on open connections.
func (p *proxy) swallow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loss.on.Store(true)
}

// pass ends the swallowing. The connections that missed something are cut: their protocol is broken.
func (p *proxy) pass() {
	p.mu.Lock()
	swallowed := p.loss.on.Load()
	p.mu.Unlock()
	if swallowed {
		p.cut()
	}
}

// cut closes all connections. Those that are made from now on suffer from the toxics given, as toxiproxy's API has
// them. A toxic is never added to an open connection: toxiproxy may wait for ever for one that is just closing.
func (p *proxy) cut(toxic ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
	p.now = toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), "nats", p.listen, p.target)
	for _, json := range append([]string{`{"type": "loss"}`}, toxic...) {
		added, err := p.now.Toxics.AddToxicJson(strings.NewReader(json))
		if err != nil {
			p.t.Fatalf("%s: %v", json, err)
		}
		if l, ok := added.Toxic.(*loss); ok {
			p.loss = l
		}
	}
	err := p.now.Start()
	for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); err = p.now.Start() {
		time.Sleep(10 * time.Millisecond) // another test tries whether the port is free
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// close refuses all connections until the next cut.
func (p *proxy) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop()
}

func (p *proxy) stop() {
	if p.now != nil {
		p.now.Stop()
	}
}

// loss is a toxic that drops what comes by while it is on.
type loss struct{ on atomic.Bool }

func init() { toxics.Register("loss", new(loss)) }

// Pipe is toxiproxy's.
func (l *loss) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			if !l.on.Load() {
				stub.Output <- chunk
			}
		}
	}
}
