package web

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/poller"
)

// progressBoard holds how far the unfinished jobs are, for all lines together, and what has changed of it lately.
type progressBoard struct {
	mu      sync.Mutex
	read    time.Time          // guarded by mu, as the rest is
	percent map[job.ID]float64 // NaN: not known any more
	frames  [][]byte           // the last changes, in order
	next    int                // number of the next of them, from 1 on
}

const (
	progressHolds = 2 * time.Second
	framesKept    = 4
)

// since gives what has changed since frame n, as JSON, and the number to ask with the next time; n = 0 gives all.
// It is empty where nothing has.
func (b *progressBoard) since(n int, pollers []*poller.Poller) (changed []byte, now int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if time.Since(b.read) >= progressHolds {
		b.refresh(pollers)
	}
	missed := b.next - n
	if n == 0 || missed > len(b.frames) {
		return frame(b.percent), b.next
	}
	for _, f := range b.frames[len(b.frames)-missed:] {
		if len(changed) == 0 {
			changed = f
			continue
		}
		changed = slices.Concat(changed[:len(changed)-1], []byte{','}, f[1:])
	}
	return changed, b.next
}

func (b *progressBoard) refresh(pollers []*poller.Poller) {
	before := b.percent
	b.percent, b.read = make(map[job.ID]float64, len(before)), time.Now()
	b.next = max(b.next, 1)
	changed := map[job.ID]float64{}
	for _, p := range pollers {
		p.EachProgress(func(number int64, percent float64) {
			id := job.ID{CommCell: p.CommCell, Number: number}
			last, known := before[id]
			if !known && math.IsNaN(percent) {
				return
			}
			b.percent[id] = percent
			if !known || last != percent && !(math.IsNaN(last) && math.IsNaN(percent)) {
				changed[id] = percent
			}
		})
	}
	if len(changed) == 0 {
		return
	}
	b.frames = append(b.frames, frame(changed))
	b.frames = slices.Clone(b.frames[max(0, len(b.frames)-framesKept):])
	b.next++
}

// frame is [["prod",1248,71.5],…]; empty for no jobs.
func frame(percent map[job.ID]float64) []byte {
	if len(percent) == 0 {
		return nil
	}
	ids := make([]job.ID, 0, len(percent))
	for id := range percent {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b job.ID) int {
		return cmp.Or(cmp.Compare(a.CommCell, b.CommCell), cmp.Compare(a.Number, b.Number))
	})
	text := []byte{'['}
	for i, id := range ids {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(strconv.AppendQuote(append(text, '['), id.CommCell), ',') // a CommCell's name is plain
		text = append(strconv.AppendInt(text, id.Number, 10), ',')
		if p := percent[id]; math.IsNaN(p) {
			text = append(text, "null]"...)
		} else {
			text = append(strconv.AppendFloat(text, p, 'f', -1, 64), ']')
		}
	}
	return append(text, ']')
}
