package audit

import (
	"context"
	"iter"
)

// InStream is an event as it stands in the stream.
type InStream struct {
	Seq     uint64
	ID      string
	Subject string
}

// Comparison says which events of a stream have no line.
type Comparison struct {
	Compared int        // events that should have a line
	Missing  int        // that have none
	Behind   int        // of those, come after the last line: the relay may not have got there
	Before   int        // events from before the first line that is there
	First    []InStream // that are missing, at most a hundred
}

// Compare holds the events of the stream that the relay takes, in their order, against the lines. What came before the first
// line that is there is not missed: the relay began later, or files were removed.
func Compare(ctx context.Context, dir string, events iter.Seq[InStream]) (Comparison, error) {
	ids := map[fingerprint]struct{}{}
	var c Comparison
	var first, last uint64
	err := eachLine(ctx, dir, func(_ []byte, l Line) error {
		if len(ids) == 0 {
			first = l.Seq
		}
		first, last = min(first, l.Seq), l.Seq
		ids[l.id()] = struct{}{}
		return nil
	})
	if err != nil {
		return c, err
	}
	for e := range events {
		if e.Seq < first {
			c.Before++
			continue
		}
		c.Compared++
		if _, has := ids[fingerprintOf(e.ID)]; has {
			continue
		}
		c.Missing++
		if e.Seq > last {
			c.Behind++
		}
		if len(c.First) < mostFindings {
			c.First = append(c.First, e)
		}
	}
	return c, nil
}
