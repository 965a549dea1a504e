package store

import (
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

func (m *memory) keep(id job.ID, line []byte, known Known) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.held == nil {
		m.held = map[job.ID]memo{}
	}
	for old := range m.held { // any one
		if len(m.held) < memos {
			break
		}
		delete(m.held, old)
	}
	m.held[id] = memo{string(line), known}
}
