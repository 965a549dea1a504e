package audit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jobwatch/internal/relay"
)

func sample(seq uint64, id string) *relay.Event {
	return &relay.Event{Sequence: seq, ID: id, Data: fmt.Appendf(nil,
		`{"specversion":"1.0","id":%q,"type":"jobwatch.job.state","partitionkey":"prod/%d","sequence":"%020d","time":"2026-11-30T06:00:00Z","data":{"change":{"kind":"state","detail":"running","from":null,"to":"Running"},"severity":"info","job":{"commcell":"prod","client":"sql-%d"}}}`,
		id, seq%50+1, seq, seq)}
}

func batchOf(from, to uint64) relay.Batch {
	var b relay.Batch
	for seq := from; seq <= to; seq++ {
		b.Events = append(b.Events, sample(seq, fmt.Sprintf("ev-%d", seq)))
	}
	return b
}

// clock goes on a second with each look.
func clock() func() time.Time {
	at := time.Date(2026, 11, 30, 6, 0, 0, 0, time.UTC)
	return func() time.Time { at = at.Add(time.Second); return at }
}

func newLog(t testing.TB, c Config) *Log {
	t.Helper()
	if c.Dir == "" {
		c.Dir = filepath.Join(t.TempDir(), "ops")
	}
	if c.now == nil {
		c.now = clock()
	}
	l, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func deliver(t testing.TB, l *Log, b relay.Batch) {
	t.Helper()
	done, err := l.Deliver(context.Background(), b)
	if err != nil || done != len(b.Events) {
		t.Fatalf("delivered %d of %d: %v", done, len(b.Events), err)
	}
}

func refused(t testing.TB, l *Log, b relay.Batch, kind relay.Kind, words string) {
	t.Helper()
	done, err := l.Deliver(context.Background(), b)
	refusal, is := errors.AsType[*relay.Refusal](err)
	if !is || done != 0 || refusal.Kind != kind || !strings.Contains(refusal.Reason, words) {
		t.Fatalf("delivered %d: %v; want a refusal %s with %q", done, err, kind, words)
	}
}

func verified(t testing.TB, dir string, lines int64) Verified {
	t.Helper()
	v, err := Verify(dir, Trusted{})
	if err != nil || len(v.Findings) > 0 || v.Size != lines {
		t.Fatalf("%d lines, want %d: %v\n%s", v.Size, lines, err, strings.Join(v.Findings, "\n"))
	}
	return v
}

// seqs are the sequences of the lines.
func seqs(t testing.TB, dir string) (all []uint64) {
	t.Helper()
	if err := eachLine(dir, func(_ []byte, l Line) error { all = append(all, l.Seq); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}
