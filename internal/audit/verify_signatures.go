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
)

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
		if name := nameOf(k); !v.trusted.has(name) {
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
		s, c, err := openCheckpoint(one, keys)
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
			if !trusted.hasOneOf(n.by) {
				continue
			}
			for _, k := range all {
				if name := nameOf(k); slices.Contains(n.by, name) && !trusted.has(name) {
					trusted, grown = append(trusted, k), true
				}
			}
		}
	}
	return trusted
}

// openTrusted opens a checkpoint that a trusted key must have signed.
func (v *verification) openTrusted(raw []byte, all keyring) (signed, Checkpoint, error) {
	s, c, err := openCheckpoint(raw, all)
	if err == nil && !v.trusted.hasOneOf(s.by) {
		err = fmt.Errorf("not signed by a key that is trusted (%s), but by %s", v.trusted, strings.Join(s.by, ", "))
	}
	return s, c, err
}

// readCheckpoint holds the checkpoint against the keys.
func (v *verification) readCheckpoint(all keyring) {
	if v.raw == nil {
		return
	}
	s, c, err := v.openTrusted(v.raw, all)
	if err != nil {
		v.find("checkpoint: %v", err)
		return
	}
	v.checkpoint, v.signed = c, true
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

func (v *verification) readSince(raw []byte, all keyring) {
	if raw == nil {
		return
	}
	_, c, err := v.openTrusted(append(bytes.TrimSpace(raw), '\n'), all)
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
