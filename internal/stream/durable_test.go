package stream

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// claimed claims a consumer for all jobs, with a short wait for what is not settled.
func claimed(t *testing.T, b *Broker, change ...func(*Durable)) (Consumer, DurableInfo) {
	t.Helper()
	d := Durable{Name: "relay-ops", Subjects: []string{"jobs.>"}, AckWait: time.Second, Window: 100}
	for _, f := range change {
		f(&d)
	}
	c, info, err := b.Claim(soon(t), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, info
}

func takes(t *testing.T, c Consumer, n int) []Delivery {
	t.Helper()
	var all []Delivery
	for len(all) < n {
		some, err := c.Next(soon(t), n-len(all))
		if err != nil {
			t.Fatalf("%d of %d: %v", len(all), n, err)
		}
		all = append(all, some...)
	}
	return all
}

func sequences(all []Delivery) (s []uint64) {
	for _, d := range all {
		s = append(s, d.Sequence)
	}
	return s
}

func TestADurableGoesOnWhereItWasSettled(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 6)
	c, info := claimed(t, b)
	if !info.Made || info.Delivered != 0 {
		t.Errorf("of the first claim: %+v", info)
	}
	got := takes(t, c, 6)
	for i, d := range got {
		if d.Number != uint64(i+1) || d.Times != 1 || d.ID == "" || len(d.Data) == 0 {
			t.Errorf("delivery %d: %+v", i, d)
		}
	}
	c.Settle(got[0])
	c.Settle(got[3])
	until(t, "two are settled", func() bool {
		info, err := c.Info(soon(t))
		return err == nil && info.Unsettled == 4 && info.Floor == 1
	})
	c.Close()
	c, info = claimed(t, b)
	if info.Made || info.Unsettled != 4 || info.Delivered != 6 {
		t.Errorf("of the second claim: %+v", info)
	}
	again := takes(t, c, 4)
	if s := sequences(again); !slices.Equal(s, []uint64{2, 3, 5, 6}) || again[0].Times != 2 || again[0].Number != 7 {
		t.Errorf("again: %v, the first %+v", s, again[0])
	}
}

func TestADurableReturnsWhatNobodyTook(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 4)
	c, _ := claimed(t, b, func(d *Durable) { d.AckWait = time.Hour })
	takes(t, c, 1)
	until(t, "the rest is delivered", func() bool {
		info, err := c.Info(soon(t))
		return err == nil && info.Unsettled == 4
	})
	c.Close()
	c, _ = claimed(t, b, func(d *Durable) { d.AckWait = time.Hour })
	if s := slices.Sorted(slices.Values(sequences(takes(t, c, 3)))); !slices.Equal(s, []uint64{2, 3, 4}) {
		t.Errorf("again: %v", s)
	}
}

func TestADurableKeepsItsPause(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 1)
	c, _ := claimed(t, b)
	c.Close()
	until := time.Now().Add(time.Hour)
	st, err := admin(t, b).Stream(soon(t), "JOBS")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.PauseConsumer(soon(t), "relay-ops", until); err != nil {
		t.Fatal(err)
	}
	_, info := claimed(t, b, func(d *Durable) { d.Window = 7 })
	if info.Window != 7 || !info.PausedUntil.Equal(until) {
		t.Errorf("changed while it is paused until %v: %+v", until, info)
	}
}

func TestADurableThatIsDeletedSaysSo(t *testing.T) {
	t.Parallel() // the client hears nothing for five seconds
	b := use(t, startServer(t))
	c, _ := claimed(t, b)
	ended := make(chan error, 1)
	go func() {
		_, err := c.Next(soon(t), 1)
		ended <- err
	}()
	if err := admin(t, b).DeleteConsumer(soon(t), "JOBS", "relay-ops"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrConsumerGone) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Info(soon(t)); !errors.Is(err, ErrConsumerGone) {
		t.Errorf("its info: %v", err)
	}
}

func TestADurableBeginsWhereItIsTold(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 3)
	for i, row := range []struct {
		change func(*Durable)
		want   uint64
	}{
		{func(d *Durable) { d.Start.Sequence = 2 }, 2},
		{func(d *Durable) { d.FromEnd = true }, 4},
		{func(d *Durable) { d.Start.Since = time.Now().Add(-time.Hour) }, 1},
		{func(*Durable) {}, 1},
	} {
		c, _ := claimed(t, b, row.change, func(d *Durable) { d.Name = fmt.Sprintf("relay-%d", i) })
		if row.want > 3 {
			publish(t, b, event(4, "id-4", 0))
		}
		if got := takes(t, c, 1)[0].Sequence; got != row.want {
			t.Errorf("%d: begins at %d, want %d", i, got, row.want)
		}
	}
	c, info := claimed(t, b, func(d *Durable) { d.Name, d.Anew, d.Start.Sequence = "relay-1", true, 3 })
	if got := takes(t, c, 1)[0]; !info.Made || got.Sequence != 3 {
		t.Errorf("made anew (%v), it begins at %d", info.Made, got.Sequence)
	}
}

func TestAConsumerThatIsNotOursIsNamed(t *testing.T) {
	b := use(t, startServer(t))
	_, err := admin(t, b).CreateConsumer(soon(t), "JOBS", jetstream.ConsumerConfig{Durable: "relay-ops", AckPolicy: jetstream.AckNonePolicy})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = b.Claim(soon(t), Durable{Name: "relay-ops", Subjects: []string{"jobs.>"}, AckWait: time.Second, Window: 1})
	if m := (*MisfitError)(nil); !errors.As(err, &m) {
		t.Errorf("got %v", err)
	}
}

func TestBucket(t *testing.T) {
	b := use(t, startServer(t))
	k := b.Bucket("JOBS_RELAY_STATE")
	get := func() Entry {
		t.Helper()
		e, err := k.Get(soon(t), "ops.off")
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	put := func(value string, revision uint64) (uint64, error) {
		return k.Put(soon(t), Entry{Key: "ops.off", Value: []byte(value), Revision: revision})
	}
	if e := get(); e.Value != nil || e.Revision != 0 {
		t.Errorf("of no bucket: %+v", e)
	}
	first, err := put("1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := put("2", 0); !errors.Is(err, ErrChanged) {
		t.Errorf("made twice: %v", err)
	}
	second, err := put("2", first)
	if e := get(); err != nil || string(e.Value) != "2" || e.Revision != second {
		t.Errorf("written upon: %+v, %v", e, err)
	}
	if err := k.Delete(soon(t), "ops.off", first); !errors.Is(err, ErrChanged) {
		t.Errorf("deleted by one who has not read it: %v", err)
	}
	if err := k.Delete(soon(t), "ops.off", second); err != nil {
		t.Fatal(err)
	}
	e := get()
	if e.Value != nil {
		t.Errorf("deleted: %+v", e)
	}
	if _, err := put("3", e.Revision); err != nil {
		t.Errorf("written after it was deleted: %v", err)
	}
	if _, err := k.Put(soon(t), Entry{Key: "ops.redrive.a", Value: []byte("x"), Keep: time.Hour}); err != nil {
		t.Fatal(err)
	}
	all, err := k.Entries(soon(t), "ops.redrive.>")
	if err != nil || len(all) != 1 || all[0].Key != "ops.redrive.a" {
		t.Errorf("entries: %+v, %v", all, err)
	}
	// NATS's own tools read it.
	kv, err := admin(t, b).KeyValue(soon(t), "JOBS_RELAY_STATE")
	if err != nil {
		t.Fatal(err)
	}
	if e, err := kv.Get(soon(t), "ops.off"); err != nil || string(e.Value()) != "3" {
		t.Errorf("as a client reads it: %v, %v", e, err)
	}
}

func TestLog(t *testing.T) {
	b := use(t, startServer(t))
	l := b.Log("JOBS_RELAYS", []string{"relays.>"})
	none := func(Record) error { t.Error("a record of no log"); return nil }
	if err := l.Each(soon(t), "relays.>", none); err != nil {
		t.Error(err)
	}
	if n, err := l.Count(soon(t), "relays.>"); err != nil || len(n) > 0 {
		t.Error(n, err)
	}
	dead := Record{Subject: "relays.ops.dead.prod.1.a", Header: map[string][]string{"Jobwatch-Reason": {"HTTP 400"}}, Data: []byte("{}")}
	if _, err := l.Append(soon(t), dead, true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(soon(t), dead, true); !errors.Is(err, ErrChanged) {
		t.Errorf("once more: %v", err)
	}
	if _, err := l.Append(soon(t), Record{Subject: "relays.ops.state", Data: []byte("{}")}, false); err != nil {
		t.Fatal(err)
	}
	var read []Record
	keep := func(r Record) error { read = append(read, r); return nil }
	if err := l.Each(soon(t), "relays.ops.dead.>", keep); err != nil || len(read) != 1 {
		t.Fatal(read, err)
	}
	if r := read[0]; r.Header["Jobwatch-Reason"][0] != "HTTP 400" || string(r.Data) != "{}" || time.Since(r.Stored) > time.Hour {
		t.Errorf("read: %+v", r)
	}
	if n, err := l.Count(soon(t), "relays.ops.>"); err != nil || n["relays.ops.dead.prod.1.a"] != 1 || len(n) != 2 {
		t.Error(n, err)
	}
	if err := l.Remove(soon(t), "relays.ops.dead.>"); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Count(soon(t), "relays.ops.>"); err != nil || len(n) != 1 {
		t.Error(n, err)
	}
}

func TestADurableThatNobodyReadsIsClosed(t *testing.T) {
	b := use(t, startServer(t))
	fill(t, b, 3*readAhead)
	c, _ := claimed(t, b, func(d *Durable) { d.AckWait, d.Window = time.Hour, 4*readAhead })
	until(t, "more is delivered than is kept for Next", func() bool {
		info, err := c.Info(soon(t))
		return err == nil && info.Unsettled > 2*readAhead
	})
	closed := make(chan bool)
	go func() { c.Close(); close(closed) }()
	select {
	case <-closed:
	case <-soon(t).Done():
		t.Fatal("it does not end")
	}
	c, _ = claimed(t, b, func(d *Durable) { d.AckWait, d.Window = time.Hour, 4*readAhead })
	takes(t, c, 3*readAhead) // nothing waits for an hour
}
