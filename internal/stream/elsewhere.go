package stream

import (
	"math/rand/v2"
	"net/url"
	"slices"
	"time"
)

// patience is how long a server's JetStream may not serve before another server is tried. An election takes up to 9 s.
const patience = 10 * time.Second

// leave closes a connection whose server has not served for so long, where another one is known: it may be cut off from
// them. Where that one does not serve either, it is the cluster, and there is no hurry.
func (b *Broker) leave(s *session) {
	if b.hadEnough(s) {
		s.nc.Close()
	}
}

func (b *Broker) hadEnough(s *session) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.session != s || s.alone {
		return false
	}
	now := time.Now()
	if s.unserved.IsZero() {
		s.unserved = now
	}
	if now.Sub(s.unserved) < patience<<min(b.leaves, 5) {
		return false
	}
	b.left, b.leaves = s.host, b.leaves+1
	b.log.Warn("the JetStream of " + s.host + " does not serve; trying another server")
	return true
}

// inOrder gives servers in any order, the one that was left last.
func (b *Broker) inOrder(servers []*url.URL) []*url.URL {
	b.mu.Lock()
	defer b.mu.Unlock()
	servers = slices.Clone(servers)
	rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	slices.SortStableFunc(servers, func(x, y *url.URL) int { return rank(x.Host == b.left) - rank(y.Host == b.left) })
	return servers
}

func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}
