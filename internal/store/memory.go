package store

import (
	"math/rand/v2"
	"sync"

	"jobwatch/internal/job"
)

// memory holds what was recalled last, so that a job that is polled again and again is decoded once.
// It is never wrong: what it holds goes by the very bytes that it was decoded from.
type memory struct {
	mu   sync.Mutex
	held map[job.ID]memo // guarded by mu
}

type memo struct {
	line  string
	known Known
}

const memos = 1 << 12 // about 2 MB

func (m *memory) recall(id job.ID, line []byte) (Known, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	held, found := m.held[id]
	return held.known, found && held.line == string(line)
}

// keep remembers a job. Where there is no room it mostly does not: jobs are polled in turn, so who evicts the
// last one for the next will have neither when its turn comes.
func (m *memory) keep(id job.ID, line []byte, known Known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held == nil {
		m.held = map[job.ID]memo{}
	}
	if _, replaced := m.held[id]; !replaced && !m.room() {
		return
	}
	m.held[id] = memo{string(line), known}
}

// room makes some now and then, so that those go of which nobody asks any more.
func (m *memory) room() bool {
	if len(m.held) < memos {
		return true
	}
	if rand.IntN(10) > 0 {
		return false
	}
	for id := range m.held { // any one
		delete(m.held, id)
		break
	}
	return true
}
