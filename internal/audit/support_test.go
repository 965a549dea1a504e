package audit

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

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
	v, err := Verify(t.Context(), dir, Trusted{})
	if err != nil || len(v.Findings) > 0 || v.Size != lines {
		t.Fatalf("%d lines, want %d: %v\n%s", v.Size, lines, err, strings.Join(v.Findings, "\n"))
	}
	return v
}

// seqs are the sequences of the lines.
func seqs(t testing.TB, dir string) (all []uint64) {
	t.Helper()
	if err := eachLine(t.Context(), dir, func(_ []byte, l Line) error { all = append(all, l.Seq); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func foreignKey(t testing.TB, name string) (public string, s note.Signer) {
	t.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, name)
	if err == nil {
		s, err = note.NewSigner(secret)
	}
	if err != nil {
		t.Fatal(err)
	}
	return public, s
}

func unpack(data []byte) []byte {
	decoder, _ := zstd.NewReader(nil)
	defer decoder.Close()
	text, err := decoder.DecodeAll(data, nil)
	if err != nil {
		panic(err)
	}
	return text
}

func pack(text []byte) []byte {
	encoder, _ := zstd.NewWriter(nil)
	return encoder.EncodeAll(text, nil)
}

// resum is what SHA256SUMS would say of the files as they are.
func resum(f folder) []byte {
	all := sums{}
	for name, data := range f {
		if strings.HasSuffix(name, rotated) {
			all[name] = fmt.Sprintf("%x", sha256.Sum256(data))
		}
	}
	return all.text()
}

// rehash writes the hashes of the lines as they are.
func (d *damaging) rehash() {
	tree, n := &peaks{}, int64(1)
	var hashes []byte
	for n <= d.size {
		name := partName(n, rotated)
		text, has := d.folder[name]
		if has {
			text = unpack(text)
		} else {
			text = d.folder[partName(n, plain)]
		}
		for _, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
			for _, h := range tree.add(tlog.RecordHash(line)) {
				hashes = append(hashes, h[:]...)
			}
			n++
		}
	}
	d.folder[hashesName] = hashes
}
