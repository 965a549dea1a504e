package stream

import (
	"fmt"
	"testing"
	"time"
)

// A part of the stream is read up to where it ends, whatever was deleted of it, and comes later.
func TestReadUpTo(t *testing.T) {
	b := use(t, startServer(t))
	last := map[int]uint64{}
	var second time.Time
	for n := range 6 {
		if n == 3 {
			r, err := b.getFrom(soon(t), b.cfg.Stream, query{Sequence: 3})
			if err != nil {
				t.Fatal(err)
			}
			second = r.Stored.Add(time.Nanosecond)
		}
		of := n % 2
		last[of] = publish(t, b, event(of, fmt.Sprint("e", n), last[of]))
	}
	read := func(from, to uint64, subjects ...string) string {
		t.Helper()
		all := ""
		err := b.ReadUpTo(soon(t), Start{Sequence: from, Subjects: subjects}, to, func(m Message) error {
			all += fmt.Sprint(m.Sequence, " ")
			return nil
		})
		if err != nil {
			t.Errorf("%d to %d: %v", from, to, err)
		}
		return all
	}
	forgetMessages(t, b, 2)
	for _, row := range []struct{ got, want string }{
		{read(1, 4), "1 3 4 "}, {read(2, 2), ""}, {read(1, 99), "1 3 4 5 6 "}, {read(1, 4, "jobs.prod.1.>"), "4 "}, {read(1, 6, "jobs.prod.0.>", "jobs.prod.9.>"), "1 3 5 "}, {read(1, 6, "jobs.none.>"), ""}, {read(7, 9), ""},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
	for at, want := range map[time.Time]uint64{second: 4, second.Add(-time.Hour): 1, second.Add(time.Hour): 7} {
		if got, err := b.SequenceAt(soon(t), at); got != want || err != nil {
			t.Errorf("at %v: %d, %v, want %d", at, got, err, want)
		}
	}
}
