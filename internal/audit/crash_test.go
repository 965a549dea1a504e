package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"jobwatch/internal/relay"
	"jobwatch/internal/testing/slow"
)

// failing is a disk that works for so many steps. The step that fails writes the half of what it should, and after it
// nothing works any more, as after a crash; or for a while only, as on a full disk. A crash may also lose what was not synced.
type failing struct {
	realDisk
	steps  int // that still work
	err    error
	synced map[string]int64
}

func (d *failing) step() (last bool, err error) {
	d.steps--
	if d.steps >= 0 {
		return false, nil
	}
	return d.steps == -1, d.err
}

func (d *failing) open(name string, flag int, mode os.FileMode) (file, error) {
	if flag&os.O_CREATE != 0 {
		if _, err := d.step(); err != nil {
			return nil, err
		}
	}
	f, err := d.realDisk.open(name, flag, mode)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil {
		d.synced[name] = info.Size()
	}
	return &failingFile{f, name, d}, nil
}

func (d *failing) rename(from, to string) error {
	if _, err := d.step(); err != nil {
		return err
	}
	d.synced[to] = d.synced[from]
	return d.realDisk.rename(from, to)
}

func (d *failing) remove(name string) error {
	if _, err := d.step(); err != nil {
		return err
	}
	return d.realDisk.remove(name)
}

func (d *failing) syncFolder(name string) error {
	if _, err := d.step(); err != nil {
		return err
	}
	return nil
}

type failingFile struct {
	file
	name string
	disk *failing
}

func (f *failingFile) WriteAt(data []byte, at int64) (int, error) {
	if last, err := f.disk.step(); err != nil {
		if !last {
			return 0, err
		}
		n, _ := f.file.WriteAt(data[:len(data)/2], at)
		return n, err
	}
	return f.file.WriteAt(data, at)
}

func (f *failingFile) Sync() error {
	if _, err := f.disk.step(); err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil {
		f.disk.synced[f.name] = info.Size()
	}
	return nil
}

func (f *failingFile) Truncate(size int64) error {
	if _, err := f.disk.step(); err != nil {
		return err
	}
	f.disk.synced[f.name] = min(f.disk.synced[f.name], size)
	return f.file.Truncate(size)
}

// powerCut loses what was appended and not synced.
func (d *failing) powerCut(t *testing.T) {
	for name, size := range d.synced {
		if info, err := os.Stat(name); err == nil && info.Size() > size {
			if err := os.Truncate(name, size); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestCrashAtEachWrite kills the writer at each of its steps, first while the log is made, then in a batch, in a rotation,
// in a removal, and while it recovers from that; and delivers again what was not acknowledged.
func TestCrashAtEachWrite(t *testing.T) {
	slow.Test(t, "10 s", "a crash at each of 200 steps")
	for _, powerCut := range []bool{false, true} {
		for steps := 0; ; steps++ {
			if !crashAt(t, steps, powerCut) {
				if steps < 80 {
					t.Errorf("no more than %d steps", steps)
				}
				break
			}
		}
	}
}

func crashAt(t *testing.T, steps int, powerCut bool) (crashed bool) {
	t.Helper()
	c := Config{Dir: filepath.Join(t.TempDir(), "ops"), Size: 1500, Keep: 1}
	acknowledged := uint64(0)
	live := func(steps int) bool {
		d := &failing{steps: steps, err: syscall.EIO, synced: map[string]int64{}}
		c.disk = d
		l := newLog(t, c)
		for acknowledged < 20 {
			done, err := l.Deliver(context.Background(), batchOf(max(acknowledged, 1), acknowledged+4))
			if err != nil {
				refusal, _ := errors.AsType[*relay.Refusal](err)
				if refusal == nil || refusal.Kind != relay.Away || done != 0 {
					t.Fatalf("crash at step %d: %d %v", steps, done, err)
				}
				l.Close()
				if powerCut {
					d.powerCut(t)
				}
				return true
			}
			acknowledged += 4
		}
		l.Close()
		return false
	}
	crashed = live(steps)
	for again := 3; live(again); again += 3 { // and while it recovers
	}
	v := verified(t, c.Dir, int64(acknowledged))
	if got := seqs(t, c.Dir); got[0] != uint64(v.First) || got[len(got)-1] != acknowledged || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("crash at step %d: %v", steps, got)
	}
	return crashed
}

// TestFullDisk fails at each write for a while. The same log goes on when there is room.
func TestFullDisk(t *testing.T) {
	slow.Test(t, "5 s", "a full disk at each of 120 steps")
	for steps := range 120 {
		d := &failing{steps: steps, err: fmt.Errorf("write: %w", syscall.ENOSPC), synced: map[string]int64{}}
		l := newLog(t, Config{Size: 1500, disk: d})
		for seq := uint64(1); seq <= 20; seq += 5 {
			for try := 0; ; try++ {
				_, err := l.Deliver(context.Background(), batchOf(seq, seq+4))
				if err == nil {
					break
				}
				if refusal, is := errors.AsType[*relay.Refusal](err); !is || refusal.Kind != relay.Away || try > 5 {
					t.Fatal(err)
				}
				if try == 2 {
					d.steps = 1 << 30 // room
				}
			}
		}
		verified(t, l.Dir, 20)
		l.Close()
	}
}
