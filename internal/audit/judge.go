package audit

import (
	"fmt"
	"strings"
)

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

// say keeps a finding, unless there are plenty.
func say(findings *[]string, format string, values ...any) {
	if len(*findings) < mostFindings {
		*findings = append(*findings, fmt.Sprintf(format, values...))
	}
}

// check holds the tree of the lines so far against what was signed of it.
func (w *walker) check() {
	if w.rewrote {
		return
	}
	for _, c := range w.claims[w.ofLines.size] {
		if c.Root != w.ofLines.root() {
			say(&w.roots, "line %d or one before it: not that of which %s of %d lines was signed", w.ofLines.size, c.what, c.Size)
		}
	}
}

// judge says what is wrong: lines, hashes or both.
func (w *walker) judge() {
	linesRight := w.signed && !w.rewrote && w.ofLines.root() == w.checkpoint.Root
	hashesRight := w.signed && len(w.ofHashes.roots) > 0 && w.ofHashes.root() == w.checkpoint.Root
	var found []string
	if !linesRight {
		found = append(found, w.lines...)
	}
	if len(found) == 0 {
		found = append(found, w.roots...)
	}
	found = append(found, w.tails...)
	if linesRight || !hashesRight {
		found = append(found, w.hashes...)
	} else {
		found = append(found, w.ofNodes()...)
	}
	if !linesRight && w.signed && len(found) == 0 && len(w.report.Findings) == 0 {
		found = append(found, "the lines do not give the root of the checkpoint")
	}
	before := w.report.Findings
	w.report.Findings = nil
	for _, f := range append(found, before...) {
		w.find("%s", f)
	}
	if l, err := parseLine(w.lastRaw); err == nil && !l.At.IsZero() {
		w.report.Time = &l.At
	}
	if w.report.Findings == nil {
		w.report.Findings = []string{}
	}
}

// ofNodes are the findings about hashes that no line explains.
func (w *walker) ofNodes() (found []string) {
	for _, f := range w.hashes {
		if !strings.Contains(f, "is not the line's") {
			found = append(found, f)
		}
	}
	return found
}
