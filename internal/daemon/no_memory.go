package daemon

import (
	"context"
	"sync"

	"jobwatch/internal/relay"
	"jobwatch/internal/stream"
)

// NoMemory is that of a destination which is tried: it ends with the process, and no relay knows of it.
func NoMemory() relay.Memory { return &noMemory{entries: map[string]entry{}} }

type noMemory struct {
	mu      sync.Mutex
	entries map[string]entry // guarded by mu
}

type entry struct {
	value    []byte
	revision uint64
}

func (m *noMemory) Get(_ context.Context, key string) ([]byte, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	return e.value, e.revision, nil
}

func (m *noMemory) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[key].revision != revision {
		return 0, stream.ErrChanged
	}
	m.entries[key] = entry{value, revision + 1}
	return revision + 1, nil
}

func (m *noMemory) Delete(_ context.Context, key string, revision uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[key].revision != revision {
		return stream.ErrChanged
	}
	m.entries[key] = entry{revision: revision + 1}
	return nil
}
