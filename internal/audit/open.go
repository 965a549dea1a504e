package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// fewEnough lines are read at the start, so that what comes once more is known.
const fewEnough = 200_000

// open finds out how far the log got, and cuts off what was never acknowledged.
func (a *Audit) open() error {
	if err := a.openKey(); err != nil {
		return err
	}
	if err := a.begin(); err != nil {
		return err
	}
	current, err := readCheckpoint(filepath.Join(a.Dir, "checkpoint"), a.public)
	if err != nil {
		return fmt.Errorf("%w; compare the folder with a copy, and see: watcher audit verify %s", err, a.Dir)
	}
	if err := a.openTree(current); err != nil {
		return alarm(a.Dir, err)
	}
	if err := a.openFile(); err != nil {
		return alarm(a.Dir, err)
	}
	return a.finishPacking()
}

func alarm(dir string, err error) error {
	if d, ok := errors.AsType[*damage](err); ok {
		return fmt.Errorf("%s was changed: %s; nothing is written to it until somebody has looked: watcher audit verify %s", dir, d.text, dir)
	}
	return err
}

// openKey reads the signing key, or makes it where neither key nor log is there.
func (a *Audit) openKey() error {
	text, err := os.ReadFile(a.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(a.Dir, "checkpoint")); err == nil {
			return fmt.Errorf("%s: no such key, but %s holds a log that was signed with one; put the key back, or name another folder", a.KeyFile, a.Dir)
		}
		secret, _, err := note.GenerateKey(rand.Reader, "jobwatch-audit/"+a.Name)
		if err != nil {
			return err
		}
		text = []byte(secret + "\n")
		if err := replaceFile(a.KeyFile, text, 0o600); err != nil {
			return fmt.Errorf("audit key: %w", err)
		}
	} else if err != nil {
		return fmt.Errorf("audit key: %w", err)
	}
	secret := strings.TrimSpace(string(text))
	if a.signer, err = note.NewSigner(secret); err != nil {
		return fmt.Errorf("%s holds no signing key of an audit log", a.KeyFile)
	}
	public, err := publicKey(secret)
	if err != nil {
		return fmt.Errorf("%s holds no signing key of an audit log", a.KeyFile)
	}
	a.public, err = note.NewVerifier(public)
	return err
}

// publicKey gives the verifier key of a signing key: "PRIVATE+KEY+<name>+<hash>+<base64 of 1 and the seed>".
func publicKey(secret string) (string, error) {
	parts := strings.SplitN(secret, "+", 5)
	if len(parts) != 5 {
		return "", errors.New("no signing key")
	}
	key, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(key) != 1+ed25519.SeedSize {
		return "", errors.New("no signing key")
	}
	private := ed25519.NewKeyFromSeed(key[1:])
	return note.NewEd25519VerifierKey(parts[2], private.Public().(ed25519.PublicKey))
}

// begin makes the log where there is none: its first checkpoint covers nothing.
func (a *Audit) begin() error {
	checkpoint := filepath.Join(a.Dir, "checkpoint")
	if _, err := os.Stat(checkpoint); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	files, err := listFiles(a.Dir)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		return fmt.Errorf("%s holds %s and no checkpoint: it was taken away, or this is no audit log; name another folder, or put it back from a copy",
			a.Dir, filepath.Base(files[0].path))
	}
	secret, err := os.ReadFile(a.KeyFile)
	if err != nil {
		return err
	}
	public, err := publicKey(strings.TrimSpace(string(secret)))
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(a.Dir, "public-key"), []byte(public+"\n"), 0o644); err != nil {
		return err
	}
	signed, err := a.checkpointOf(tree{})
	if err != nil {
		return err
	}
	return replaceFile(checkpoint, signed, 0o640)
}

// checkpoint is a signed size and root.
type checkpoint struct {
	size int64
	root tlog.Hash
	file string // name and digest of the file that ends there; "": it says none
	text []byte
}

func readCheckpoint(name string, public note.Verifier) (checkpoint, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return checkpoint{}, err
	}
	c, err := parseCheckpoint(text, public)
	if err != nil {
		return c, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

func parseCheckpoint(text []byte, public note.Verifier) (c checkpoint, err error) {
	n, err := note.Open(text, note.VerifierList(public))
	if err != nil {
		return c, fmt.Errorf("no checkpoint that %s has signed: %w", public.Name(), err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || len(lines) > 5 || lines[0] != public.Name() || lines[len(lines)-1] != "" {
		return c, errors.New("no checkpoint of this log")
	}
	if len(lines) == 5 {
		c.file = lines[3]
	}
	if _, err := fmt.Sscanf(lines[1], "%d", &c.size); err != nil || c.size < 0 || fmt.Sprint(c.size) != lines[1] {
		return c, errors.New("a checkpoint without a size")
	}
	if c.root, err = tlog.ParseHash(lines[2]); err != nil {
		return c, errors.New("a checkpoint without a root")
	}
	c.text = text
	return c, nil
}

// openTree opens the hashes, and holds them against the checkpoint.
func (a *Audit) openTree(current checkpoint) error {
	f, err := os.OpenFile(filepath.Join(a.Dir, "hashes"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return err
	}
	a.tree = tree{file: f, size: current.size, saved: tlog.StoredHashCount(current.size)}
	root, err := a.tree.root()
	if err != nil || root != current.root {
		return &damage{"hashes do not fit the checkpoint", 0}
	}
	return f.Truncate(a.tree.saved * tlog.HashSize)
}

// openFile opens the newest file, holds its lines against their hashes, and cuts off what the checkpoint does not cover.
func (a *Audit) openFile() error {
	files, err := listFiles(a.Dir)
	if err != nil {
		return err
	}
	for len(files) > 0 && files[len(files)-1].first > a.tree.size+1 { // begun, and never acknowledged
		if err := os.Remove(files[len(files)-1].path); err != nil {
			return err
		}
		files = files[:len(files)-1]
	}
	if len(files) == 0 {
		if a.tree.size > 0 {
			return &damage{fmt.Sprintf("%s and all other files of lines are missing", nameOf(1)), a.tree.size}
		}
		return a.newFile()
	}
	newest := files[len(files)-1]
	kept, last, err := a.checkLines(newest)
	if err != nil {
		return err
	}
	if last != a.tree.size {
		return &damage{fmt.Sprintf("%s ends with line %d of the log; the checkpoint covers %d", filepath.Base(newest.path), last, a.tree.size), last + 1}
	}
	if err := a.remember(files[:len(files)-1]); err != nil {
		return err
	}
	if newest.packed {
		return a.newFile()
	}
	return a.continueFile(newest, kept)
}

// checkLines reads a file to the end of what the checkpoint covers, and says how many bytes and lines of the log that is.
func (a *Audit) checkLines(f logFile) (bytes, last int64, err error) {
	last = f.first - 1
	err = f.each(func(l located) error {
		if l.n > a.tree.size {
			return errCovered
		}
		leaf, err := a.tree.leaf(l.n)
		if err != nil {
			return err
		}
		if !l.whole || tlog.RecordHash(l.text) != leaf {
			return &damage{fmt.Sprintf("%s: line %d", l.file, l.line), l.n}
		}
		bytes += int64(len(l.text)) + 1
		last = l.n
		a.rememberLine(l.text)
		return nil
	})
	if errors.Is(err, errCovered) {
		err = nil
	}
	return bytes, last, err
}

var errCovered = errors.New("all that the checkpoint covers was read")

func (a *Audit) rememberLine(text []byte) {
	a.seen[keyOf(idOf(text))] = true
	var l struct {
		Seq uint64    `json:"seq"`
		At  time.Time `json:"at"`
	}
	if json.Unmarshal(text, &l) == nil {
		a.lastSeq = max(a.lastSeq, l.Seq)
		if a.began.IsZero() {
			a.began = l.At
		}
	}
}

// remember reads older files, the newest first, until enough ids are known.
func (a *Audit) remember(older []logFile) error {
	began := a.began
	defer func() { a.began = began }()
	for _, f := range slices.Backward(older) {
		if len(a.seen) >= fewEnough {
			return nil
		}
		if err := f.each(func(l located) error { a.rememberLine(l.text); return nil }); err != nil {
			return err
		}
	}
	a.whole = true
	return nil
}

func (a *Audit) continueFile(f logFile, kept int64) (err error) {
	if a.file, err = os.OpenFile(f.path, os.O_RDWR, 0o640); err != nil {
		return err
	}
	a.first, a.bytes = f.first, kept
	if kept == 0 {
		a.began = time.Time{}
	}
	return a.file.Truncate(kept)
}

// newFile begins a file with the line behind the last one.
func (a *Audit) newFile() error {
	name := filepath.Join(a.Dir, nameOf(a.tree.size+1)+plainEnd)
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	if err := syncDirOf(name); err != nil {
		return errors.Join(err, f.Close())
	}
	a.file, a.first, a.bytes, a.began = f, a.tree.size+1, 0, time.Time{}
	return nil
}

// rotateIfDue begins another file where this one is large or old enough.
func (a *Audit) rotateIfDue() error {
	if a.began.IsZero() && a.bytes > 0 {
		a.began = time.Now()
	}
	if a.bytes == 0 {
		a.began = time.Now()
		return nil
	}
	if (a.Size == 0 || a.bytes < a.Size) && (a.Age == 0 || time.Since(a.began) < a.Age) {
		return nil
	}
	old := a.file
	if err := a.newFile(); err != nil {
		return err
	}
	a.began = time.Now()
	if err := old.Close(); err != nil {
		return err
	}
	return a.finishPacking()
}

// finishPacking packs what was rotated, also before a crash, signs what each file is then, and removes what is kept no
// longer.
func (a *Audit) finishPacking() error {
	files, err := listFiles(a.Dir)
	if err != nil {
		return err
	}
	for i, f := range files {
		if f.first == a.first || i+1 == len(files) {
			continue
		}
		if !f.packed {
			if f, err = pack(f); err != nil {
				return err
			}
		}
		if err := a.keepCheckpoint(f, files[i+1].first-1); err != nil {
			return err
		}
	}
	return a.dropOld()
}

// keepCheckpoint adds the checkpoint that ends a packed file to those that are kept, once: with the file's own digest, so
// that not a byte of it may change, also where it is unpacked to the same lines.
func (a *Audit) keepCheckpoint(f logFile, size int64) error {
	name := filepath.Join(a.Dir, "checkpoints")
	kept, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	root, err := tlog.TreeHash(size, &a.tree)
	if err != nil {
		return err
	}
	head := fmt.Sprintf("%s\n%d\n%s\n", a.signer.Name(), size, root)
	if bytes.HasPrefix(kept, []byte(head)) || bytes.Contains(kept, []byte("\n\n"+head)) {
		return nil
	}
	digest, err := digestOf(f.path)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: head + filepath.Base(f.path) + " " + digest + "\n"}, a.signer)
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		kept = append(kept, '\n')
	}
	return replaceFile(name, append(kept, signed...), 0o640)
}

func digestOf(path string) (string, error) {
	data, err := os.ReadFile(path)
	sum := sha256.Sum256(data)
	return base64.StdEncoding.EncodeToString(sum[:]), err
}

// dropOld removes the oldest files where only some are kept. Their hashes stay, and what is kept from where on is signed
// before they go: another who takes files away cannot say so.
func (a *Audit) dropOld() error {
	if a.Keep == 0 {
		return nil
	}
	files, err := listFiles(a.Dir)
	if err != nil || len(files) <= a.Keep+1 {
		return err
	}
	old, kept := files[:len(files)-a.Keep-1], files[len(files)-a.Keep-1:]
	signed, err := note.Sign(&note.Note{Text: keptText(a.signer.Name(), kept[0].first)}, a.signer)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(a.Dir, "kept"), signed, 0o640); err != nil {
		return err
	}
	for _, f := range old {
		if err := os.Remove(f.path); err != nil {
			return err
		}
	}
	return nil
}

func keptText(origin string, first int64) string {
	return fmt.Sprintf("%s\nkept from line\n%d\n", origin, first)
}

// keptFrom is the first line that is kept, as the writer has signed it.
func keptFrom(dir string, public note.Verifier) (int64, error) {
	text, err := os.ReadFile(filepath.Join(dir, "kept"))
	if errors.Is(err, fs.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := note.Open(text, note.VerifierList(public))
	if err != nil {
		return 0, fmt.Errorf("kept: not as it was signed: %w", err)
	}
	var first int64
	if lines := strings.Split(n.Text, "\n"); len(lines) != 4 || lines[1] != "kept from line" {
		return 0, errors.New("kept: not as it was signed")
	} else if _, err := fmt.Sscanf(lines[2], "%d", &first); err != nil {
		return 0, errors.New("kept: no number")
	}
	return first, nil
}
