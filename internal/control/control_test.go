package control

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"jobwatch/internal/event"
	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

func of(number int64) job.ID { return job.ID{CommCell: "prod", Number: number} }

// watcher is an Admin on a real store, and its server.
type watcher struct {
	*Admin
	path   string
	group  string
	debug  *Debug
	polled []job.ID
	end    func() error
}

func newWatcher(t *testing.T, path string) *watcher {
	t.Helper()
	w := &watcher{path: path}
	st, err := store.Open(path, event.NewMinter(nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	followed := map[string]string{"prod": "w2"}
	w.Admin = &Admin{Store: st, FollowedBy: func(cell string) string { return followed[cell] }, CommCells: func() map[string]CommCell {
		return map[string]CommCell{"prod": {
			Jobs:    map[int64]string{71: "watcher.yaml:9"},
			PollNow: func(id job.ID) { w.polled = append(w.polled, id) },
		}}
	}}
	return w
}

// open serves until the test ends, or end is called.
func (w *watcher) open(t *testing.T) *Client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&Server{Store: w.path, Group: w.group, Admin: w.Admin, Debug: w.debug}).Run(ctx) }()
	w.end = func() error { cancel(); return <-ended }
	t.Cleanup(cancel)
	for {
		client, err := Dial(w.path)
		if err == nil {
			return client
		}
		select {
		case err := <-ended:
			t.Fatal(err)
		default:
		}
		if !errors.Is(err, ErrNobody) {
			t.Fatal(err)
		}
	}
}

func refuses(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q in it", err, want)
	}
}

// TestAdmin is the same in the process and through the socket.
func TestAdmin(t *testing.T) {
	type admin interface {
		Jobs(context.Context, job.ID, int) ([]store.Listed, error)
		Job(context.Context, job.ID) (store.Listed, error)
		Track(context.Context, job.ID) error
		Untrack(context.Context, job.ID) error
		Stat(context.Context) (store.Stat, error)
		Backup(context.Context, string) (int64, error)
		Verify(context.Context) (store.Verified, error)
	}
	for name, at := range map[string]func(*testing.T, *watcher) admin{
		"itself":             func(_ *testing.T, w *watcher) admin { return w.Admin },
		"through the socket": func(t *testing.T, w *watcher) admin { return w.open(t) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
			d := at(t, w)
			ctx := t.Context()
			for _, number := range []int64{5, 6, 7} {
				if err := d.Track(ctx, of(number)); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(w.polled, []job.ID{of(5), of(6), of(7)}) {
				t.Errorf("polled at once are %v", w.polled)
			}
			if err := d.Untrack(ctx, of(6)); err != nil {
				t.Fatal(err)
			}
			page, err := d.Jobs(ctx, of(5), 10)
			if err != nil || len(page) != 2 || page[0].ID() != of(6) || page[0].Why != store.Untracked || page[1].Why != store.ByHand {
				t.Errorf("behind prod/5 are %+v (%v)", page, err)
			}
			if one, err := d.Job(ctx, of(7)); err != nil || one.FollowedBy != "w2" || page[0].FollowedBy != "w2" {
				t.Errorf("w2 polls prod, and prod/7 is %+v (%v)", one, err)
			}
			if page, err := d.Jobs(ctx, job.ID{}, 1); err != nil || len(page) != 1 || page[0].ID() != of(5) {
				t.Errorf("the first is %+v (%v)", page, err)
			}
			if l, err := d.Job(ctx, of(7)); err != nil || l.ID() != of(7) {
				t.Errorf("prod/7 is %+v (%v)", l, err)
			}
			if stat, err := d.Stat(ctx); err != nil || stat.Tracked["by hand"] != 2 || stat.Tracked["untracked"] != 1 || stat.Bytes == 0 {
				t.Errorf("stat is %+v (%v)", stat, err)
			}
			if v, err := d.Verify(ctx); err != nil || v.Path != w.path || len(v.Findings) > 0 {
				t.Errorf("verified is %+v (%v)", v, err)
			}
			copied := filepath.Join(t.TempDir(), "copy & all.db")
			if bytes, err := d.Backup(ctx, copied); err != nil || bytes == 0 || store.Inspect(copied) != nil {
				t.Errorf("the copy has %d bytes (%v, %v)", bytes, err, store.Inspect(copied))
			}
			_, err = d.Backup(ctx, copied)
			refuses(t, err, "exists")
			_, err = d.Backup(ctx, "copy.db")
			refuses(t, err, "no absolute path")
			_, err = d.Job(ctx, of(8))
			refuses(t, err, "prod/8: no such job here")
			refuses(t, d.Untrack(ctx, of(8)), "prod/8: not tracked")
			refuses(t, d.Untrack(ctx, of(6)), "prod/6: not tracked")
			refuses(t, d.Untrack(ctx, of(71)), "prod/71: tracked by the configuration, watcher.yaml:9")
			refuses(t, d.Track(ctx, job.ID{CommCell: "dr", Number: 1}), `no CommCell "dr" in the configuration, which names prod`)
			refuses(t, d.Untrack(ctx, job.ID{CommCell: "dr", Number: 1}), `no CommCell "dr"`)
		})
	}
}

func TestSocket(t *testing.T) {
	t.Run("lies beside the store, for its owner alone, and goes with the server", func(t *testing.T) {
		w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
		w.open(t)
		info, err := os.Stat(w.path + ".sock")
		if err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("the socket is %v (%v)", info, err)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
		if _, err := Dial(w.path); !errors.Is(err, ErrNobody) {
			t.Errorf("after the end: %v", err)
		}
	})
	t.Run("takes the place of one that a killed watcher has left", func(t *testing.T) {
		w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
		left, err := listenUnix(w.path+".sock", "")
		if err != nil {
			t.Fatal(err)
		}
		left.(interface{ SetUnlinkOnClose(bool) }).SetUnlinkOnClose(false)
		left.Close()
		if _, err := Dial(w.path); !errors.Is(err, ErrNobody) {
			t.Fatalf("nobody serves, and: %v", err)
		}
		w.open(t)
	})
	t.Run("is a short one where the path is too long", func(t *testing.T) {
		t.Setenv("TMPDIR", "/tmp")
		dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
		w := newWatcher(t, filepath.Join(dir, "watcher.db"))
		client := w.open(t)
		if _, err := client.Stat(t.Context()); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(client.path); err != nil || info.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("the socket is %v (%v)", info, err)
		}
		killed := client.path // its file stays, as after kill -9
		note, err := os.ReadFile(w.path + ".sock")
		if err != nil {
			t.Fatal(err)
		}
		if err := w.end(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(killed); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the short socket stays: %v", err)
		}
		if err := os.WriteFile(w.path+".sock", note, 0o600); err != nil {
			t.Fatal(err)
		}
		w.open(t)
	})
	t.Run("leaves a file alone that is none of ours", func(t *testing.T) {
		w := newWatcher(t, filepath.Join(t.TempDir(), "watcher.db"))
		for _, text := range []string{"somebody's", "/etc/passwd\n", ""} {
			if err := os.WriteFile(w.path+".sock", []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			refuses(t, (&Server{Store: w.path, Admin: w.Admin}).Run(t.Context()), "in the place of the watcher's socket")
			if got, err := os.ReadFile(w.path + ".sock"); err != nil || string(got) != text {
				t.Errorf("the file holds %q now (%v)", got, err)
			}
		}
	})
}
