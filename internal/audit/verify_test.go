package audit

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/progress"
	"jobwatch/internal/relay"
	"jobwatch/internal/testing/slow"
)

func checkpointOf(t testing.TB, dir string) []byte {
	t.Helper()
	c, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestVerifySince(t *testing.T) {
	c := Config{Size: 2000, now: clock()}
	l := newLog(t, c)
	deliver(t, l, batchOf(1, 7))
	then := checkpointOf(t, l.Dir)
	for seq := uint64(8); seq <= 60; seq += 5 {
		deliver(t, l, batchOf(seq, seq+4))
	}
	l.Close()
	for _, since := range [][]byte{then, append(then, "\n\n"...), checkpointOf(t, l.Dir)} {
		if v, err := Verify(t.Context(), l.Dir, Trusted{Since: since}); err != nil || len(v.Findings) > 0 || v.Since == nil {
			t.Errorf("%v %q", err, v.Findings)
		}
	}
	now := checkpointOf(t, l.Dir)

	// Who holds the key writes another history: whole in itself, and not that of then.
	files, _ := os.ReadDir(l.Dir)
	for _, f := range files {
		os.Remove(filepath.Join(l.Dir, f.Name()))
	}
	os.Remove(l.KeyFile + ".pub")
	l = newLog(t, l.Config)
	var other relay.Batch
	for seq := uint64(1); seq <= 20; seq++ {
		other.Events = append(other.Events, sample(seq, fmt.Sprintf("other-%d", seq)))
	}
	deliver(t, l, other)
	verified(t, l.Dir, 20)
	for since, want := range map[string]string{
		string(then): "line 7 or one before it: not that of which the checkpoint of --since of 7 lines was signed",
		string(now):  "--since: the log had 62 lines then, and has 20: line 21 is missing",
		"nonsense":   "--since: signature: malformed note",
	} {
		v, err := Verify(t.Context(), l.Dir, Trusted{Since: []byte(since)})
		if err != nil || len(v.Findings) != 1 || v.Findings[0] != want {
			t.Errorf("%v %q, want %q", err, v.Findings, want)
		}
	}
}

func TestVerifyBesideAWriter(t *testing.T) {
	l := newLog(t, Config{Size: 3000, Keep: 5})
	deliver(t, l, batchOf(1, 5))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for seq := uint64(6); seq < 600; seq += 5 {
			deliver(t, l, batchOf(seq, seq+4))
		}
	}()
	for {
		if v, err := Verify(t.Context(), l.Dir, Trusted{}); err != nil || len(v.Findings) > 0 {
			t.Errorf("%v %q", err, v.Findings)
		}
		select {
		case <-ended:
			return
		default:
		}
	}
}

// TestVerifyIsOvertaken: however far the writer gets between two steps of a verification, files that it rotates and removes
// meanwhile are not missed.
func TestVerifyIsOvertaken(t *testing.T) {
	slow.Test(t, "2 s", "a writer that gets ahead, between each two steps")
	for step := range 6 {
		for _, files := range []uint64{1, 3, 10} {
			t.Run(fmt.Sprintf("from step %d on, %d files", step, files), func(t *testing.T) {
				l := newLog(t, Config{Size: 600, Keep: 4, disk: unsynced{}}) // two lines a file
				next := uint64(1)
				write := func(events uint64) {
					for range events {
						deliver(t, l, batchOf(next, next))
						next++
					}
				}
				write(15)
				v := &verification{dir: l.Dir, active: true}
				first, err := os.ReadFile(filepath.Join(l.Dir, checkpointName))
				var parts []part
				for n, do := range []func(){
					func() { parts, err = v.look(); v.raw = first },
					func() { err = v.trust(Trusted{}) },
					v.readRemoved,
					v.readSums,
					func() { v.checkSums(t.Context(), parts) },
					func() { err = v.walk(t.Context(), parts) },
				} {
					if n >= step {
						write(2 * files)
					}
					if do(); err != nil {
						t.Fatal(err)
					}
				}
				if len(v.report.Findings) > 0 {
					t.Errorf("%q", v.report.Findings)
				}
				if v.report.Size != 15 {
					t.Errorf("%d lines", v.report.Size)
				}
			})
		}
	}
}

// unsynced spares the test what takes the longest.
type unsynced struct{ realDisk }

type unsyncedFile struct{ file }

func (unsynced) syncFolder(string) error { return nil }
func (unsyncedFile) Sync() error         { return nil }

func (d unsynced) open(name string, flag int, mode os.FileMode) (file, error) {
	f, err := d.realDisk.open(name, flag, mode)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{f}, nil
}

func TestVerifyWithAnotherKey(t *testing.T) {
	l := newLog(t, Config{})
	deliver(t, l, batchOf(1, 5))
	l.Close()
	public, _ := foreignKey(t, "jobwatch/ops")
	if v, err := Verify(t.Context(), l.Dir, Trusted{Keys: public}); err != nil || len(v.Findings) == 0 || !strings.Contains(fmt.Sprint(v.Findings), "not signed by a key that is trusted") {
		t.Errorf("%v %q", err, v.Findings)
	}
	if _, err := Verify(t.Context(), l.Dir, Trusted{Keys: "no key"}); err == nil {
		t.Error("a key that is none was taken")
	}
	os.Remove(l.KeyFile + ".pub")
	if v := verified(t, l.Dir, 5); !strings.Contains(v.Trust, "it lies in the folder") {
		t.Error(v.Trust)
	}
	if _, err := Verify(t.Context(), t.TempDir(), Trusted{}); err == nil || !strings.Contains(err.Error(), "no audit log") {
		t.Error(err)
	}
}

func TestProve(t *testing.T) {
	l := newLog(t, Config{Size: 2000, Keep: 2})
	deliver(t, l, batchOf(1, 1))
	for seq := uint64(2); seq <= 60; seq++ {
		deliver(t, l, batchOf(seq, seq))
	}
	public, _ := os.ReadFile(l.KeyFile + ".pub")
	for n := int64(1); n <= 60; n++ {
		proof, err := Prove(l.Dir, n)
		if err != nil {
			t.Fatal(err)
		}
		var line []byte
		if n == 1 { // removed
			line = entry{seq: 1, event: sample(1, "ev-1").Data}.line(1, time.Time{})
			if _, err := CheckProof(proof, string(public), nil); err == nil || !strings.Contains(err.Error(), "--line") {
				t.Error(err)
			}
			if _, err := CheckProof(proof, string(public), line); err == nil {
				t.Error("another line was taken for line 1")
			}
			continue
		}
		if bytes.Contains(proof, []byte("\nextra ")) {
			p, err := CheckProof(proof, string(public), nil)
			if err != nil || p.N != n || !bytes.Contains(p.Line, fmt.Appendf(nil, `"id":"ev-%d"`, n)) {
				t.Errorf("%+v %v", p, err)
			}
		}
		for at := range proof {
			if n%20 != 0 {
				break
			}
			forged := bytes.Clone(proof)
			forged[at] ^= 1
			if p, err := CheckProof(forged, string(public), nil); err == nil {
				t.Errorf("byte %d of the proof changed: %+v", at, p)
			}
		}
	}
	if _, err := Prove(l.Dir, 61); err == nil || !strings.Contains(err.Error(), "there are lines 1 to 60") {
		t.Error(err)
	}
}

func TestExport(t *testing.T) {
	l := newLog(t, Config{Size: 600})
	b := batchOf(1, 2)
	hostile := "=cmd|'/c calc'!A1\\\",\\r\\nx,\\u202e"
	b.Events[0].Data = bytes.Replace(b.Events[0].Data, []byte("sql-1"), []byte(hostile), 1)
	b.Events[1].Data = bytes.Replace(b.Events[1].Data, []byte(`"to":"Running"`), []byte(`"to":"@SUM(A1)"`), 1)
	deliver(t, l, b)
	later := sample(3, "ev-3")
	later.Data = bytes.Replace(later.Data, []byte("06:00:00Z"), []byte("07:00:00Z"), 1)
	deliver(t, l, relay.Batch{Events: []*relay.Event{later, {Sequence: 4, ID: "x", Data: []byte(`{"id":"x"}`)}}})
	var out bytes.Buffer
	if err := Export(t.Context(), l.Dir, true, Period{}, &out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 5 {
		t.Fatal(rows, err)
	}
	column := func(row int, name string) string {
		for i, c := range rows[0] {
			if c == name {
				return rows[row][i]
			}
		}
		return "none"
	}
	for _, cell := range []struct {
		row        int
		name, want string
	}{
		{1, "client", "'=cmd|'/c calc'!A1\",\nx,\u202e"}, // a reader of CSV takes \r\n for \n
		{2, "to", "'@SUM(A1)"}, {1, "n", "1"}, {3, "id", "ev-3"}, {1, "job", "2"}, {1, "commcell", "prod"}, {4, "id", "x"}, {4, "job", ""},
	} {
		if got := column(cell.row, cell.name); got != cell.want {
			t.Errorf("row %d: %s is %q, want %q", cell.row, cell.name, got, cell.want)
		}
	}
	out.Reset()
	from := time.Date(2026, 11, 30, 6, 30, 0, 0, time.UTC)
	if err := Export(t.Context(), l.Dir, false, Period{From: from}, &out); err != nil || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "ev-3") {
		t.Errorf("%v %s", err, out.String())
	}
	out.Reset()
	if err := Export(t.Context(), l.Dir, false, Period{}, &out); err != nil || strings.Count(out.String(), "\n") != 4 {
		t.Errorf("%v %s", err, out.String())
	}
}

// TestReadingSaysHowFarItIs, and ends when nobody wants it any more.
func TestReadingSaysHowFarItIs(t *testing.T) {
	l := newLog(t, Config{})
	deliver(t, l, batchOf(1, 9))
	reading := map[string]func(context.Context) error{
		"verify": func(ctx context.Context) error { _, err := Verify(ctx, l.Dir, Trusted{}); return err },
		"export": func(ctx context.Context) error { return Export(ctx, l.Dir, true, Period{}, io.Discard) },
		"compare": func(ctx context.Context) error {
			_, err := Compare(ctx, l.Dir, func(func(InStream) bool) {})
			return err
		},
	}
	for name, read := range reading {
		var last progress.Step
		if err := read(progress.With(t.Context(), func(s progress.Step) { last = s })); err != nil || last.Done != 9 || last.Total != 9 || last.Unit != "lines" {
			t.Errorf("%s: %v, %+v", name, err, last)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ctx = progress.With(ctx, func(s progress.Step) {
			if last = s; s.Unit == "lines" && s.Done == 4 {
				cancel()
			}
		})
		if err := read(ctx); !errors.Is(err, errEnded) || last.Done != 4 {
			t.Errorf("%s, ended: %v, %+v", name, err, last)
		}
	}
}

func TestCompare(t *testing.T) {
	l := newLog(t, Config{})
	b := batchOf(10, 20)
	b.Events = append(b.Events[:3], b.Events[4:]...)
	deliver(t, l, b)
	stream := func(yield func(InStream) bool) {
		for seq := uint64(1); seq <= 22; seq++ {
			if !yield(InStream{Seq: seq, ID: fmt.Sprintf("ev-%d", seq)}) {
				return
			}
		}
	}
	c, err := Compare(t.Context(), l.Dir, stream)
	if err != nil || c.Before != 9 || c.Compared != 13 || c.Missing != 3 || c.Behind != 2 || c.First[0].ID != "ev-13" {
		t.Errorf("%+v %v", c, err)
	}
}

// FuzzVerify holds the readers against folders in which anything may stand: they never panic, and never end a verification
// without a finding where something was changed.
func FuzzVerify(f *testing.F) {
	l := newLog(f, Config{Size: 1000})
	for seq := uint64(1); seq <= 9; seq += 3 {
		deliver(f, l, batchOf(seq, seq+2))
	}
	l.Close()
	whole := readFolder(f, l.Dir)
	var names []string
	for name := range whole {
		if name != lockName && name != publishedName {
			names = append(names, name)
		}
	}
	for i, name := range names {
		f.Add(i, whole[name])
	}
	f.Fuzz(func(t *testing.T, i int, data []byte) {
		dir := filepath.Join(t.TempDir(), "ops")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		name := names[uint(i)%uint(len(names))]
		for other := range whole {
			whole.write(t, dir, other)
		}
		folder{name: data}.write(t, dir, name)
		v, err := Verify(t.Context(), dir, Trusted{})
		if same := bytes.Equal(data, whole[name]); err == nil && same != (len(v.Findings) == 0) {
			t.Errorf("%s changed: %v, findings %q", name, !same, v.Findings)
		}
		_, _ = Verify(t.Context(), dir, Trusted{Since: data})
		_, _ = Prove(dir, 4)
		_ = Export(t.Context(), dir, true, Period{}, &bytes.Buffer{})
		_, _ = CheckProof(data, string(whole[keysName]), nil)
	})
}

// What is wrong with a log that is written is found at each try.
func TestVerifyADamagedLogBesideItsWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog(t, Config{Size: 3000})
		for seq := uint64(1); seq <= 50; seq += 5 {
			deliver(t, l, batchOf(seq, seq+4))
		}
		files, err := filepath.Glob(filepath.Join(l.Dir, "*.zst"))
		if err != nil || len(files) < 2 {
			t.Fatal(files, err)
		}
		if err := os.Remove(files[1]); err != nil {
			t.Fatal(err)
		}
		v, err := Verify(t.Context(), l.Dir, Trusted{})
		if err != nil || len(v.Findings) == 0 || !strings.Contains(v.Findings[0], "line 11: missing") {
			t.Errorf("%v %q", err, v.Findings)
		}
		l.Close()
	})
}
