package stream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"jobwatch/internal/testing/slow"
)

// disk is a folder that can be kept from being written: a small disk of its own that is filled up, where the test may
// mount one; else without the right to make files in it.
type disk struct {
	t     *testing.T
	dir   string
	small bool
}

func newDisk(t *testing.T) *disk {
	d := &disk{t: t, dir: t.TempDir()}
	d.small = exec.Command("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", d.dir).Run() == nil
	t.Cleanup(func() {
		if out, err := exec.Command("umount", d.dir).CombinedOutput(); d.small && err != nil {
			t.Errorf("umount %s: %v %s", d.dir, err, out)
		}
	})
	return d
}

func (d *disk) fill() {
	d.t.Helper()
	if !d.small {
		d.chmod(0o500)
		return
	}
	file, err := os.Create(filepath.Join(d.dir, "ballast"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer file.Close()
	for some := make([]byte, 1<<20); len(some) > 0; {
		if _, err = file.Write(some); err != nil {
			some = some[:len(some)/2]
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
}

func (d *disk) clear() {
	d.t.Helper()
	if !d.small {
		d.chmod(0o700)
		return
	}
	if err := os.Remove(filepath.Join(d.dir, "ballast")); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) chmod(mode fs.FileMode) {
	d.t.Helper()
	err := filepath.WalkDir(d.dir, func(path string, is fs.DirEntry, err error) error {
		if err == nil && is.IsDir() {
			err = os.Chmod(path, mode)
		}
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// A NATS server takes nothing more after an error of the disk, until it is restarted.
func TestTheEmbeddedServerAfterAFullDisk(t *testing.T) {
	slow.Test(t, "8 s", "a real disk is filled under a real server, which comes back by itself")
	t.Parallel()
	d := newDisk(t)
	var log logbook
	e := startEmbedded(t, EmbeddedConfig{Listen: "127.0.0.1:0", Dir: filepath.Join(d.dir, "nats"), SyncAlways: true, Log: log.logger()})
	runs(t, e.Run)
	at := e.ClientURL()
	b := run(t, Config{InProcess: e, Log: log.logger()})
	outside := run(t, Config{URL: at})
	refuted := ready(t, b)
	first := publish(t, b, event(1, "a", 0))

	d.fill()
	large := event(1, "large", first)
	large.Data = make([]byte, 64<<10)
	expect := first
	for end := time.Now().Add(time.Minute); refuted != nil; { // the last block may have room left
		if time.Now().After(end) {
			t.Fatal("the verdict that it fits has not ended")
		}
		seq, err := b.Publish(t.Context(), large)
		if err == nil {
			large.ID, expect = fmt.Sprint("large", seq), seq
			large.ExpectLast = seq
		}
		select {
		case <-refuted:
			refuted = nil
		default:
		}
	}
	for range 2 { // it stays so
		err := b.Usable()
		if err == nil || !strings.HasPrefix(err.Error(), "embedded NATS server: it cannot write: ") ||
			!strings.HasSuffix(err.Error(), "; make room in nats.embedded.dir, and it goes on by itself") {
			t.Errorf("usable: got %v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		if _, err := b.Ready(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ready: got %v", err)
		}
		cancel()
	}
	if _, err := b.Publish(soon(t), large); !errors.Is(err, ErrDisconnected) {
		t.Errorf("published in spite of it: %v", err)
	}

	d.clear()
	until(t, "it can write again", func() bool { return e.Trouble() == nil })
	ready(t, b)
	if m, err := b.Last(soon(t), ">"); err != nil || m.Sequence != expect {
		t.Errorf("the stream ends with %d (%v), want %d", m.Sequence, err, expect)
	}
	publish(t, b, event(2, "b", 0))
	if e.ClientURL() != at {
		t.Errorf("it listens at %s now, before at %s", e.ClientURL(), at)
	}
	ready(t, outside)
	publish(t, outside, event(3, "c", 0))
	if n := log.count("NATS cannot be used; trying on\" err=\"embedded NATS server: it cannot write"); n != 1 {
		t.Errorf("said %d times, want once:\n%s", n, &log)
	}
}

// A folder in which nothing can be written yet is no reason to restart the server again and again.
func TestTheEmbeddedServerWaitsForRoom(t *testing.T) {
	d := newDisk(t)
	e := startEmbedded(t, EmbeddedConfig{Dir: filepath.Join(d.dir, "nats"), Log: slog.New(slog.DiscardHandler)})
	srv := e.server()
	d.fill()
	if e.restart() {
		t.Error("started anew without room")
	}
	if e.server() != srv || !srv.Running() {
		t.Error("the server was stopped")
	}
	d.clear()
	if !e.restart() || e.server() == srv {
		t.Error("not started anew though there is room")
	}
}

// Another's server does not answer what is published after such an error; that is no silence of ours.
func TestAnotherServerAfterAFullDisk(t *testing.T) {
	slow.Test(t, "4 s", "a real disk is filled under a real server")
	t.Parallel()
	d := newDisk(t)
	b := use(t, startServer(t, func(o *server.Options) { o.StoreDir, o.SyncAlways = filepath.Join(d.dir, "nats"), true }))
	large := event(1, "large", publish(t, b, event(1, "a", 0)))
	large.Data = make([]byte, 64<<10)
	d.fill()
	var err error
	for err == nil {
		var seq uint64
		seq, err = b.Publish(t.Context(), large)
		large.ID, large.ExpectLast = fmt.Sprint("large", seq), seq
	}
	if !strings.Contains(err.Error(), "stream JOBS does not answer what is published: no answer within 5s; a server whose disk was full does not until it is restarted") {
		t.Errorf("got %v", err)
	}
	d.clear()
}
