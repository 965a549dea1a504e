// Package audit keeps events in files of which nobody can change a byte unseen: JSON Lines, one line an event, under a
// Merkle tree (RFC 6962) whose root is signed after each batch (C2SP tlog-checkpoint).
//
//	audit-<n of its first line>.jsonl  lines {"n", "seq", "at", "event"}; a leaf is a line without its newline.
//	                                   Rotated ones are compressed: .jsonl.zst
//	hashes                             the tree's hashes, as golang.org/x/mod/sumdb/tlog stores them
//	checkpoint                         the signed note of the last batch
//	checkpoints                        those of each rotation, one behind the other
//	kept                               where rotated files are removed: the first line that is kept, signed
//	public-key                         what checks the signatures
//
// A batch is on the disk, and signed, before it is acknowledged. So whatever lies behind the checkpoint was never
// acknowledged, and is cut off at the next start; what lies before it and does not fit is an alarm.
package audit

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/sys/unix"

	"jobwatch/internal/relay"
)

// Config says where the log is kept, and for how long.
type Config struct {
	Name    string // of the relay; part of the log's origin
	Dir     string
	KeyFile string        // default <dir>.key; made where there is none
	Size    int64         // of a file, in bytes, before another is begun; 0: no limit
	Age     time.Duration // the same; 0: no limit
	Keep    int           // rotated files; 0: all

	Publish func(ctx context.Context, checkpoint []byte) error // has a copy leave the machine; nil: nobody does
	Log     *slog.Logger                                       // default slog.Default()
}

// Audit is a log that is open for writing: a relay.Destination that takes the stream in its order.
type Audit struct {
	Config
	signer note.Signer
	public note.Verifier
	lock   *os.File

	mu        sync.Mutex
	tree      tree // what the checkpoint covers; guarded by mu, as the rest is
	file      *os.File
	first     int64 // n of the file's first line
	began     time.Time
	bytes     int64
	lastSeq   uint64
	seen      map[[16]byte]bool // ids of the lines of the newest files
	whole     bool              // seen has those of all lines
	published int64             // size of the last checkpoint published
	broken    error
}

// Line is a line of the log.
type Line struct {
	N     int64           `json:"n"`   // from 1 without a gap
	Seq   uint64          `json:"seq"` // of the event in the stream
	At    time.Time       `json:"at"`  // when it was written
	Event json.RawMessage `json:"event"`
}

// New gives the log, which is not opened yet.
func New(c Config) *Audit {
	if c.KeyFile == "" {
		c.KeyFile = filepath.Clean(c.Dir) + ".key"
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return &Audit{Config: c, seen: map[[16]byte]bool{}, broken: errClosed}
}

// Open opens the log for writing, or makes it. The error says what does not fit, and what to do.
func (a *Audit) Open() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := os.MkdirAll(a.Dir, 0o750); err != nil {
		return fmt.Errorf("audit folder: %w", err)
	}
	lock, err := lockDir(a.Dir)
	if err != nil {
		return err
	}
	a.lock = lock
	if err := a.open(); err != nil {
		return errors.Join(err, a.close())
	}
	a.broken = nil
	return nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: another process writes this audit log; give each relay a folder of its own", dir)
	}
	return f, nil
}

// Close ends the writing.
func (a *Audit) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.close()
}

func (a *Audit) close() error {
	var err error
	if a.file != nil {
		err = a.file.Close()
		a.file = nil
	}
	err = errors.Join(err, a.tree.close())
	a.tree.file = nil
	if a.lock != nil {
		err = errors.Join(err, a.lock.Close())
		a.lock = nil
	}
	a.broken = errClosed
	return err
}

var errClosed = errors.New("the audit log is closed")

// Deliver appends the events that are not in the log yet, and returns when they are on the disk, under a signed checkpoint.
func (a *Audit) Deliver(ctx context.Context, b relay.Batch) (done int, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.broken != nil {
		return 0, &relay.Refusal{Kind: relay.Broken, Reason: a.broken.Error()}
	}
	lines, err := a.linesOf(b.Events)
	if refusal, ok := errors.AsType[*relay.Refusal](err); ok && len(lines) == 0 {
		return a.covered(b.Events), refusal
	}
	if len(lines) > 0 {
		if writeErr := a.append(lines); writeErr != nil {
			return 0, a.failed(writeErr)
		}
	}
	a.publish(ctx)
	if err != nil {
		return a.covered(b.Events), err
	}
	return len(b.Events), nil
}

// covered counts the events, from the first on, that the log has.
func (a *Audit) covered(events []*relay.Event) int {
	for n, e := range events {
		if !a.seen[keyOf(e.ID)] {
			return n
		}
	}
	return len(events)
}

func keyOf(id string) (k [16]byte) {
	sum := sha256.Sum256([]byte(id))
	copy(k[:], sum[:])
	return k
}

// entry is a line to be written.
type entry struct {
	text []byte // without its newline
	id   string
	seq  uint64
}

// linesOf makes the lines of the events that the log has not, up to the first that cannot be written.
func (a *Audit) linesOf(events []*relay.Event) (lines []entry, err error) {
	now := time.Now().UTC()
	inBatch := map[[16]byte]bool{}
	for _, e := range events {
		known, err := a.known(e)
		if err != nil {
			return nil, err
		}
		if known || inBatch[keyOf(e.ID)] {
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, e.Data); err != nil {
			return lines, &relay.Refusal{Kind: relay.Unfit, Reason: "the event is no JSON: " + err.Error()}
		}
		// Not json.Marshal, which would write < and > another way: the event stays as it is.
		text := fmt.Appendf(nil, `{"n":%d,"seq":%d,"at":%q,"event":%s}`,
			a.tree.size+int64(len(lines))+1, e.Sequence, now.Format(time.RFC3339Nano), compact.Bytes())
		lines = append(lines, entry{text, e.ID, e.Sequence})
		inBatch[keyOf(e.ID)] = true
	}
	return lines, nil
}

// known says whether the log has the event. One that is older than the last line, and not among the newest, is looked
// for in all files: the stream may be another than before.
func (a *Audit) known(e *relay.Event) (bool, error) {
	if a.seen[keyOf(e.ID)] {
		return true, nil
	}
	if e.Sequence > a.lastSeq || a.whole {
		return false, nil
	}
	err := eachLine(a.Dir, func(l located) error {
		a.seen[keyOf(idOf(l.text))] = true
		return nil
	})
	if err != nil {
		return false, err
	}
	a.whole = true
	return a.seen[keyOf(e.ID)], nil
}

// idOf reads the id of a line's event.
func idOf(line []byte) string {
	var l struct {
		Event struct {
			ID string `json:"id"`
		} `json:"event"`
	}
	_ = json.Unmarshal(line, &l)
	return l.Event.ID
}

// append writes lines, their hashes, and the checkpoint that covers them.
func (a *Audit) append(lines []entry) error {
	if err := a.rotateIfDue(); err != nil {
		return err
	}
	var text bytes.Buffer
	grown := a.tree
	for _, l := range lines {
		text.Write(l.text)
		text.WriteByte('\n')
		if err := grown.add(tlog.RecordHash(l.text)); err != nil {
			return err
		}
	}
	if err := writeAll(a.file, a.bytes, text.Bytes()); err != nil {
		return err
	}
	if err := grown.save(); err != nil {
		return err
	}
	if err := a.sign(grown); err != nil {
		return err
	}
	a.tree = grown
	a.bytes += int64(text.Len())
	for _, l := range lines {
		a.seen[keyOf(l.id)] = true
		a.lastSeq = max(a.lastSeq, l.seq)
	}
	return nil
}

// failed says what a write that failed means. The files may hold more than the checkpoint covers: that is written over.
func (a *Audit) failed(err error) error {
	return &relay.Refusal{Kind: relay.Away, Reason: fmt.Sprintf("the audit log cannot be written: %v", err)}
}

// sign makes a checkpoint of the tree the one that counts.
func (a *Audit) sign(t tree) error {
	signed, err := a.checkpointOf(t)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(a.Dir, "checkpoint"), signed, 0o640)
}

func (a *Audit) checkpointOf(t tree) ([]byte, error) {
	root, err := t.root()
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", a.signer.Name(), t.size, root)}, a.signer)
}

// publish has a copy of the checkpoint leave the machine. What fails is tried with the next one.
func (a *Audit) publish(ctx context.Context) {
	if a.Publish == nil || a.published == a.tree.size {
		return
	}
	signed, err := os.ReadFile(filepath.Join(a.Dir, "checkpoint"))
	if err == nil {
		err = a.Publish(ctx, signed)
	}
	if err != nil {
		a.Log.Warn("no copy of the audit log's checkpoint has left the machine; tried again with the next", "relay", a.Name, "err", err)
		return
	}
	a.published = a.tree.size
}

// Check says whether the folder can be written, or will be one that can. It makes nothing, and opens nothing.
func (a *Audit) Check(context.Context) error {
	dir := filepath.Clean(a.Dir)
	for {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir:
			dir = filepath.Dir(dir)
			continue
		case err != nil:
			return fmt.Errorf("audit folder: %w", err)
		case !info.IsDir():
			return fmt.Errorf("%s: no folder; name another in audit.dir", dir)
		case unix.Access(dir, unix.W_OK) != nil:
			return fmt.Errorf("%s: no right to write there; give it to the user that runs the watcher", dir)
		}
		break
	}
	if _, err := os.Stat(filepath.Join(a.Dir, "checkpoint")); err != nil {
		return nil
	}
	return a.openKey()
}

// Preview is what would be written, but for its number.
func (a *Audit) Preview(b relay.Batch) (string, error) {
	var text bytes.Buffer
	for _, e := range b.Events {
		var compact bytes.Buffer
		if err := json.Compact(&compact, e.Data); err != nil {
			return "", fmt.Errorf("the event is no JSON: %w", err)
		}
		fmt.Fprintf(&text, `{"n":…,"seq":%d,"at":…,"event":%s}`+"\n", e.Sequence, compact.Bytes())
	}
	return text.String(), nil
}

// Try refuses: a log takes events from its relay alone.
func (a *Audit) Try(context.Context, relay.Batch) (answer string, err error) {
	return "", errors.New("an audit log takes events from its relay alone; see what would be written with --dry")
}
