package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"jobwatch/internal/relay"
)

func TestEachEventOnce(t *testing.T) {
	l := newLog(t, Config{})
	deliver(t, l, batchOf(1, 5))
	deliver(t, l, batchOf(3, 8))
	l.Close()
	l = newLog(t, l.Config)
	deliver(t, l, batchOf(1, 10))
	if got := fmt.Sprint(seqs(t, l.Dir)); got != "[1 2 3 4 5 6 7 8 9 10]" {
		t.Error(got)
	}
	v := verified(t, l.Dir, 10)
	if v.First != 1 || v.Last != 10 || v.Origin != "jobwatch/ops" || v.Time == nil || v.Trust != "it lies beside the folder, in "+l.Dir+".key.pub" {
		t.Errorf("%+v", v)
	}
	info, err := os.Stat(l.Dir + ".key")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key: %v %v", info.Mode(), err)
	}
}

func TestStreamThatBeginsAgain(t *testing.T) {
	l := newLog(t, Config{Size: 2000, recent: 10})
	for seq := uint64(1); seq <= 100; seq++ {
		deliver(t, l, batchOf(seq, seq))
	}
	l.Close()
	l = newLog(t, l.Config)
	var again relay.Batch // the old events under other sequences, and new ones among them
	for seq := uint64(1); seq <= 100; seq++ {
		again.Events = append(again.Events, sample(2*seq, fmt.Sprintf("ev-%d", seq)), sample(2*seq+1, fmt.Sprintf("new-%d", seq)))
	}
	deliver(t, l, again)
	verified(t, l.Dir, 200)
}

func TestRotation(t *testing.T) {
	l := newLog(t, Config{Size: 4000, Keep: 3})
	for seq := uint64(1); seq <= 300; seq += 5 {
		deliver(t, l, batchOf(seq, seq+4))
	}
	v := verified(t, l.Dir, 300)
	if v.First < 200 || v.Removed != v.First-1 || v.Kept < 5 {
		t.Errorf("%+v", v)
	}
	l.Close()
	l = newLog(t, l.Config)
	deliver(t, l, batchOf(301, 310))
	verified(t, l.Dir, 310)
}

func TestRotationByAge(t *testing.T) {
	l := newLog(t, Config{Age: 24 * time.Hour})
	now := time.Now()
	l.now = func() time.Time { return now }
	for day := range uint64(4) {
		deliver(t, l, batchOf(10*day+1, 10*day+10))
		now = now.Add(24 * time.Hour)
	}
	files, _, _ := parts(l.Dir)
	if len(files) != 4 || files[3].rotated || !files[2].rotated || files[3].first != 31 {
		t.Errorf("%v", files)
	}
	if v := verified(t, l.Dir, 40); v.Kept != 4 {
		t.Errorf("kept %d checkpoints", v.Kept)
	}
}

func TestTailIsCutBack(t *testing.T) {
	for _, row := range []struct{ name, tail string }{
		{"audit-00000000000000000001.jsonl", `{"n":6,"seq":6,"at`},
		{"audit-00000000000000000001.jsonl", `{"n":6,"seq":6,"at":"2026-11-30T06:00:00Z","event":{}}` + "\n"},
		{"audit-00000000000000000006.jsonl", `{"n":6`},
		{"hashes", "half a hash"},
		{"checkpoint.tmp", "jobwatch/ops\n6\n"},
		{"audit-00000000000000000001.jsonl.zst.tmp", "(\xb5/\xfd"},
	} {
		l := newLog(t, Config{})
		deliver(t, l, batchOf(1, 5))
		l.Close()
		appendTo(t, filepath.Join(l.Dir, row.name), row.tail)
		l = newLog(t, l.Config)
		deliver(t, l, batchOf(5, 10))
		verified(t, l.Dir, 10)
	}
}

func appendTo(t testing.TB, name, text string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func change(t testing.TB, name string, with func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, with(bytes.Clone(data)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamageStopsTheRelay(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(b []byte) []byte { b[(at+len(b))%len(b)] ^= 1; return b }
	}
	cut := func(b []byte) []byte { return b[:len(b)-1] }
	for _, row := range []struct {
		name  string
		with  func([]byte) []byte // nil: removed
		words string
	}{
		{"audit-00000000000000000041.jsonl", flip(60), "line 41 is not what was written"},
		{"audit-00000000000000000041.jsonl", cut, "line 50 is not what was written"},
		{"audit-00000000000000000041.jsonl", nil, "line 41 is missing"},
		{"audit-00000000000000000001.jsonl.zst", nil, "audit-00000000000000000001.jsonl.zst is missing"},
		{"hashes", flip(int(hashesSize(45))), "line 46 is not what was written"},
		{"hashes", flip(tlogRoot(50)), "hashes do not give the root"},
		{"hashes", cut, "the checkpoint of 50 lines needs"},
		{"hashes", nil, "hashes is missing"},
		{"checkpoint", flip(14), "checkpoint: signature: "},
		{"checkpoint", nil, "checkpoint is missing"},
		{"checkpoints", nil, "checkpoints is missing"},
		{"keys", nil, "keys: no verifier key in it"},
		{"../ops.key", nil, "its key"},
		{"../ops.key", flip(30), "no signing key"},
		{"SHA256SUMS", nil, "was not written by this log"},
	} {
		l := newLog(t, Config{Size: 1})
		for seq := uint64(1); seq <= 50; seq += 10 {
			deliver(t, l, batchOf(seq, seq+9))
		}
		l.Close()
		if path := filepath.Join(l.Dir, row.name); row.with != nil {
			change(t, path, row.with)
		} else if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		l = newLog(t, l.Config)
		if err := l.Open(context.Background()); err == nil || !strings.Contains(err.Error(), row.words) {
			t.Errorf("opened: %v, want %q", err, row.words)
		}
		refused(t, l, batchOf(51, 60), relay.Broken, row.words)
		refused(t, l, batchOf(51, 60), relay.Broken, row.words)
	}
}

// tlogRoot is where a byte of the largest subtree's root lies.
func tlogRoot(lines int64) int {
	level := 0
	for lines>>(level+1) > 0 {
		level++
	}
	return int(hashesSize(1<<level)) - 1
}

func TestFolderThatIsGone(t *testing.T) {
	l := newLog(t, Config{})
	deliver(t, l, batchOf(1, 5))
	if err := os.RemoveAll(l.Dir); err != nil {
		t.Fatal(err)
	}
	refused(t, l, batchOf(6, 6), relay.Away, "")
	refused(t, l, batchOf(6, 6), relay.Broken, "has signed a log that is not in")
}

func TestForeignKey(t *testing.T) {
	l, other := newLog(t, Config{}), newLog(t, Config{})
	deliver(t, l, batchOf(1, 5))
	deliver(t, other, batchOf(1, 5))
	l.Close()
	l = newLog(t, Config{Dir: l.Dir, KeyFile: other.KeyFile})
	refused(t, l, batchOf(6, 6), relay.Broken, "checkpoint is signed by jobwatch/ops+")
}

func TestSecondWriterIsRefused(t *testing.T) {
	l := newLog(t, Config{})
	deliver(t, l, batchOf(1, 5))
	second := newLog(t, Config{Dir: l.Dir})
	if err := second.Open(context.Background()); err != nil {
		t.Error(err)
	}
	refused(t, second, batchOf(6, 6), relay.Away, "in use by another process")
	l.letGo() // as it does when it gets nothing
	deliver(t, second, batchOf(5, 6))
	second.letGo()
	deliver(t, l, batchOf(6, 7)) // sees that somebody else has written
	verified(t, l.Dir, 7)
}

func TestNoEvent(t *testing.T) {
	l := newLog(t, Config{})
	b := batchOf(1, 3)
	b.Events[1].Data = []byte(`{"id": "x"`)
	done, err := l.Deliver(context.Background(), b)
	if done != 1 || !strings.Contains(fmt.Sprint(err), `event "ev-2" is no JSON`) {
		t.Errorf("%d %v", done, err)
	}
	verified(t, l.Dir, 1)
}

func TestKeyRotation(t *testing.T) {
	l := newLog(t, Config{})
	deliver(t, l, batchOf(1, 5))
	first, _ := os.ReadFile(l.KeyFile + ".pub")
	l.Close()
	if _, err := AddKey(l.KeyFile); err != nil {
		t.Fatal(err)
	}
	l = newLog(t, l.Config)
	deliver(t, l, batchOf(6, 10))
	l.Close()
	change(t, l.KeyFile, func(b []byte) []byte { return b[:bytes.IndexByte(b, '\n')+1] }) // the old key is destroyed
	l = newLog(t, l.Config)
	deliver(t, l, batchOf(11, 15))
	verified(t, l.Dir, 15)
	v, err := Verify(t.Context(), l.Dir, Trusted{Keys: string(first)})
	if err != nil || len(v.Findings) > 0 {
		t.Errorf("with the first key: %v %q", err, v.Findings)
	}
}

func TestKeyThatTakesOverByItself(t *testing.T) {
	l := newLog(t, Config{})
	deliver(t, l, batchOf(1, 5))
	l.Close()
	public, signer := foreignKey(t, l.Origin)
	resign := func(b []byte) []byte {
		text, _, _ := bytes.Cut(b, []byte("\n\n"))
		again, _ := note.Sign(&note.Note{Text: string(text) + "\n"}, signer)
		return again
	}
	change(t, filepath.Join(l.Dir, keysName), func(b []byte) []byte { return append(b, public+"\n"...) })
	change(t, filepath.Join(l.Dir, checkpointName), resign)
	change(t, filepath.Join(l.Dir, checkpointsName), func(b []byte) []byte { return append(append(b, resign(b)...), '\n') })
	v, err := Verify(t.Context(), l.Dir, Trusted{})
	if err != nil || !strings.Contains(fmt.Sprint(v.Findings), "not signed by a key that is trusted") {
		t.Errorf("%v %q", err, v.Findings)
	}
}

func TestPackedFileThatHoldsTheSame(t *testing.T) {
	l := newLog(t, Config{Size: 1})
	deliver(t, l, batchOf(1, 5))
	deliver(t, l, batchOf(6, 10))
	l.Close()
	appendTo(t, filepath.Join(l.Dir, partName(1, rotated)), "\x50\x2a\x4d\x18\x01\x00\x00\x00x") // a frame that is skipped
	v, err := Verify(t.Context(), l.Dir, Trusted{})
	if err != nil || len(v.Findings) != 1 || !strings.Contains(v.Findings[0], "not the bytes of which SHA256SUMS has the sum") {
		t.Errorf("%v %q", err, v.Findings)
	}
}

func TestPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		fails := true
		tried := make(chan struct{})
		publish := func(_ context.Context, checkpoint []byte) error {
			if fails {
				tried <- struct{}{}
				return fmt.Errorf("NATS is away")
			}
			got = append(got, string(checkpoint))
			return nil
		}
		l := newLog(t, Config{Publish: publish})
		deliver(t, l, batchOf(1, 5))
		for range 10 {
			<-tried // again and again
		}
		synctest.Wait()
		l.Close() // the last was not published
		fails = false
		for range 2 { // the second time there is nothing new
			l = newLog(t, l.Config)
			deliver(t, l, batchOf(5, 5))
			synctest.Wait()
			l.Close()
		}
		want, _ := os.ReadFile(filepath.Join(l.Dir, checkpointName))
		if len(got) != 1 || got[0] != string(want) {
			t.Errorf("published %d: %q", len(got), got)
		}
	})
}

func TestCheck(t *testing.T) {
	l := newLog(t, Config{})
	if err := l.Check(context.Background()); err != nil {
		t.Error(err)
	}
	if there, _ := exists(l.Dir); there {
		t.Error("a check made the folder")
	}
	deliver(t, l, batchOf(1, 5))
	if err := l.Check(context.Background()); err != nil {
		t.Error(err)
	}
	other := newLog(t, Config{Dir: l.KeyFile})
	if err := other.Check(context.Background()); err == nil || !strings.Contains(err.Error(), "is not a folder") {
		t.Error(err)
	}
}

func TestFileReplacedUnderTheWriter(t *testing.T) {
	for _, name := range []string{partName(1, plain), hashesName} {
		l := newLog(t, Config{})
		deliver(t, l, batchOf(1, 5))
		path := filepath.Join(l.Dir, name)
		data, err := os.ReadFile(path)
		if err == nil {
			err = os.Rename(path, filepath.Join(t.TempDir(), "taken"))
		}
		if err == nil {
			err = os.WriteFile(path, bytes.ReplaceAll(data, []byte("sql"), []byte("SQL")), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		refused(t, l, batchOf(6, 6), relay.Away, "somebody else has written it")
		if name == hashesName { // it holds the same
			deliver(t, l, batchOf(6, 6))
			verified(t, l.Dir, 6)
			continue
		}
		refused(t, l, batchOf(6, 6), relay.Broken, "line 1 is not what was written")
	}
}

func TestUnusedBitsOfASignature(t *testing.T) {
	l := newLog(t, Config{})
	deliver(t, l, batchOf(1, 5))
	l.Close()
	change(t, filepath.Join(l.Dir, checkpointName), func(b []byte) []byte {
		at := bytes.LastIndexByte(b, '=') - 1 // two of its six bits encode nothing
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		b[at] = alphabet[strings.IndexByte(alphabet, b[at])+1]
		return b
	})
	if v, err := Verify(t.Context(), l.Dir, Trusted{}); err != nil || len(v.Findings) == 0 {
		t.Errorf("not seen: %v", err)
	}
}
