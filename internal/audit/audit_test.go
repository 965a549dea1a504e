package audit

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"jobwatch/internal/relay"
	"jobwatch/internal/testing/slow"
)

func events(from, n int) (all []*relay.Event) {
	for i := from; i < from+n; i++ {
		id := fmt.Sprintf("q7m2xk3vb9t4hs6c-%012d", i)
		all = append(all, &relay.Event{Sequence: uint64(i * 2), ID: id, Data: fmt.Appendf(nil,
			`{"specversion":"1.0","id":%q,"source":"/commcells/prod","type":"jobwatch.job.state.v1","subject":"jobs/1","time":"2026-11-23T14:00:00Z",`+
				`"datacontenttype":"application/json","sequence":"%020d","partitionkey":"prod/1","data":{"change":{"kind":"state","detail":"running","from":null,`+
				`"to":"<Running> & =1+1"},"severity":"info","job":{"commcell":"prod","id":1,"client":"=cmd|' /C calc'!A0","state":"Running"}}}`, id, i)})
	}
	return all
}

func opened(t *testing.T, dir string, change ...func(*Config)) *Audit {
	t.Helper()
	c := Config{Name: "audit", Dir: dir}
	for _, f := range change {
		f(&c)
	}
	a := New(c)
	if err := a.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func (a *Audit) takes(t *testing.T, all []*relay.Event) {
	t.Helper()
	if done, err := a.Deliver(t.Context(), relay.Batch{Events: all}); err != nil || done != len(all) {
		t.Fatalf("%d of %d: %v", done, len(all), err)
	}
}

func small(c *Config) { c.Size = 4000 }

func verified(t *testing.T, dir string) Report {
	t.Helper()
	r, err := Verify(Verification{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ids(t *testing.T, dir string) (all []string) {
	t.Helper()
	if err := eachLine(dir, func(l located) error { all = append(all, idOf(l.text)); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEachEventStandsOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir, small)
	a.takes(t, events(1, 30))
	a.takes(t, events(20, 20)) // half of it once more
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = opened(t, dir, small)
	a.takes(t, events(1, 45))
	r := verified(t, dir)
	if len(r.Problems) > 0 || r.Size != 45 || r.FirstSeq != 2 || r.LastSeq != 90 || r.Files < 3 {
		t.Errorf("%+v", r)
	}
	got := ids(t, dir)
	if len(got) != 45 || !slices.IsSorted(got) {
		t.Errorf("%d lines: %v", len(got), got)
	}
}

func TestAnotherStreamAddsOnlyWhatIsNew(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir, small)
	a.takes(t, events(1, 30))
	again := events(1, 32)
	for i, e := range again {
		e.Sequence = uint64(i + 1) // the stream was made anew
	}
	a.takes(t, again)
	if got := ids(t, dir); len(got) != 32 {
		t.Errorf("%d lines", len(got))
	}
}

func TestTheTailThatWasNeverAcknowledgedIsCutBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir)
	a.takes(t, events(1, 5))
	name := a.file.Name()
	_ = a.Close()
	for _, torn := range []string{`{"n":6,"seq":`, `{"n":6,"seq":12,"at":"2026-11-23T14:00:00Z","event":{}}` + "\n"} {
		f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(torn); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		if r := verified(t, dir); len(r.Problems) == 0 {
			t.Errorf("%q was not seen", torn)
		}
		a = opened(t, dir)
		_ = a.Close()
		if r := verified(t, dir); len(r.Problems) > 0 || r.Size != 5 {
			t.Errorf("after %q: %+v", torn, r)
		}
	}
	a = opened(t, dir)
	a.takes(t, events(5, 3))
	if got := ids(t, dir); len(got) != 7 {
		t.Errorf("%v", got)
	}
}

func TestWhatWasChangedIsAnAlarm(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, dir string){
		"a byte of a line": func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, nameOf(1)+plainEnd), func(b []byte) []byte { b[30] ^= 1; return b })
		},
		"a line taken away": func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, nameOf(1)+plainEnd), func(b []byte) []byte { return b[:len(b)/2] })
		},
		"the file": func(t *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, nameOf(1)+plainEnd)) },
		"the hashes": func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "hashes"), func(b []byte) []byte { b[0] ^= 1; return b })
		},
		"the checkpoint": func(t *testing.T, dir string) { _ = os.Remove(filepath.Join(dir, "checkpoint")) },
		"the root": func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, "checkpoint"), func(b []byte) []byte { b[30] ^= 1; return b })
		},
		"the key": func(t *testing.T, dir string) { _ = os.Remove(dir + ".key") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			a := opened(t, dir)
			a.takes(t, events(1, 5))
			_ = a.Close()
			change(t, dir)
			if err := New(Config{Name: "audit", Dir: dir}).Open(); err == nil {
				t.Error("it goes on as if nothing were")
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than a line: %v", err)
			}
		})
	}
}

func edit(t *testing.T, name string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOneWriterOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	opened(t, dir)
	if err := New(Config{Name: "audit", Dir: dir}).Open(); err == nil || !strings.Contains(err.Error(), "another process writes") {
		t.Errorf("got %v", err)
	}
}

func TestOnlySomeFilesAreKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir, small, func(c *Config) { c.Keep = 2 })
	for i := range 12 {
		a.takes(t, events(1+i*5, 5))
	}
	r := verified(t, dir)
	if len(r.Problems) > 0 || r.Files != 3 || r.First == 1 || r.Size != 60 {
		t.Errorf("%+v", r)
	}
}

func TestOnlyTheWriterMayForgetFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir, small, func(c *Config) { c.Keep = 2 })
	for i := range 12 {
		a.takes(t, events(1+i*5, 5))
	}
	files, err := listFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(files[0].path); err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir); len(r.Problems) != 1 {
		t.Errorf("the oldest file was taken away: %q", r.Problems)
	}
}

func TestSince(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir, small)
	a.takes(t, events(1, 7))
	then, err := os.ReadFile(filepath.Join(dir, "checkpoint"))
	if err != nil {
		t.Fatal(err)
	}
	a.takes(t, events(8, 20))
	r, err := Verify(Verification{Dir: dir, Since: then})
	if err != nil || len(r.Problems) > 0 || r.Since != 7 {
		t.Errorf("%+v, %v", r, err)
	}
	// Another log of the same key, which never had those seven lines.
	other := filepath.Join(t.TempDir(), "audit")
	b := opened(t, other, small, func(c *Config) { c.KeyFile = dir + ".key" })
	b.takes(t, events(2, 26))
	key, _ := os.ReadFile(filepath.Join(dir, "public-key"))
	r, err = Verify(Verification{Dir: other, Since: then, Key: strings.TrimSpace(string(key))})
	if err != nil || len(r.Problems) != 1 {
		t.Errorf("of a log that was written anew: %+v, %v", r, err)
	}
}

func TestProof(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir, small)
	a.takes(t, events(1, 21))
	key, err := os.ReadFile(filepath.Join(dir, "public-key"))
	if err != nil {
		t.Fatal(err)
	}
	public := strings.TrimSpace(string(key))
	err = eachLine(dir, func(l located) error {
		proof, err := Prove(dir, "", l.n)
		if err != nil {
			return err
		}
		if err := CheckProof("", public, proof, l.text); err != nil {
			t.Errorf("line %d: %v", l.n, err)
		}
		if CheckProof("", public, proof, append(slices.Clone(l.text), ' ')) == nil {
			t.Errorf("line %d: another line is proved", l.n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Prove(dir, "", 22); err == nil {
		t.Error("a line that is not there is proved")
	}
}

func TestExportIsNoFormula(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir)
	a.takes(t, events(1, 2))
	var text strings.Builder
	if err := Export(dir, &text, true); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text.String()), "\n")
	if len(lines) != 3 || lines[0] != strings.Join(Columns, ",") || !strings.Contains(lines[1], ",'=cmd|") || !strings.Contains(lines[1], "<Running> & =1+1") {
		t.Errorf("%s", text.String())
	}
}

func TestCheckpointsLeaveTheMachine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	var left []string
	away := true
	a := opened(t, dir, func(c *Config) {
		c.Publish = func(_ context.Context, checkpoint []byte) error {
			if away {
				return fmt.Errorf("no connection")
			}
			left = append(left, string(checkpoint))
			return nil
		}
	})
	a.takes(t, events(1, 3))
	away = false
	a.takes(t, events(1, 3))
	a.takes(t, events(1, 3))
	if len(left) != 1 || !strings.Contains(left[0], "jobwatch-audit/audit\n3\n") {
		t.Errorf("%q", left)
	}
}

// TestNoEditIsUnseen changes rotated logs at random: JOBWATCH_AUDIT_EDITS=10000 is the long form.
func TestNoEditIsUnseen(t *testing.T) {
	slow.Test(t, "5 s", "hundreds of edits of real files")
	edits := 400
	if n, err := strconv.Atoi(os.Getenv("JOBWATCH_AUDIT_EDITS")); err == nil {
		edits = n
	}
	dir := filepath.Join(t.TempDir(), "audit")
	a := opened(t, dir, small)
	for i := range 12 {
		a.takes(t, events(1+i*5, 5))
	}
	_ = a.Close()
	stranger, _, err := note.GenerateKey(crand.Reader, a.signer.Name())
	if err != nil {
		t.Fatal(err)
	}
	forger, err := note.NewSigner(stranger)
	if err != nil {
		t.Fatal(err)
	}
	if r := verified(t, dir); len(r.Problems) > 0 {
		t.Fatal(r.Problems)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for n := range edits {
		copied := filepath.Join(t.TempDir(), fmt.Sprint(n))
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		what := change(t, copied, random, forger)
		r, err := Verify(Verification{Dir: copied})
		if err == nil && len(r.Problems) == 0 {
			t.Errorf("unseen: %s", what)
		}
		_ = os.RemoveAll(copied)
	}
	t.Logf("%d edits", edits)
}

// change changes one thing, and says what.
func change(t *testing.T, dir string, random *rand.Rand, forger note.Signer) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Size() > 0 && e.Name() != "lock" && e.Name() != "public-key" {
			names = append(names, e.Name())
		}
	}
	name := names[random.IntN(len(names))]
	path := filepath.Join(dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := random.IntN(len(data))
	what := ""
	switch random.IntN(7) {
	case 0:
		what, data[at] = fmt.Sprintf("%s: byte %d", name, at), data[at]^byte(1+random.IntN(255))
	case 1:
		what, data = fmt.Sprintf("%s: byte %d taken out", name, at), slices.Delete(data, at, at+1)
	case 2:
		what, data = fmt.Sprintf("%s: cut at %d", name, at), data[:at]
	case 3:
		what, data = fmt.Sprintf("%s: a byte put in at %d", name, at), slices.Insert(data, at, byte('x'))
	case 4:
		_ = os.Remove(path)
		return name + ": removed"
	case 5:
		lines := strings.SplitAfter(string(data), "\n")
		i, j := random.IntN(len(lines)), random.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		if moved := strings.Join(lines, ""); moved != string(data) {
			what, data = fmt.Sprintf("%s: lines %d and %d swapped", name, i, j), []byte(moved)
		} else {
			what, data = name+": a line put in at its end", append(data, "x\n"...)
		}
	default:
		signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", forger.Name(), random.IntN(60), strings.Repeat("A", 43)+"=")}, forger)
		if err != nil {
			t.Fatal(err)
		}
		what, path, data = "a forged checkpoint", filepath.Join(dir, "checkpoint"), signed
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return what
}

func BenchmarkAppend(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "audit")
	a := New(Config{Name: "audit", Dir: dir})
	if err := a.Open(); err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	next := 1
	for b.Loop() {
		batch := events(next, 256)
		next += 256
		if _, err := a.Deliver(context.Background(), relay.Batch{Events: batch}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(next)/b.Elapsed().Seconds(), "lines/s")
}
