package record

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// course is the answers to one question, in their order.
type course struct {
	entries []Entry
	given   int
}

// early is how much sooner than it came an answer may be given: nobody asks at the same millisecond again.
const early = time.Second

// next gives each answer once, and none before its time; until then, and behind the last, the one before it again. What
// failed is not given twice: who asked again then was answered otherwise.
func (c *course) next(now time.Duration) *Entry {
	if c.given < len(c.entries) {
		e := &c.entries[c.given]
		if c.given == 0 || !c.entries[c.given-1].isAnswer() || e.offset() <= now+early {
			c.given++
			return e
		}
	}
	return &c.entries[c.given-1]
}

// question is what an entry answers.
func (e *Entry) question() string { return fmt.Sprint(e.Op, e.Job, e.Attempts, e.Offset) }

func coursesOf(entries []Entry) map[string]*course {
	all := map[string]*course{}
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int { return cmp.Compare(a.At, b.At) })
	for _, e := range sorted {
		c := all[e.question()]
		if c == nil {
			c = &course{}
			all[e.question()] = c
		}
		c.entries = append(c.entries, e)
	}
	return all
}
