package brokertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"jobwatch/internal/stream"
)

// What a bucket and a log do.
var besideRules = []rule{
	holds("a bucket that nobody has written to is empty",
		key("a").isAbsent(),
		entries(">"),
	),
	holds("a key is written upon the revision that was read, by whomever",
		key("a").isWritten("1"),
		key("a").upon(0).isChanged(),
		key("a").byOther().isWritten("2"),
		key("a").is("2"),
		key("a").stale().isChanged(),
		key("a").is("2"),
	),
	holds("an empty value is a value",
		key("a").isWritten(""),
		key("a").is(""),
		entries(">", "a"),
	),
	holds("a key that was deleted is written again upon what is read of it",
		key("a").isWritten("1"),
		key("a").isDeleted(),
		key("a").isAbsent(),
		entries(">"),
		key("a").upon(0).isChanged(),
		key("a").isWritten("2"),
		key("a").is("2"),
	),
	holds("keys are found by their begin",
		key("ops.off").isWritten("1"),
		key("ops.redrive.a").isWritten("2"),
		key("ops.redrive.b").isWritten("3"),
		key("ops2.redrive.c").isWritten("4"),
		key("ops.redrive.b").isDeleted(),
		entries("ops.>", "ops.off", "ops.redrive.a"),
		entries("ops.redrive.>", "ops.redrive.a"),
		entries("ops", []string{}...),
	),
	holds("a bucket is read on from a revision, in the order of what was written last",
		noBucket,
		key("a").isWritten("1"),
		key("b").isWritten("2"),
		key("c").isWritten("3"),
		readOn(0, "1 a", "2 b", "3 c"),
		key("a").byOther().isWritten("4"),
		key("b").isDeleted(),
		readOn(0, "3 c", "4 a", "5 -b"),
		readOn(3, "4 a", "5 -b"),
		readOn(5),
	),
	holds("a key is forgotten when its time has come",
		key("a").keptFor(time.Second).isWritten("1"),
		key("a").isForgotten(),
	),
	holds("what a bucket and a log hold outlives a restart",
		key("a").isWritten("1"),
		record("s.a").once().isAppended(),
		keep(),
		key("a").is("1"),
		counts("s.>", map[string]uint64{"s.a": 1}),
		key("a").isWritten("2"),
		record("s.b").isAppended(),
		restore(),
		key("a").is("1"),
		counts("s.>", map[string]uint64{"s.a": 1}),
	),
	holds("a log that nobody has written to is empty",
		counts(">", map[string]uint64{}),
		records(">"),
		removes(">"),
	),
	holds("a record is appended once where that is asked for",
		record("dead.1").once().isAppended(),
		record("dead.1").once().isChanged(),
		record("state").isAppended(),
		record("state").isAppended(),
		counts(">", map[string]uint64{"dead.1": 1, "state": 2}),
		records(">", "dead.1", "state", "state"),
		records("dead.>", "dead.1"),
	),
	holds("a record that was removed can be appended again at once",
		record("dead.1").once().isAppended(),
		record("dead.2").once().isAppended(),
		removes("dead.1"),
		records(">", "dead.2"),
		record("dead.1").once().isAppended(),
		records(">", "dead.2", "dead.1"),
		removes(">"),
		counts(">", map[string]uint64{}),
	),
}

func (s *stage) bucket(other bool) stream.Bucket {
	if other {
		return s.other.Bucket(s.born.Name + "_RELAY_STATE")
	}
	return s.one.Bucket(s.born.Name + "_RELAY_STATE")
}

// logPrefix begins the subjects of a log: each world has its own.
func (s *stage) logPrefix() string { return "relays-" + s.born.Name + "." }

func (s *stage) log() stream.Log {
	return s.one.Log(s.born.Name+"_RELAYS", []string{s.logPrefix() + ">"})
}

// keyOf is a key of the bucket.
type keyOf struct {
	name     string
	other    bool
	revision func(is uint64) uint64
	keep     time.Duration
}

func key(name string) keyOf {
	return keyOf{name: name, revision: func(is uint64) uint64 { return is }}
}

func (k keyOf) byOther() keyOf                { k.other = true; return k }
func (k keyOf) upon(n uint64) keyOf           { k.revision = func(uint64) uint64 { return n }; return k }
func (k keyOf) stale() keyOf                  { k.revision = func(is uint64) uint64 { return is - 1 }; return k }
func (k keyOf) keptFor(d time.Duration) keyOf { k.keep = d; return k }

func (k keyOf) get(s *stage) stream.Entry {
	s.Helper()
	e, err := s.bucket(k.other).Get(s.soon(), k.name)
	if err != nil || e.Key != k.name {
		s.Fatalf("key %s: got %+v, %v", k.name, e, err)
	}
	return e
}

func (k keyOf) put(s *stage, value string) (uint64, error) {
	e := k.get(s)
	e.Value, e.Revision, e.Keep = []byte(value), k.revision(e.Revision), k.keep
	return s.bucket(k.other).Put(s.soon(), e)
}

func (k keyOf) isWritten(value string) step {
	return func(s *stage) {
		s.Helper()
		before := k.get(s)
		revision, err := k.put(s, value)
		if err != nil || revision <= before.Revision {
			s.Fatalf("key %s: %q is written as %d, %v; before it was %d", k.name, value, revision, err, before.Revision)
		}
		if e := k.get(s); k.keep == 0 && (string(e.Value) != value || e.Revision != revision || time.Since(e.Stored) > time.Minute) {
			s.Fatalf("key %s: got %+v, want %q as %d, just now", k.name, e, value, revision)
		}
	}
}

func (k keyOf) isChanged() step {
	return func(s *stage) {
		s.Helper()
		if _, err := k.put(s, "late"); !errors.Is(err, stream.ErrChanged) {
			s.Fatalf("key %s: written: got %v, want %v", k.name, err, stream.ErrChanged)
		}
		e := k.get(s)
		if err := s.bucket(k.other).Delete(s.soon(), k.name, k.revision(e.Revision)); !errors.Is(err, stream.ErrChanged) {
			s.Fatalf("key %s: deleted: got %v, want %v", k.name, err, stream.ErrChanged)
		}
	}
}

func (k keyOf) isDeleted() step {
	return func(s *stage) {
		s.Helper()
		if err := s.bucket(k.other).Delete(s.soon(), k.name, k.get(s).Revision); err != nil {
			s.Fatalf("key %s: deleted: %v", k.name, err)
		}
	}
}

func (k keyOf) is(value string) step {
	return func(s *stage) {
		s.Helper()
		if e := k.get(s); e.Value == nil || string(e.Value) != value {
			s.Fatalf("key %s: got %+v, want %q", k.name, e, value)
		}
	}
}

func (k keyOf) isAbsent() step {
	return func(s *stage) {
		s.Helper()
		if e := k.get(s); e.Value != nil {
			s.Fatalf("key %s: got %+v, want none", k.name, e)
		}
	}
}

func (k keyOf) isForgotten() step {
	return func(s *stage) {
		s.Helper()
		for ctx := s.soon(); k.get(s).Value != nil; <-time.After(pause) {
			if ctx.Err() != nil {
				s.Fatalf("key %s: still there", k.name)
			}
		}
		if e := k.get(s); e.Revision != 0 {
			s.Fatalf("key %s: got %+v, want no trace of it", k.name, e)
		}
	}
}

func entries(filter string, want ...string) step {
	return func(s *stage) {
		s.Helper()
		all, err := s.bucket(false).Entries(s.soon(), filter)
		var got []string
		for _, e := range all {
			got = append(got, e.Key)
		}
		if err != nil || !slices.Equal(slices.Sorted(slices.Values(got)), want) && len(got)+len(want) > 0 {
			s.Fatalf("keys %s: got %q, %v; want %q", filter, got, err, want)
		}
	}
}

// readOn reads the bucket on; a key that was deleted has a minus before it.
func readOn(revision uint64, want ...string) step {
	return func(s *stage) {
		s.Helper()
		all, err := s.bucket(false).Since(s.soon(), revision)
		var got []string
		for _, e := range all {
			if e.Value == nil {
				e.Key = "-" + e.Key
			}
			got = append(got, fmt.Sprintf("%d %s", e.Revision, e.Key))
		}
		if err != nil || !slices.Equal(got, want) {
			s.Fatalf("since %d: got %q, %v; want %q", revision, got, err, want)
		}
	}
}

func noBucket(s *stage) {
	s.Helper()
	if _, err := s.bucket(false).Since(s.soon(), 0); !errors.Is(err, stream.ErrNoStream) {
		s.Fatalf("since: got %v, want %v", err, stream.ErrNoStream)
	}
}

// recordOf is a record of the log.
type recordOf struct {
	subject string
	single  bool
}

func record(subject string) recordOf { return recordOf{subject: subject} }
func (r recordOf) once() recordOf    { r.single = true; return r }

func (r recordOf) append(s *stage) error {
	_, err := s.log().Append(s.soon(), stream.Record{
		Subject: s.logPrefix() + r.subject, Header: map[string][]string{"Jobwatch-Reason": {"HTTP 400"}}, Data: []byte(r.subject),
	}, r.single)
	return err
}

func (r recordOf) isAppended() step {
	return func(s *stage) {
		s.Helper()
		if err := r.append(s); err != nil {
			s.Fatalf("record %s: %v", r.subject, err)
		}
	}
}

func (r recordOf) isChanged() step {
	return func(s *stage) {
		s.Helper()
		if err := r.append(s); !errors.Is(err, stream.ErrChanged) {
			s.Fatalf("record %s: got %v, want %v", r.subject, err, stream.ErrChanged)
		}
	}
}

func records(filter string, want ...string) step {
	return func(s *stage) {
		s.Helper()
		var got []string
		var last uint64
		err := s.log().Each(s.soon(), s.logPrefix()+filter, func(r stream.Record) error {
			if r.Sequence <= last || r.Stored.IsZero() || r.Subject != s.logPrefix()+string(r.Data) || r.Header["Jobwatch-Reason"][0] != "HTTP 400" {
				s.Fatalf("record: got %+v", r)
			}
			got, last = append(got, string(r.Data)), r.Sequence
			return nil
		})
		if err != nil || !slices.Equal(got, want) {
			s.Fatalf("records %s: got %q, %v; want %q", filter, got, err, want)
		}
	}
}

func counts(filter string, want map[string]uint64) step {
	return func(s *stage) {
		s.Helper()
		prefixed := map[string]uint64{}
		for subject, n := range want {
			prefixed[s.logPrefix()+subject] = n
		}
		if got, err := s.log().Count(s.soon(), s.logPrefix()+filter); err != nil || !maps.Equal(got, prefixed) {
			s.Fatalf("records %s: got %v, %v; want %v", filter, got, err, prefixed)
		}
	}
}

func removes(filter string) step {
	return func(s *stage) {
		s.Helper()
		if err := s.log().Remove(s.soon(), s.logPrefix()+filter); err != nil {
			s.Fatalf("records %s: %v", filter, err)
		}
	}
}

// briefly gives what comes within a moment.
func (s *stage) briefly(ctx context.Context, r *reader) []stream.Delivery {
	s.Helper()
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	all, err := r.Next(ctx, 100)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		s.Fatalf("next: %v", err)
	}
	return all
}
