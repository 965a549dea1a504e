// Package audit keeps events in files of which nobody can change a byte unseen: a Merkle tree over their lines (RFC 6962),
// whose root is signed. Each event stands there once.
//
//	audit-<n of its first line>.jsonl      lines {"n":1,"seq":…,"at":…,"event":{…}}, n from 1 on without a gap; a leaf is a
//	                                       line without its newline
//	audit-<n of its first line>.jsonl.zst  the same, rotated
//	hashes       of the tree: 32 bytes each, in the order of tlog.StoredHashIndex
//	checkpoint   size and root of the tree, signed: C2SP tlog-checkpoint. It covers every acknowledged line
//	checkpoints  the first, one for each rotation, one a day, and one for each change of the key; each ends with an empty line
//	SHA256SUMS   of the rotated files as they lie there; sha256sum -c reads it
//	removed      up to which line files were removed (keep), signed
//	keys         with which checkpoints were ever signed: verifier keys, one a line
//	lock         held by the writer
//	published    the checkpoint that was last published
//
// A batch is written in this order: lines, hashes, both synced; then the checkpoint under another name, synced, renamed,
// and the folder synced. What lies above the checkpoint at a start was never acknowledged: it is cut off, and delivered again.
package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"jobwatch/internal/relay"
)

// Config says where a log is kept, and how.
type Config struct {
	Dir     string
	KeyFile string        // signing keys, one a line, the first of them the newest; made at the first start. Empty: Dir + ".key"
	Origin  string        // of the log, if its key has to be made: "jobwatch/" and the relay's name
	Size    int64         // a file that is as large is rotated; 0: at no size
	Age     time.Duration // a file that is as old is rotated; 0: at no age
	Keep    int           // rotated files; 0: all

	// Publish takes each checkpoint out of the machine; nil: it stays here. One that a newer one has overtaken before it
	// could be published is left out: the newer one says more.
	Publish func(ctx context.Context, checkpoint []byte) error

	now    func() time.Time
	disk   disk
	recent int // lines whose ids are always known
}

// Log is a destination that writes the relay's whole stream, in order.
type Log struct {
	Config

	lock    sync.Mutex
	writing *writer // nil: it has to be opened
	broken  error   // why it stands still
	idle    *time.Timer

	fresh     chan struct{} // there is a checkpoint to publish
	end       context.CancelFunc
	publisher sync.WaitGroup
}

// New prepares a log. Nothing is read or written before the first Deliver.
func New(c Config) (*Log, error) {
	if c.Dir == "" {
		return nil, errors.New("dir: missing; name the folder of the audit files")
	}
	if c.KeyFile == "" {
		c.KeyFile = filepath.Clean(c.Dir) + ".key"
	}
	if c.Origin == "" {
		c.Origin = "jobwatch/" + filepath.Base(filepath.Clean(c.Dir))
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.disk == nil {
		c.disk = realDisk{}
	}
	c.recent = cmp.Or(c.recent, 20_000)
	return &Log{Config: c, fresh: make(chan struct{}, 1)}, nil
}

// lent is how long a log that gets nothing keeps others from writing it: another watcher may be the one that delivers now.
const lent = 5 * time.Second

// Deliver appends the events that the log has not, and is done when they would outlive a power cut.
func (l *Log) Deliver(ctx context.Context, b relay.Batch) (done int, err error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.broken != nil {
		return 0, refusal(l.broken)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := l.open(); err != nil {
		return 0, l.refuse(err)
	}
	fit, unfit := lines(b.Events)
	if err := l.writing.append(fit); err != nil {
		return 0, l.refuse(err)
	}
	l.letPublish()
	l.idle.Reset(lent)
	return len(fit), unfit
}

// open opens the log unless it is open. What is not as we left it when we let go of the lock may be another writer's.
func (l *Log) open() error {
	if l.writing != nil {
		same, err := l.writing.retake()
		if same || err != nil {
			return err
		}
		l.shut()
	}
	w, err := open(l.Config)
	if err != nil {
		return err
	}
	l.writing = w
	l.idle = time.AfterFunc(lent, l.letGo)
	if l.Publish != nil && l.end == nil {
		ctx, end := context.WithCancel(context.Background())
		l.end = end
		l.publisher.Go(func() { l.publishAll(ctx) })
	}
	return nil
}

// Open finds out, before the first event comes, whether the log that is there is as it was left. One that another process
// writes is that one's to look at, and none is made.
func (l *Log) Open(ctx context.Context) error {
	l.lock.Lock()
	defer l.lock.Unlock()
	has, err := holdsLog(l.Dir)
	began, existsErr := exists(l.KeyFile + ".pub")
	if err = errors.Join(err, existsErr); err != nil {
		return err
	}
	if !has && !began {
		return l.Check(ctx)
	}
	if err := l.open(); err != nil {
		l.shut()
		if errors.Is(err, errInUse) {
			return nil
		}
		return err
	}
	l.letPublish()
	l.writing.lend()
	return nil
}

// letGo lets others lock the folder.
func (l *Log) letGo() {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.writing != nil {
		l.writing.lend()
	}
}

func (l *Log) shut() {
	if l.writing != nil {
		l.writing.close()
		l.writing = nil
	}
	if l.idle != nil {
		l.idle.Stop()
	}
}

// refuse says what an error means for the relay. After any of them the log is opened anew, which finds out what is on disk.
func (l *Log) refuse(err error) error {
	l.shut()
	if _, damaged := errors.AsType[*Damage](err); damaged {
		l.broken = err
	}
	return refusal(err)
}

func refusal(err error) error {
	kind := relay.Away
	if _, damaged := errors.AsType[*Damage](err); damaged {
		kind = relay.Broken
	}
	return &relay.Refusal{Kind: kind, Reason: "audit: " + err.Error()}
}

// Close ends the publishing of checkpoints, and lets go of the folder.
func (l *Log) Close() error {
	l.lock.Lock()
	l.shut()
	end := l.end
	l.lock.Unlock()
	if end != nil {
		end()
		l.publisher.Wait()
	}
	return nil
}

// Damage is what should not be: somebody has to look before anything more is written.
type Damage struct{ Problem string }

func (d *Damage) Error() string { return d.Problem }

func damaged(format string, values ...any) error { return &Damage{fmt.Sprintf(format, values...)} }

// Check says whether a log could be written here. It changes nothing that is there.
func (l *Log) Check(context.Context) error {
	folder := l.Dir
	for {
		info, err := os.Stat(folder)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("audit.dir: %s is not a folder", folder)
		}
		if err == nil {
			break
		}
		if parent := filepath.Dir(folder); !errors.Is(err, os.ErrNotExist) || parent == folder {
			return fmt.Errorf("audit.dir: %w", err)
		}
		folder = filepath.Dir(folder)
	}
	probe, err := os.CreateTemp(folder, ".check-*")
	if err != nil {
		return fmt.Errorf("audit.dir: %s cannot be written: %w", folder, errors.Unwrap(err))
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return fmt.Errorf("audit.dir: %w", err)
	}
	if has, err := holdsLog(l.Dir); err != nil || !has {
		return err
	}
	_, err = examine(l.Config)
	return err
}

// Preview is the lines that would be written, numbered from 1.
func (l *Log) Preview(b relay.Batch) (text string, err error) {
	fit, unfit := lines(b.Events)
	for i, one := range fit {
		text += string(one.line(int64(i)+1, l.now())) + "\n"
	}
	return text, unfit
}

// Try refuses: what a log holds is what its relay has delivered.
func (l *Log) Try(context.Context, relay.Batch) (answer string, err error) {
	return "", errors.New("an audit log takes events from its relay alone; see what would be written with --dry")
}
