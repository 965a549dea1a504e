package audit

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"jobwatch/internal/relay"
)

// large is an event as long as most are, 2.5 kB.
func large(seq uint64) *relay.Event {
	e := sample(seq, fmt.Sprintf("ev-%d", seq))
	e.Data = bytes.Replace(e.Data, []byte(`"client":"sql-`), fmt.Appendf(nil, `"text":%q,"client":"sql-`, strings.Repeat(fmt.Sprint(seq*7919), 2200/len(fmt.Sprint(seq*7919)))), 1)
	return e
}

// BenchmarkDeliver writes batches of 256, and singly, each with its checkpoint on the disk.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []uint64{1, 256} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := newLog(b, Config{Size: 64 << 20})
			seq := uint64(0)
			for b.Loop() {
				var batch relay.Batch
				for range size {
					seq++
					batch.Events = append(batch.Events, large(seq))
				}
				deliver(b, l, batch)
			}
			b.ReportMetric(float64(seq)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}

// BenchmarkVerify reads 100,000 lines of 2.5 kB in rotated files.
func BenchmarkVerify(b *testing.B) {
	l := newLog(b, Config{Size: 16 << 20})
	const lines = 100_000
	for seq := uint64(0); seq < lines; {
		var batch relay.Batch
		for len(batch.Events) < 1000 {
			seq++
			batch.Events = append(batch.Events, large(seq))
		}
		deliver(b, l, batch)
	}
	l.Close()
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			verified(b, l.Dir, lines)
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			l := newLog(b, l.Config)
			if _, err := l.Deliver(context.Background(), relay.Batch{Events: []*relay.Event{large(lines)}}); err != nil {
				b.Fatal(err)
			}
			l.Close()
		}
	})
}
