package endtoend

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"jobwatch/internal/testing/slow"
)

const (
	lostItsEnd  = "the stream is another, or has lost its end"
	madeAgain   = "the consumer of the relay was deleted; it is made again"
	mainStream  = "JOBS"
	relayBucket = "KV_JOBS_RELAY_STATE"
)

// TestRelayAfterABackupIsRestored puts folders of an older state back, as an administrator does who has a copy. The relay
// had delivered all, but for what its receiver refused at the end.
func TestRelayAfterABackupIsRestored(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		restored []string
		lives    bool // the relay's process, meanwhile
		consumer bool // the copy lacks it
		says     string
	}{
		"the stream":                              {[]string{mainStream}, false, false, lostItsEnd},
		"the stream, under a relay that lives":    {[]string{mainStream}, true, false, lostItsEnd},
		"the stream without its consumers":        {[]string{mainStream}, false, true, lostItsEnd},
		"all":                                     {[]string{mainStream, relayBucket}, false, false, ""},
		"all, under a relay that lives":           {[]string{mainStream, relayBucket}, true, false, ""}, // or lostItsEnd, if its last event tells
		"the bucket":                              {[]string{relayBucket}, false, false, ""},
		"the bucket, and the consumer is lacking": {[]string{relayBucket}, false, true, madeAgain},
	} {
		t.Run(name, func(t *testing.T) {
			slow.Test(t, "30 s", "NATS is stopped twice, and a lease is given up after the readings of eight seconds")
			t.Parallel()
			r := newRelayed(t, "start: all")
			r.startRelay()
			r.noted()
			r.stopNATS()
			backup := r.copyOf("nats")
			r.startNATS(r.proxy.target)

			r.changes()
			r.noted()
			r.to.answers(http.StatusServiceUnavailable)
			r.changes()
			was := r.note()
			if !row.lives {
				r.endRelay()
			}
			r.stopNATS()
			for _, s := range row.restored {
				r.putBack(backup, s)
			}
			if row.consumer {
				if err := os.RemoveAll(filepath.Join(r.folder(mainStream), "obs", "relay-hook")); err != nil {
					t.Fatal(err)
				}
			}
			r.to.answers(http.StatusNoContent)
			r.startNATS(r.proxy.target)
			r.changes() // and what the stream has lost is sent again
			if !row.lives {
				r.startRelay()
			}
			r.arrives(0)
			r.noted()
			if row.says == "" && !row.lives && (strings.Contains(r.log.String(), lostItsEnd) || strings.Contains(r.log.String(), madeAgain)) {
				t.Errorf("it says of what did not happen:\n%s", r.log)
			}
			if row.says != lostItsEnd || !r.showsNothing(was) {
				r.relaySays(row.says)
			}
			if got := r.status(); got.State != "delivering" || got.Missed > 0 {
				t.Errorf("its status is %+v", got)
			}
			r.endRelay()
			r.stop()
		})
	}
}

// folder is where the server keeps a stream.
func (w *world) folder(stream string) string {
	return filepath.Join(w.dir, "nats", "jetstream", "$G", "streams", stream)
}

func (w *world) copyOf(name string) (backup string) {
	w.t.Helper()
	backup = filepath.Join(w.dir, name+".backup")
	if err := os.CopyFS(backup, os.DirFS(filepath.Join(w.dir, name))); err != nil {
		w.t.Fatal(err)
	}
	return backup
}

// putBack replaces a stream's folder by that of the backup.
func (w *world) putBack(backup, stream string) {
	w.t.Helper()
	to := w.folder(stream)
	from, err := filepath.Rel(filepath.Join(w.dir, "nats"), to)
	if err == nil {
		err = os.RemoveAll(to)
	}
	if err == nil {
		err = os.CopyFS(to, os.DirFS(filepath.Join(backup, from)))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
