package relay

import (
	"context"
	"time"

	"jobwatch/internal/stream"
)

// NewMemory gives a destination of a relay keys of its own. What is not written again is forgotten after keep; 0: never.
func NewMemory(b Broker, mainStream, name string, keep time.Duration) Memory {
	return &memory{b.Bucket(BucketName(mainStream)), name + ".", keep}
}

type memory struct {
	bucket stream.Bucket
	prefix string
	keep   time.Duration
}

func (m *memory) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	e, err := m.bucket.Get(ctx, m.prefix+key)
	return e.Value, e.Revision, err
}

func (m *memory) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	return m.bucket.Put(ctx, stream.Entry{Key: m.prefix + key, Value: value, Revision: revision, Keep: m.keep})
}

func (m *memory) Delete(ctx context.Context, key string, revision uint64) error {
	return m.bucket.Delete(ctx, m.prefix+key, revision)
}
