package modelbroker

import (
	"context"
	"maps"
	"slices"
	"time"

	"jobwatch/internal/stream"
)

// beside is a stream beside the main one: of a bucket or a log. It is guarded by the stream's mu.
type beside struct {
	last    uint64
	records []besideRecord // in the order of their sequences
}

type besideRecord struct {
	stream.Record
	deleted bool      // a key of a bucket that was deleted
	forget  time.Time // zero: never
}

func (b *beside) copied() *beside { return &beside{b.last, slices.Clone(b.records)} }

// live gives what is there of a filter.
func (b *beside) live(filter string) (all []besideRecord) {
	b.records = slices.DeleteFunc(b.records, func(r besideRecord) bool {
		return !r.forget.IsZero() && !time.Now().Before(r.forget)
	})
	for _, r := range b.records {
		if matches(filter, r.Subject) {
			all = append(all, r)
		}
	}
	return all
}

func (b *beside) remove(filter string) {
	b.records = slices.DeleteFunc(b.records, func(r besideRecord) bool { return matches(filter, r.Subject) })
}

func (b *beside) add(r besideRecord) uint64 {
	b.last++
	r.Sequence, r.Stored = b.last, time.Now()
	r.Data = append([]byte{}, r.Data...)
	b.records = append(b.records, r)
	return b.last
}

// beside is called with mu held.
func (s *Stream) beside(name string) *beside {
	if s.others[name] == nil {
		s.others[name] = &beside{}
	}
	return s.others[name]
}

// there gives a stream beside the main one as a reader finds it: to read makes none.
func (s *Stream) there(name string) *beside {
	if b := s.others[name]; b != nil {
		return b
	}
	return &beside{}
}

// Bucket does what stream.Broker's does.
func (c *Conn) Bucket(name string) stream.Bucket { return &bucket{c, "KV_" + name} }

type bucket struct {
	conn *Conn
	name string
}

// keepMarker is how long a bucket remembers that a key was deleted.
const keepMarker = time.Hour

func (k *bucket) Get(ctx context.Context, key string) (stream.Entry, error) {
	e := stream.Entry{Key: key}
	err := k.conn.read(ctx, Call{Operation: "Get", Subject: key}, func() error {
		for _, r := range k.conn.stream.there(k.name).live(key) {
			e = r.entry()
		}
		return nil
	})
	if err != nil {
		return stream.Entry{}, err
	}
	return e, nil
}

func (r besideRecord) entry() stream.Entry {
	e := stream.Entry{Key: r.Subject, Revision: r.Sequence, Stored: r.Stored}
	if !r.deleted {
		e.Value = slices.Clone(r.Data)
	}
	return e
}

func (k *bucket) Entries(ctx context.Context, filter string) (all []stream.Entry, err error) {
	err = k.conn.read(ctx, Call{Operation: "Entries", Subject: filter}, func() error {
		for _, r := range k.conn.stream.there(k.name).live(filter) {
			if !r.deleted {
				all = append(all, r.entry())
			}
		}
		return nil
	})
	return all, err
}

func (k *bucket) Since(ctx context.Context, revision uint64) (all []stream.Entry, err error) {
	err = k.conn.read(ctx, Call{Operation: "Since", Sequence: revision}, func() error {
		b := k.conn.stream.others[k.name]
		if b == nil {
			return stream.ErrNoStream
		}
		for _, r := range b.live(">") {
			if r.Sequence > revision {
				all = append(all, r.entry())
			}
		}
		return nil
	})
	return all, err
}

// Hear hears nothing, as one may whose server is far from the one that writes.
func (k *bucket) Hear(ctx context.Context, _ []string, _ func()) { <-ctx.Done() }

// DeleteBucket does what an administrator may.
func (s *Stream) DeleteBucket(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.others, "KV_"+name)
}

func (k *bucket) Put(ctx context.Context, e stream.Entry) (uint64, error) {
	r := besideRecord{Record: stream.Record{Subject: e.Key, Data: e.Value}}
	if e.Keep > 0 {
		r.forget = time.Now().Add(e.Keep)
	}
	return k.write(ctx, "Put", r, e.Revision)
}

func (k *bucket) Delete(ctx context.Context, key string, revision uint64) error {
	r := besideRecord{Record: stream.Record{Subject: key}, deleted: true, forget: time.Now().Add(keepMarker)}
	_, err := k.write(ctx, "Delete", r, revision)
	return err
}

func (k *bucket) write(ctx context.Context, operation string, r besideRecord, revision uint64) (written uint64, err error) {
	err = k.conn.read(ctx, Call{Operation: operation, Subject: r.Subject, Sequence: revision}, func() error {
		b := k.conn.stream.beside(k.name)
		is := uint64(0)
		for _, old := range b.live(r.Subject) {
			is = old.Sequence
		}
		if is != revision {
			return stream.ErrChanged
		}
		b.remove(r.Subject)
		written = b.add(r)
		return nil
	})
	return written, err
}

// Log does what stream.Broker's does.
func (c *Conn) Log(name string, _ []string) stream.Log { return &recordLog{c, name} }

type recordLog struct {
	conn *Conn
	name string
}

func (l *recordLog) Append(ctx context.Context, r stream.Record, once bool) (sequence uint64, err error) {
	err = l.conn.read(ctx, Call{Operation: "Append", Subject: r.Subject}, func() error {
		b := l.conn.stream.beside(l.name)
		if once && len(b.live(r.Subject)) > 0 {
			return stream.ErrChanged
		}
		added := stream.Record{Subject: r.Subject, Header: maps.Clone(r.Header), Data: r.Data}
		sequence = b.add(besideRecord{Record: added})
		return nil
	})
	return sequence, err
}

// Each asks for one record after the other.
func (l *recordLog) Each(ctx context.Context, filter string, yield func(stream.Record) error) error {
	for from := uint64(1); ; {
		var next *stream.Record
		err := l.conn.read(ctx, Call{Operation: "EachRecord", Subject: filter, Sequence: from}, func() error {
			all := l.conn.stream.beside(l.name).live(filter)
			if i := slices.IndexFunc(all, func(r besideRecord) bool { return r.Sequence >= from }); i >= 0 {
				next = &all[i].Record
			}
			return nil
		})
		if err != nil || next == nil {
			return err
		}
		if err := yield(*next); err != nil {
			return err
		}
		from = next.Sequence + 1
	}
}

func (l *recordLog) Count(ctx context.Context, filter string) (count map[string]uint64, err error) {
	err = l.conn.read(ctx, Call{Operation: "Count", Subject: filter}, func() error {
		count = map[string]uint64{}
		for _, r := range l.conn.stream.beside(l.name).live(filter) {
			count[r.Subject]++
		}
		return nil
	})
	return count, err
}

func (l *recordLog) Remove(ctx context.Context, filter string) error {
	return l.conn.read(ctx, Call{Operation: "RemoveRecords", Subject: filter}, func() error {
		l.conn.stream.beside(l.name).remove(filter)
		return nil
	})
}
