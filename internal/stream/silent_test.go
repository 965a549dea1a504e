package stream

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// muffled is the way to a server on which what is asked of consumers gets lost: so it is while the server that holds
// them is dead, and the connection's own lives.
func muffled(t *testing.T, serverURL string, what *atomic.Pointer[string]) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", strings.TrimPrefix(serverURL, "nats://"))
			if err != nil {
				near.Close()
				return
			}
			t.Cleanup(func() { near.Close(); far.Close() })
			go func() { _, _ = io.Copy(near, far); near.Close() }()
			go func() { _ = carry(far, bufio.NewReader(near), what); far.Close() }()
		}
	}()
	return "nats://" + l.Addr().String()
}

// carry carries the client's protocol, but for what is published to a subject that holds the words.
func carry(to io.Writer, from *bufio.Reader, what *atomic.Pointer[string]) error {
	for {
		line, err := from.ReadBytes('\n')
		if err != nil {
			return err
		}
		words := strings.Fields(string(line))
		if len(words) > 2 && (words[0] == "PUB" || words[0] == "HPUB") {
			size, err := strconv.Atoi(words[len(words)-1])
			if err != nil {
				return err
			}
			body := make([]byte, size+2)
			if _, err := io.ReadFull(from, body); err != nil {
				return err
			}
			if lost := what.Load(); lost != nil && strings.Contains(words[1], *lost) {
				continue
			}
			line = append(line, body...)
		}
		if _, err := to.Write(line); err != nil {
			return err
		}
	}
}

// A stream is read to its end from its leader, where its consumers give nothing: not in ten seconds and an error.
func TestAScanWhoseConsumerIsSilent(t *testing.T) {
	for _, lost := range []string{"CONSUMER.MSG.NEXT.", "CONSUMER.CREATE."} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t)
			var muffle atomic.Pointer[string]
			b := use(t, srv, func(c *Config) { c.URL = muffled(t, srv.ClientURL(), &muffle) })
			fill(t, b, 5)
			if _, err := b.Scan(soon(t), 0, func(Message) error { return nil }); err != nil { // which leaves a reader
				t.Fatal(err)
			}
			publish(t, b, event(6, "id-6", 0))
			forgetMessages(t, b, 3)
			muffle.Store(&lost)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var got []uint64
			last, err := b.Scan(ctx, 2, func(m Message) error {
				got = append(got, m.Sequence)
				if want := fmt.Sprintf("id-%d", m.Sequence); m.ID != want || string(m.Data) != `{"id":"`+want+`"}` {
					t.Errorf("message %d: %+v", m.Sequence, m)
				}
				return nil
			})
			if err != nil || last != 6 || !slices.Equal(got, []uint64{2, 4, 5, 6}) {
				t.Errorf("got %v, last %d, %v", got, last, err)
			}
		})
	}
}
