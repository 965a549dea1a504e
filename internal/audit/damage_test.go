package audit

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"jobwatch/internal/testing/slow"
)

// folder is a log in memory, which can be written out damaged.
type folder map[string][]byte

func readFolder(t testing.TB, dir string) folder {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := folder{}
	for _, e := range entries {
		if all[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func (f folder) write(t testing.TB, dir, name string) {
	t.Helper()
	var err error
	if data, has := f[name]; has {
		err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
	} else {
		err = os.Remove(filepath.Join(dir, name))
	}
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}

// damages are what may be done to a log. Each gives the files that it has changed, and the line that must be named as the
// first, or 0 where no line is touched.
var damages = []struct {
	name string
	do   func(d *damaging) (files []string, line int64)
}{
	{"a byte of any file", func(d *damaging) ([]string, int64) {
		name := d.file("")
		return d.edit(name, func(b []byte) []byte { b[d.IntN(len(b))] ^= byte(1 + d.IntN(255)); return b })
	}},
	{"any file cut short", func(d *damaging) ([]string, int64) {
		return d.edit(d.file(""), func(b []byte) []byte { return b[:d.IntN(len(b))] })
	}},
	{"any file longer", func(d *damaging) ([]string, int64) {
		return d.edit(d.file(""), func(b []byte) []byte { return append(b, b[:1+d.IntN(len(b))]...) })
	}},
	{"any file removed", func(d *damaging) ([]string, int64) {
		name := d.file("")
		delete(d.folder, name)
		return []string{name}, 0
	}},
	{"a byte within a line", func(d *damaging) ([]string, int64) {
		return d.lines(func(lines [][]byte, i int) ([][]byte, int) {
			lines[i] = bytes.Clone(lines[i])
			at := d.IntN(len(lines[i]))
			lines[i][at] ^= 1 // never a newline: none of its neighbours stands in a line
			return lines, i
		})
	}},
	{"a line removed", func(d *damaging) ([]string, int64) {
		return d.lines(func(lines [][]byte, i int) ([][]byte, int) { return append(lines[:i], lines[i+1:]...), i })
	}},
	{"a line doubled", func(d *damaging) ([]string, int64) {
		return d.lines(func(lines [][]byte, i int) ([][]byte, int) {
			return append(lines[:i+1], lines[i:]...), i
		})
	}},
	{"two lines swapped", func(d *damaging) ([]string, int64) {
		return d.lines(func(lines [][]byte, i int) ([][]byte, int) {
			j := d.IntN(len(lines))
			for j == i {
				j = d.IntN(len(lines))
			}
			lines[i], lines[j] = lines[j], lines[i]
			return lines, min(i, j)
		})
	}},
	{"a line with another number", func(d *damaging) ([]string, int64) {
		return d.lines(func(lines [][]byte, i int) ([][]byte, int) {
			lines[i] = bytes.Replace(lines[i], []byte(`{"n":`), fmt.Appendf(nil, `{"n":%d`, 1+d.IntN(9)), 1)
			return lines, i
		})
	}},
	{"a line written in between", func(d *damaging) ([]string, int64) {
		return d.lines(func(lines [][]byte, i int) ([][]byte, int) {
			made := entry{event: []byte(`{}`)}.line(d.first+int64(i), d.now())
			return append(lines[:i:i], append([][]byte{made}, lines[i:]...)...), i
		})
	}},
	{"a line and its hash", func(d *damaging) ([]string, int64) {
		files, line := d.lines(func(lines [][]byte, i int) ([][]byte, int) {
			lines[i] = bytes.Replace(lines[i], []byte("sql-"), []byte("SQL-"), 1)
			return lines, i
		})
		d.rehash()
		return append(files, hashesName), -line // the line or one behind it: nobody knows better any more
	}},
	{"files swapped", func(d *damaging) ([]string, int64) {
		a, b := d.file(rotated), d.file(rotated)
		if a == b {
			return nil, 0
		}
		d.folder[a], d.folder[b] = d.folder[b], d.folder[a]
		return []string{a, b}, min(firstOf(a), firstOf(b))
	}},
	{"a checkpoint of the same size, not signed by the key", func(d *damaging) ([]string, int64) {
		return d.edit(checkpointName, func(b []byte) []byte { return d.forge(d.size) })
	}},
	{"an old checkpoint", func(d *damaging) ([]string, int64) {
		notes, _ := splitNotes(d.folder[checkpointsName])
		return d.edit(checkpointName, func([]byte) []byte { return notes[d.IntN(len(notes))] })
	}},
	{"a forged checkpoint, and its key", func(d *damaging) ([]string, int64) {
		d.folder[checkpointName] = d.forge(int64(d.IntN(int(d.size))))
		d.folder[keysName] = append(d.folder[keysName], d.foreign...)
		return []string{checkpointName, keysName}, 0
	}},
	{"a forged checkpoint among those that are kept", func(d *damaging) ([]string, int64) {
		return d.edit(checkpointsName, func(b []byte) []byte { return append(append(b, d.forge(d.size)...), '\n') })
	}},
	{"a kept checkpoint removed", func(d *damaging) ([]string, int64) {
		notes, _ := splitNotes(d.folder[checkpointsName])
		i := d.IntN(len(notes))
		return d.edit(checkpointsName, func([]byte) (all []byte) {
			for j, n := range notes {
				if j != i {
					all = append(append(all, n...), '\n')
				}
			}
			return all
		})
	}},
}

type damaging struct {
	*rand.Rand
	*Log
	folder  folder
	size    int64
	first   int64 // line of the file that was last edited
	foreign string
	signer  note.Signer
}

func (d *damaging) file(suffix string) string {
	var names []string
	for name := range d.folder {
		if name != lockName && name != publishedName && strings.HasSuffix(name, suffix) && len(d.folder[name]) > 0 {
			names = append(names, name)
		}
	}
	return names[d.IntN(len(names))]
}

func (d *damaging) edit(name string, with func([]byte) []byte) ([]string, int64) {
	d.folder[name] = with(bytes.Clone(d.folder[name]))
	return []string{name}, 0
}

// lines changes the lines of a file; with is told which line, and tells which is the first that is wrong.
func (d *damaging) lines(with func(lines [][]byte, i int) ([][]byte, int)) ([]string, int64) {
	name := d.file("")
	for !strings.HasPrefix(name, "audit-") {
		name = d.file("")
	}
	d.first = firstOf(name)
	text := d.folder[name]
	if strings.HasSuffix(name, rotated) {
		text = unpack(text)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	lines = lines[: len(lines)-1 : len(lines)-1]
	for i := range lines {
		lines[i] = bytes.TrimSuffix(lines[i], []byte("\n"))
	}
	lines, at := with(lines, d.IntN(len(lines)))
	text = append(bytes.Join(lines, []byte("\n")), '\n')
	line := d.first + int64(at)
	if strings.HasSuffix(name, rotated) {
		d.folder[name] = pack(text)
		d.folder[sumsName] = resum(d.folder)
		return []string{name, sumsName}, line
	}
	d.folder[name] = text
	return []string{name}, line
}

func firstOf(name string) int64 {
	n, _ := strconv.ParseInt(name[len("audit-"):][:20], 10, 64)
	return n
}

func (d *damaging) forge(size int64) []byte {
	forged, _ := note.Sign(&note.Note{Text: Checkpoint{d.Origin, size, emptyRoot}.text()}, d.signer)
	return forged
}

// TestDamageIsSeen does a few hundred damages of all kinds; JOBWATCH_AUDIT_DAMAGES says how many others.
func TestDamageIsSeen(t *testing.T) {
	slow.Test(t, "2 s", "some damages of each kind")
	times := 300
	if n, err := strconv.Atoi(os.Getenv("JOBWATCH_AUDIT_DAMAGES")); err == nil {
		times = n
	}
	seesDamage(t, times)
}

func seesDamage(t *testing.T, times int) {
	l := newLog(t, Config{Size: 3000, Origin: "jobwatch/ops"})
	for seq := uint64(1); seq <= 120; seq += 3 {
		deliver(t, l, batchOf(seq, seq+2))
	}
	l.Close()
	whole := readFolder(t, l.Dir)
	random := rand.New(rand.NewPCG(14, uint64(times)))
	public, signer := foreignKey(t, "jobwatch/ops")
	count := map[string]int{}
	for done := 0; done < times; {
		damage := damages[random.IntN(len(damages))]
		d := &damaging{Rand: random, Log: l, folder: folder{}, size: 120, foreign: public + "\n", signer: signer}
		for name, data := range whole {
			d.folder[name] = data
		}
		files, line := damage.do(d)
		same := true
		for _, name := range files {
			if same = same && bytes.Equal(d.folder[name], whole[name]); !same {
				break
			}
		}
		if same { // such is no damage
			continue
		}
		count[damage.name]++
		done++
		for _, name := range files {
			d.folder.write(t, l.Dir, name)
		}
		v, err := Verify(t.Context(), l.Dir, Trusted{})
		seen := err != nil || len(v.Findings) > 0
		if !seen || line > 0 && !strings.HasPrefix(v.Findings[0], fmt.Sprintf("line %d:", line)) ||
			line < 0 && !strings.HasPrefix(v.Findings[0], "line ") {
			t.Fatalf("%s of %q, line %d: %v %q", damage.name, files, line, err, v.Findings)
		}
		for _, name := range files {
			whole.write(t, l.Dir, name)
		}
	}
	verified(t, l.Dir, 120)
	t.Log(count)
}
