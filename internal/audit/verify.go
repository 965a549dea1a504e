package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Verified is what reading every byte of a log has shown.
type Verified struct {
	Dir      string     `json:"dir"`
	Origin   string     `json:"origin"`
	Size     int64      `json:"size"`  // lines
	Root     string     `json:"root"`  // as the checkpoint has it
	First    int64      `json:"first"` // line that is still there
	Last     int64      `json:"last"`
	Removed  int64      `json:"removed"` // up to this line files were removed on purpose, which is signed
	Key      string     `json:"key"`     // that has signed the checkpoint
	Public   string     `json:"public"`  // its verifier key
	Trust    string     `json:"trust"`   // why that key counts
	Time     *time.Time `json:"time"`    // of the last line
	Kept     int        `json:"kept"`    // checkpoints
	Since    *int64     `json:"since,omitempty"`
	Findings []string   `json:"findings"` // the first line that is not as it was written before the others
	More     int        `json:"more,omitempty"`
}

// Trusted is what a verification goes by besides the folder.
type Trusted struct {
	Keys  string // verifier keys, one a line; empty: those of <dir>.key.pub, else the first in the folder
	Since []byte // a checkpoint of before, of which the log must be a continuation; nil: none
}

const mostFindings = 100

// Verify reads every byte of a log, also while it is written: up to the checkpoint that it finds at first. The error says
// why there is nothing to verify; what is wrong with a log is a finding.
func Verify(dir string, t Trusted) (Verified, error) {
	var lasting []string // found at each try so far
	for try, wait := 1, 20*time.Millisecond; ; try++ {
		v := &verification{dir: dir, report: Verified{Dir: dir, Findings: []string{}}}
		v.active = BeingWritten(dir)
		if err := v.run(t); err != nil {
			return v.report, err
		}
		if len(v.report.Findings) == 0 || !v.active && !BeingWritten(dir) && !v.moved() {
			return v.report, nil
		}
		// While it was read a file may have been rotated, or removed because it was old: that is not found for long.
		if try > 1 {
			lasting = slices.DeleteFunc(lasting, func(f string) bool { return !slices.Contains(v.report.Findings, f) })
		}
		switch {
		case len(lasting) == 0 && try >= mostTries:
			return v.report, fmt.Errorf("%s: its files are rotated faster than they can be read; verify a copy of it", dir)
		case len(lasting) == 0:
			lasting = v.report.Findings
			wait = 20 * time.Millisecond
		case wait > time.Second:
			v.report.Findings = lasting
			return v.report, nil
		}
		time.Sleep(wait)
		wait *= 2
	}
}

const mostTries = 50

type verification struct {
	dir    string
	report Verified
	active bool // somebody writes

	raw        []byte // the checkpoint
	checkpoint Checkpoint
	signed     bool    // the checkpoint holds
	trusted    keyring // all that may sign
	listed     string  // the verifier keys in the folder
	kept       []Checkpoint
	since      *Checkpoint
	removed    int64
	sums       sums // that are not yet checked; nil: none can be
}

func (v *verification) find(format string, values ...any) {
	if len(v.report.Findings) < mostFindings {
		v.report.Findings = append(v.report.Findings, fmt.Sprintf(format, values...))
	} else {
		v.report.More++
	}
}

// moved says whether the log has gone on meanwhile.
func (v *verification) moved() bool {
	now, err := os.ReadFile(filepath.Join(v.dir, checkpointName))
	return err == nil && !bytes.Equal(now, v.raw)
}

func (v *verification) run(t Trusted) error {
	files, err := v.look()
	if err != nil {
		return err
	}
	if err := v.trust(t); err != nil {
		return err
	}
	if v.raw == nil {
		v.find("checkpoint: missing")
	}
	v.readRemoved()
	v.readSums()
	v.checkSums(files)
	return v.walk(files)
}

// look reads the checkpoint, and which files there are. What is written from here on lies behind that checkpoint; what is
// rotated or removed meanwhile is found out where it is read.
func (v *verification) look() (files []part, err error) {
	info, err := os.Stat(v.dir)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a folder", v.dir)
	}
	v.raw, err = os.ReadFile(filepath.Join(v.dir, checkpointName))
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return nil, err
	}
	files, strange, err := parts(v.dir)
	if err != nil {
		return nil, err
	}
	if missing && len(files)+len(strange) == 0 {
		if has, _ := exists(filepath.Join(v.dir, hashesName)); !has {
			return nil, fmt.Errorf("%s: no audit log", v.dir)
		}
	}
	for _, name := range strange {
		v.find("%s: no file of the log", name)
	}
	return files, nil
}

// trust finds out which keys count, and checks every signature.
func (v *verification) trust(t Trusted) error {
	pinned, err := v.pin(t.Keys)
	if err != nil {
		return err
	}
	listed, err := os.ReadFile(filepath.Join(v.dir, keysName))
	v.listed = string(listed)
	var inFolder keyring
	if err == nil {
		inFolder, err = parseKeys(string(listed))
	}
	if err != nil {
		v.find("keys: %v", err)
	}
	if len(pinned) == 0 && len(inFolder) > 0 {
		pinned = inFolder[:1]
		v.report.Trust = "it lies in the folder; that it is the right one only a copy of it elsewhere can say (--key)"
	}
	all := unite(pinned, inFolder)
	notes := v.readNotes(all)
	v.trusted = closure(pinned, all, notes)
	for _, k := range inFolder {
		if name := keyName(k.Name(), k.KeyHash()); !v.trusted.has(name) {
			v.find("keys: %s never signed together with a key that is trusted", name)
		}
	}
	v.readCheckpoint(all)
	v.readSince(t.Since, all)
	return nil
}

func (v *verification) pin(given string) (keyring, error) {
	if given != "" {
		v.report.Trust = "it was given"
		keys, err := parseKeys(strings.TrimSpace(given) + "\n")
		if err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
		return keys, nil
	}
	path := filepath.Clean(v.dir) + ".key.pub"
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v.report.Trust = "it lies beside the folder, in " + path
	keys, err := parseKeys(string(text))
	if err != nil {
		v.find("%s: %v", path, err)
	}
	return keys, nil
}

// readNotes checks the kept checkpoints.
func (v *verification) readNotes(keys keyring) (notes []signed) {
	text, err := os.ReadFile(filepath.Join(v.dir, checkpointsName))
	if err != nil {
		v.find("checkpoints: %v", reason(err))
		return nil
	}
	raw, err := splitNotes(text)
	if err != nil {
		v.find("checkpoints: %v", err)
	}
	var last int64
	for i, one := range raw {
		s, err := openNote(one, keys)
		var c Checkpoint
		if err == nil {
			c, err = parseCheckpoint(s.text)
		}
		if err == nil && c.Size < last {
			err = fmt.Errorf("of %d lines behind one of %d", c.Size, last)
		}
		if err == nil && slices.ContainsFunc(notes, func(n signed) bool { return bytes.Equal(n.raw, s.raw) }) {
			err = errors.New("stands there twice")
		}
		if err != nil {
			v.find("checkpoints: number %d: %v", i+1, err)
			continue
		}
		last = c.Size
		notes, v.kept = append(notes, s), append(v.kept, c)
	}
	v.report.Kept = len(v.kept)
	if len(v.kept) > 0 && v.kept[0].Size != 0 {
		v.find("checkpoints: the first is missing, of 0 lines")
	}
	return notes
}

// closure are the pinned keys, and those that have signed a checkpoint together with one of them, and so on.
func closure(pinned, all keyring, notes []signed) keyring {
	trusted := slices.Clone(pinned)
	for grown := true; grown; {
		grown = false
		for _, n := range notes {
			if !slices.ContainsFunc(n.by, trusted.has) {
				continue
			}
			for _, name := range n.by {
				if trusted.has(name) {
					continue
				}
				for _, k := range all {
					if keyName(k.Name(), k.KeyHash()) == name {
						trusted, grown = append(trusted, k), true
					}
				}
			}
		}
	}
	return trusted
}

// readCheckpoint holds the checkpoint against the keys.
func (v *verification) readCheckpoint(all keyring) {
	if v.raw == nil {
		return
	}
	s, err := openNote(v.raw, all)
	if err == nil {
		v.checkpoint, err = parseCheckpoint(s.text)
	}
	if err == nil && !slices.ContainsFunc(s.by, v.trusted.has) {
		err = fmt.Errorf("not signed by a key that is trusted (%s), but by %s", v.trusted, strings.Join(s.by, ", "))
	}
	if err != nil {
		v.find("checkpoint: %v", err)
		v.checkpoint = Checkpoint{}
		return
	}
	v.signed = true
	v.report.Origin, v.report.Size, v.report.Root = v.checkpoint.Origin, v.checkpoint.Size, v.checkpoint.Root.String()
	v.report.Key = strings.Join(s.by, ", ")
	for line := range strings.Lines(v.listed) {
		if strings.HasPrefix(line, s.by[0]+"+") {
			v.report.Public = strings.TrimSpace(line)
		}
	}
	if !v.trusted.ofOrigin(v.checkpoint.Origin) {
		v.find("checkpoint: of the log %s, which is none of the key's (%s)", v.checkpoint.Origin, v.trusted)
	}
	for _, c := range v.kept {
		if c.Origin != v.checkpoint.Origin {
			v.find("checkpoints: one is of another log, %s", c.Origin)
		}
		if c.Size > v.checkpoint.Size && !v.active {
			v.find("checkpoints: one is of %d lines, the checkpoint of %d: lines from %d on are missing", c.Size, v.checkpoint.Size, v.checkpoint.Size+1)
		}
	}
}

func (k keyring) ofOrigin(origin string) bool {
	for _, v := range k {
		if v.Name() != origin {
			return false
		}
	}
	return true
}

func (v *verification) readSince(raw []byte, all keyring) {
	if raw == nil {
		return
	}
	s, err := openNote(append(bytes.TrimSpace(raw), '\n'), all)
	var c Checkpoint
	if err == nil {
		c, err = parseCheckpoint(s.text)
	}
	if err == nil && !slices.ContainsFunc(s.by, v.trusted.has) {
		err = fmt.Errorf("not signed by a key that is trusted (%s), but by %s", v.trusted, strings.Join(s.by, ", "))
	}
	if err == nil && v.signed && c.Origin != v.checkpoint.Origin {
		err = fmt.Errorf("of another log, %s", c.Origin)
	}
	if err != nil {
		v.find("--since: %v", err)
		return
	}
	v.since, v.report.Since = &c, &c.Size
	if v.signed && c.Size > v.checkpoint.Size {
		v.find("--since: the log had %d lines then, and has %d: line %d is missing", c.Size, v.checkpoint.Size, v.checkpoint.Size+1)
	}
}

func (v *verification) readRemoved() {
	var err error
	origin := v.checkpoint.Origin
	if !v.signed && len(v.kept) > 0 {
		origin = v.kept[0].Origin
	}
	if v.removed, err = readRemoved(v.dir, origin, v.trusted); err != nil {
		v.find("%v", err)
	}
	v.report.Removed = v.removed
}

// removedMeanwhile says whether the writer has removed a file of lines, on purpose, since the files were listed.
func (v *verification) removedMeanwhile(p part) bool {
	if v.active && p.first > v.removed {
		v.readRemoved()
	}
	return v.active && p.first <= v.removed
}

func (v *verification) readSums() {
	var err error
	if v.sums, err = readSums(v.dir); err != nil {
		v.find("%v", err)
	}
}

// checkSums holds each rotated file against what it was when it was rotated.
func (v *verification) checkSums(files []part) {
	if v.sums == nil {
		return
	}
	for i, p := range files {
		if !p.rotated {
			continue
		}
		want, listed := v.sums[p.name()]
		delete(v.sums, p.name())
		rotating := v.active && i > 0 && files[i-1].first == p.first
		if !listed {
			if !rotating && !v.removedMeanwhile(p) {
				v.find("%s: not listed in %s", p.name(), sumsName)
			}
			continue
		}
		sum, err := sumOf(p.path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && v.removedMeanwhile(p):
		case err != nil:
			v.find("%s: %v", p.name(), reason(err))
		case sum != want:
			v.find("%s: not the bytes of which %s has the sum (lines from %d on)", p.name(), sumsName, p.first)
		}
	}
	for name := range v.sums { // rotated since the files were listed, or not there
		there, _ := exists(filepath.Join(v.dir, name))
		p, ok := partOf(v.dir, name)
		if !v.active || !there && (!ok || !v.removedMeanwhile(p)) {
			v.find("%s: missing", name)
		}
	}
}

// reason leaves out the path of an error of the file system.
func reason(err error) error {
	if e, is := errors.AsType[*fs.PathError](err); is {
		return e.Err
	}
	return err
}

// root at a size that somebody has signed.
type claim struct {
	what string
	Checkpoint
}

// claims are all roots that are claimed of the log, by size.
func (v *verification) claims() map[int64][]claim {
	all := map[int64][]claim{}
	for _, c := range v.kept {
		all[c.Size] = append(all[c.Size], claim{"a kept checkpoint", c})
	}
	if v.since != nil {
		all[v.since.Size] = append(all[v.since.Size], claim{"the checkpoint of --since", *v.since})
	}
	if v.signed {
		all[v.checkpoint.Size] = append(all[v.checkpoint.Size], claim{"the checkpoint", v.checkpoint})
	}
	return all
}

// checkRotations: where a file ends a checkpoint was kept.
func (v *verification) checkRotations(files []part, size int64) {
	has := func(size int64) bool {
		return slices.ContainsFunc(v.kept, func(c Checkpoint) bool { return c.Size == size })
	}
	for i, p := range files {
		end := size
		if i+1 < len(files) {
			end = files[i+1].first - 1
		}
		overtaken := v.active && i == len(files)-1 // it goes on behind the checkpoint that was read
		if p.rotated && !has(end) && !overtaken {
			v.find("checkpoints: that of %d lines is missing, which was kept when %s was rotated", end, p.name())
		}
		if i == 0 && p.first > 1 && !has(p.first-1) {
			v.find("checkpoints: that of %d lines is missing, after which %s begins", p.first-1, p.name())
		}
	}
}
