package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
func Verify(ctx context.Context, dir string, t Trusted) (Verified, error) {
	var lasting []string // found at each try so far
	for try, wait := 1, 20*time.Millisecond; ; try++ {
		v := &verification{dir: dir, report: Verified{Dir: dir, Findings: []string{}}}
		v.active = BeingWritten(dir)
		if err := v.run(ctx, t); err != nil {
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
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return v.report, errEnded
		}
		wait *= 2
	}
}

const mostTries = 50

var errEnded = errors.New("ended before all was read")

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

func (v *verification) run(ctx context.Context, t Trusted) error {
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
	v.checkSums(ctx, files)
	if err := v.walk(ctx, files); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errEnded
	}
	return nil
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
