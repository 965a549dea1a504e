package audit

import "slices"

// known are ids that stand in the log: those of the last lines, and once an event comes whose sequence the stream has given
// before, which a stream that was restored or made anew does, those of more.
type known struct {
	new, old map[fingerprint]struct{} // a generation each, so that they cannot grow without end
	read     []part                   // what they were read from
	deep     bool
}

const (
	generation = 250_000 // ids
	deepest    = 500_000 // lines whose ids are known at most
)

func newKnown() *known {
	return &known{new: map[fingerprint]struct{}{}, old: map[fingerprint]struct{}{}}
}

func (k *known) add(id fingerprint) {
	if len(k.new) >= generation && !k.deep {
		k.old, k.new = k.new, map[fingerprint]struct{}{}
	}
	k.new[id] = struct{}{}
}

func (k *known) has(id fingerprint) bool {
	_, here := k.new[id]
	_, before := k.old[id]
	return here || before
}

// readBack adds the ids of the files before those read so far, until there are as many.
func (k *known) readBack(all []part, wanted int) error {
	for _, p := range slices.Backward(all) {
		if len(k.new)+len(k.old) >= wanted {
			return nil
		}
		if slices.Contains(k.read, p) {
			continue
		}
		for raw, err := range p.lines() {
			if err != nil {
				return damaged("%s: %v", p.name(), err)
			}
			line, err := parseLine(raw.text)
			if err != nil {
				return damaged("%s: a line that is none: %v", p.name(), err)
			}
			k.old[line.id()] = struct{}{}
		}
		k.read = append(k.read, p)
	}
	return nil
}

// stands says whether the event has a line.
func (w *writer) stands(e entry) (bool, error) {
	if w.known.has(e.id) {
		return true, nil
	}
	if e.seq > w.lastSeq || w.known.deep {
		return false, nil
	}
	all, _, err := parts(w.Dir)
	if err != nil {
		return false, err
	}
	if w.part != nil {
		all = slices.DeleteFunc(all, func(p part) bool { return p.first == w.first })
	}
	if err := w.known.readBack(all, deepest); err != nil {
		return false, err
	}
	w.known.deep = true
	return w.known.has(e.id), nil
}
