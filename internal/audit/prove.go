package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// proofHeader begins a proof: https://c2sp.org/tlog-proof.
const proofHeader = "c2sp.org/tlog-proof@v1"

// Prove gives the proof that line n stands in the log: a C2SP tlog-proof, whose index is n-1 and whose extra data is the
// line, unless its file was removed. It is made only where it holds.
func Prove(dir string, n int64) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(dir, checkpointName))
	if err != nil {
		return nil, err
	}
	text, _, _ := bytes.Cut(raw, []byte("\n\n"))
	c, err := parseCheckpoint(string(text) + "\n")
	if err != nil {
		return nil, fmt.Errorf("%s: checkpoint: %w", dir, err)
	}
	if n < 1 || n > c.Size {
		return nil, fmt.Errorf("%s: line %d: there are lines 1 to %d", dir, n, c.Size)
	}
	f, err := os.Open(filepath.Join(dir, hashesName))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	line, err := findLine(dir, n)
	if err != nil {
		return nil, err
	}
	hashes := hashReader(f)
	leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, n-1)})
	if err != nil {
		return nil, fmt.Errorf("hashes: %w", err)
	}
	if line != nil && tlog.RecordHash(line) != leaf[0] {
		return nil, fmt.Errorf("%s: line %d is not what was written; watcher audit verify says more", dir, n)
	}
	path, err := tlog.ProveRecord(c.Size, n-1, hashes)
	if err == nil {
		err = tlog.CheckRecord(path, c.Size, c.Root, n-1, leaf[0])
	}
	if err != nil {
		return nil, fmt.Errorf("%s: the hashes do not give the root of the checkpoint; watcher audit verify says more: %w", dir, err)
	}
	return formatProof(n, line, path, raw), nil
}

func formatProof(n int64, line []byte, path tlog.RecordProof, checkpoint []byte) []byte {
	var out bytes.Buffer
	fmt.Fprintln(&out, proofHeader)
	if line != nil {
		fmt.Fprintln(&out, "extra", base64.StdEncoding.EncodeToString(line))
	}
	fmt.Fprintln(&out, "index", n-1)
	for _, h := range path {
		fmt.Fprintln(&out, h)
	}
	fmt.Fprintln(&out)
	out.Write(checkpoint)
	return out.Bytes()
}

// findLine gives nil where the file of the line was removed.
func findLine(dir string, n int64) ([]byte, error) {
	all, _, err := parts(dir)
	if err != nil {
		return nil, err
	}
	for i, p := range all {
		if p.first > n || i+1 < len(all) && (all[i+1].first <= n || all[i+1].first == p.first && p.rotated) {
			continue
		}
		at := p.first
		for raw, err := range linesOf(p) {
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name(), err)
			}
			if at == n {
				return slices.Clone(raw.text), nil
			}
			at++
		}
		return nil, fmt.Errorf("%s: line %d is missing; watcher audit verify says more", p.name(), n)
	}
	return nil, nil
}

// Proven is what a proof has shown.
type Proven struct {
	N    int64
	Line []byte
	Checkpoint
	By []string // the keys of the checkpoint
}

// CheckProof checks a proof with nothing but the verifier keys of the log. line may be nil where the proof holds it.
func CheckProof(proof []byte, keys string, line []byte) (Proven, error) {
	ring, err := parseKeys(strings.TrimSpace(keys) + "\n")
	if err != nil {
		return Proven{}, err
	}
	n, extra, path, checkpoint, err := parseProof(proof)
	if err != nil {
		return Proven{}, err
	}
	if line == nil {
		line = extra
	}
	if line == nil {
		return Proven{}, errors.New("the proof does not hold its line; give it with --line")
	}
	s, c, err := openCheckpoint(checkpoint, ring)
	if err != nil {
		return Proven{}, err
	}
	if !ring.ofOrigin(c.Origin) {
		return Proven{}, fmt.Errorf("of the log %s, which is none of the key's (%s)", c.Origin, ring)
	}
	if n < 1 || n > c.Size || tlog.CheckRecord(path, c.Size, c.Root, n-1, tlog.RecordHash(line)) != nil {
		return Proven{}, fmt.Errorf("this is not line %d of the log whose checkpoint of %d lines is signed", n, c.Size)
	}
	return Proven{n, line, c, s.by}, nil
}

func parseProof(proof []byte) (n int64, extra []byte, path tlog.RecordProof, checkpoint []byte, err error) {
	none := errors.New("no proof: begins with " + proofHeader + ", holds an index, hashes, an empty line and a checkpoint")
	head, checkpoint, found := bytes.Cut(proof, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != proofHeader {
		return 0, nil, nil, nil, none
	}
	lines = lines[1:]
	if text, has := strings.CutPrefix(lines[0], "extra "); has {
		if extra, err = base64.StdEncoding.Strict().DecodeString(text); err != nil || len(lines) < 2 {
			return 0, nil, nil, nil, none
		}
		lines = lines[1:]
	}
	text, has := strings.CutPrefix(lines[0], "index ")
	index, err := strconv.ParseInt(text, 10, 64)
	if !has || err != nil || index < 0 || index >= mostLines || len(lines) > 64 {
		return 0, nil, nil, nil, none
	}
	for _, text := range lines[1:] {
		h, err := tlog.ParseHash(text)
		if err != nil {
			return 0, nil, nil, nil, none
		}
		path = append(path, h)
	}
	return index + 1, extra, path, checkpoint, nil
}
