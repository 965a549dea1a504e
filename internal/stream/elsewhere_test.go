package stream

import (
	"net/url"
	"testing"
	"time"
)

func TestTheServerThatWasLeftIsTriedLast(t *testing.T) {
	b := New(Config{})
	b.left = "b:4222"
	for range 20 {
		var servers []*url.URL
		for _, host := range []string{"a:4222", "b:4222", "c:4222"} {
			servers = append(servers, &url.URL{Scheme: "nats", Host: host})
		}
		if order := b.inOrder(servers); order[2].Host != b.left {
			t.Fatalf("got %v", order)
		}
	}
}

// Who knows no other server stays: a connection that is made again and again helps nobody. Closing it would panic here.
func TestTheOnlyServerIsNotLeft(t *testing.T) {
	b, s := New(Config{}), newSession()
	b.session, s.alone, s.unserved = s, true, time.Now().Add(-time.Hour)
	b.leave(s)
	s.alone, s.unserved, b.leaves = false, time.Now().Add(-patience-time.Second), 1 // nor the second, before twice the time
	b.leave(s)
}
