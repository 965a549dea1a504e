package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is the state of a log: https://c2sp.org/tlog-checkpoint.
type Checkpoint struct {
	Origin string
	Size   int64 // lines
	Root   tlog.Hash
}

func (c Checkpoint) text() string { return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root) }

func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("no checkpoint: wants the three lines origin, size and root")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || size > mostLines {
		return Checkpoint{}, fmt.Errorf("no checkpoint: size %.30q", lines[1])
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fmt.Errorf("no checkpoint: root %.60q", lines[2])
	}
	c := Checkpoint{lines[0], size, tlog.Hash(root)}
	if c.text() != text {
		return Checkpoint{}, fmt.Errorf("no checkpoint: size %.30q", lines[1])
	}
	return c, nil
}

const mostLines = 1 << 48 // more is not a log but an attempt to make a reader overflow

// signed is a note whose every signature that a known key could have made is good, in the form that Sign gives it.
type signed struct {
	raw  []byte
	text string
	by   []string // the keys, as their verifiers write them
}

// openNote checks a note. An error says why it proves nothing.
func openNote(raw []byte, keys keyring) (signed, error) {
	n, err := note.Open(raw, keys)
	if unverified, none := errors.AsType[*note.UnverifiedNoteError](err); none && len(unverified.Note.UnverifiedSigs) > 0 {
		return signed{}, fmt.Errorf("not signed by the key of the log (%s), but by %s", keys, sigName(unverified.Note.UnverifiedSigs[0]))
	}
	if err != nil {
		return signed{}, fmt.Errorf("signature: %w", err)
	}
	s := signed{raw: raw, text: n.Text}
	for _, sig := range append(n.Sigs, n.UnverifiedSigs...) {
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return signed{}, errors.New("signature: changed in what it encodes nothing with")
		}
	}
	if again, err := note.Sign(n); err != nil || !bytes.Equal(again, raw) || len(n.UnverifiedSigs) > 0 {
		return signed{}, errors.New("signature: there is more than the log's keys have signed")
	}
	for _, sig := range n.Sigs {
		s.by = append(s.by, sigName(sig))
	}
	return s, nil
}

// openCheckpoint checks a note, and reads it as a checkpoint.
func openCheckpoint(raw []byte, keys keyring) (s signed, c Checkpoint, err error) {
	if s, err = openNote(raw, keys); err != nil {
		return s, c, err
	}
	c, err = parseCheckpoint(s.text)
	return s, c, err
}

func sigName(s note.Signature) string { return keyName(s.Name, s.Hash) }

func nameOf(key note.Verifier) string { return keyName(key.Name(), key.KeyHash()) }

func keyName(name string, hash uint32) string { return fmt.Sprintf("%s+%08x", name, hash) }

// splitNotes takes notes apart that follow each other, each with an empty line behind it.
func splitNotes(all []byte) (notes [][]byte, err error) {
	for len(all) > 0 {
		text := bytes.Index(all, []byte("\n\n"))
		if text < 0 {
			return notes, errors.New("ends within a note")
		}
		signatures := bytes.Index(all[text+2:], []byte("\n\n"))
		if signatures < 0 {
			return notes, errors.New("ends within a note")
		}
		end := text + 2 + signatures + 1
		notes = append(notes, all[:end])
		all = all[end+1:]
	}
	return notes, nil
}
