package relay

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/progress"
	"jobwatch/internal/stream"
)

// What people ask of relays, from any machine: these need a Broker alone.

// Statuses says how relays are, by what their holders last wrote.
func Statuses(ctx context.Context, b Broker, mainStream, prefix string, names []string) ([]Status, error) {
	bucket, log := b.Bucket(BucketName(mainStream)), newLog(b, mainStream, prefix)
	var all []Status
	for _, name := range names {
		e, err := bucket.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		rec, err := readRecord(e)
		if err != nil {
			return nil, fmt.Errorf("key %s of bucket %s: %w", name, BucketName(mainStream), err)
		}
		s := Status{
			Name: name, State: rec.State, Since: rec.Since, Reason: rec.Reason, Alarm: rec.Alarm, Holder: rec.Host,
			Pending: rec.Pending, Oldest: rec.Oldest, Parked: rec.Parked, Missed: rec.Missed,
		}
		if s.State == "" {
			s.State = Starting
		}
		if e.Value != nil {
			s.Seen = new(e.Stored.UTC())
		}
		s.countWaiting(ctx, b)
		if s.Dead, err = countDead(ctx, log, prefix, name); err != nil {
			return nil, err
		}
		off, err := bucket.Get(ctx, offKey(name))
		if err != nil {
			return nil, err
		}
		if off.Value != nil {
			var o OffOrder
			_ = json.Unmarshal(off.Value, &o)
			s.State, s.Since, s.Reason = Off, o.Since, o.Reason
		}
		all = append(all, s)
	}
	return all, nil
}

// countWaiting counts what waits now, also where nobody relays. Where that cannot be asked, what was noted stands.
func (s *Status) countWaiting(ctx context.Context, b Broker) {
	pending, oldest, err := waiting(ctx, b, s.Name)
	if err != nil {
		return
	}
	if s.Parked > 0 {
		oldest = older(oldest, s.Oldest)
	}
	s.Pending, s.Oldest = pending, oldest
}

func countDead(ctx context.Context, log stream.Log, prefix, name string) (uint64, error) {
	counts, err := log.Count(ctx, deadFilter(prefix, name, ">"))
	var dead uint64
	for _, n := range counts {
		dead += n
	}
	return dead, err
}

func deadFilter(prefix, name, rest string) string {
	return withPrefix(prefix, "relays."+name+".dead."+rest)
}

// TurnOff has a relay deliver nothing until it is turned on. What comes meanwhile waits in the stream.
func TurnOff(ctx context.Context, b Broker, mainStream, name, reason string) error {
	value, err := json.Marshal(OffOrder{time.Now().UTC(), reason})
	if err != nil {
		return err
	}
	return overwrite(ctx, b.Bucket(BucketName(mainStream)), offKey(name), value)
}

// TurnOn has it deliver again.
func TurnOn(ctx context.Context, b Broker, mainStream, name string) error {
	bucket := b.Bucket(BucketName(mainStream))
	for {
		e, err := bucket.Get(ctx, offKey(name))
		if err != nil || e.Value == nil {
			return err
		}
		err = bucket.Delete(ctx, e.Key, e.Revision)
		if !errors.Is(err, stream.ErrChanged) {
			return err
		}
	}
}

func overwrite(ctx context.Context, bucket stream.Bucket, key string, value []byte) error {
	for {
		e, err := bucket.Get(ctx, key)
		if err != nil {
			return err
		}
		_, err = bucket.Put(ctx, stream.Entry{Key: key, Value: value, Revision: e.Revision})
		if !errors.Is(err, stream.ErrChanged) {
			return err
		}
	}
}

// Letter is a dead letter.
type Letter struct {
	ID        string          `json:"id"` // of the event
	Job       job.ID          `json:"-"`
	Name      string          `json:"job"` // prod/1248; the CommCell's own: prod/0
	Reason    string          `json:"reason"`
	Status    int             `json:"status"`
	Tries     int             `json:"tries"`
	FirstTry  time.Time       `json:"firstTry"`
	LastTry   time.Time       `json:"lastTry"`
	Subject   string          `json:"subject"`  // of the event
	Sequence  uint64          `json:"sequence"` // in the stream
	Redriving bool            `json:"redriving"`
	Data      json.RawMessage `json:"event"`

	record string // the subject that it lies under
}

// Selection says which dead letters are meant. An empty one means all.
type Selection struct {
	Job job.ID // zero: of all
	ID  string // of the event
}

// Dead gives yield the dead letters of a relay, the oldest first.
func Dead(ctx context.Context, b Broker, mainStream, prefix, name string, only Selection, yield func(Letter) error) error {
	bucket := b.Bucket(BucketName(mainStream))
	rest := ">"
	if only.Job != (job.ID{}) {
		rest = fmt.Sprintf("%s.%d.>", only.Job.CommCell, only.Job.Number)
	}
	return newLog(b, mainStream, prefix).Each(ctx, deadFilter(prefix, name, rest), func(r stream.Record) error {
		l := letterOf(r)
		if only.ID != "" && only.ID != l.ID {
			return nil
		}
		e, err := bucket.Get(ctx, redriveKey(name, l.ID))
		if err != nil {
			return err
		}
		l.Redriving = e.Value != nil
		return yield(l)
	})
}

func letterOf(r stream.Record) Letter {
	header := func(name string) string { return strings.Join(r.Header[name], " ") }
	number := func(name string) int { n, _ := strconv.Atoi(header(name)); return n }
	at := func(name string) time.Time { t, _ := time.Parse(time.RFC3339Nano, header(name)); return t }
	l := Letter{
		Reason: header(ReasonHeader), Status: number(StatusHeader), Tries: number(TriesHeader),
		FirstTry: at(FirstTryHeader), LastTry: at(LastTryHeader), Subject: header(SubjectHeader), Data: r.Data, record: r.Subject,
	}
	l.Sequence, _ = strconv.ParseUint(header(SequenceHeader), 10, 64)
	tokens := strings.Split(r.Subject, ".")
	if n := len(tokens); n >= 3 {
		l.ID, l.Job.CommCell = tokens[n-1], tokens[n-3]
		l.Job.Number, _ = strconv.ParseInt(tokens[n-2], 10, 64)
		l.Name = tokens[n-3] + "/" + tokens[n-2]
	}
	return l
}

func readLetter(ctx context.Context, log stream.Log, subject string) (letter *Letter, err error) {
	err = log.Each(ctx, subject, func(r stream.Record) error {
		letter = new(letterOf(r))
		return nil
	})
	return letter, err
}

// Redrive has dead letters delivered once more, behind what waits of their jobs, and says how many.
func Redrive(ctx context.Context, b Broker, mainStream, prefix, name string, only Selection) (count int, err error) {
	bucket := b.Bucket(BucketName(mainStream))
	letters, err := chosen(ctx, b, mainStream, prefix, name, only)
	if err != nil {
		return 0, err
	}
	is := progress.Of(ctx, "ordering", lettersUnit, int64(len(letters)))
	for _, l := range letters {
		if !l.Redriving {
			if err := overwrite(ctx, bucket, redriveKey(name, l.ID), []byte(l.record)); err != nil {
				return count, err
			}
		}
		count++
		is(int64(count))
	}
	return count, nil
}

// Drop forgets dead letters, and says how many.
func Drop(ctx context.Context, b Broker, mainStream, prefix, name string, only Selection) (count int, err error) {
	log := newLog(b, mainStream, prefix)
	letters, err := chosen(ctx, b, mainStream, prefix, name, only)
	if err != nil {
		return 0, err
	}
	is := progress.Of(ctx, "dropping", lettersUnit, int64(len(letters)))
	for _, l := range letters {
		if err := log.Remove(ctx, l.record); err != nil {
			return count, err
		}
		count++
		is(int64(count))
	}
	return count, nil
}

const lettersUnit = "dead letters"

// chosen are dead letters, without what they hold.
func chosen(ctx context.Context, b Broker, mainStream, prefix, name string, only Selection) (letters []Letter, err error) {
	is := progress.Of(ctx, "reading", lettersUnit, 0)
	err = Dead(ctx, b, mainStream, prefix, name, only, func(l Letter) error {
		letters = append(letters, Letter{ID: l.ID, Redriving: l.Redriving, record: l.record})
		is(int64(len(letters)))
		return nil
	})
	return letters, err
}

// replaysAtOnce is how many orders to replay an event a relay has before it at once: it lists them with each beat.
const replaysAtOnce = 100

// Replay has a relay deliver events of the stream once more, those that it takes. It returns how many were ordered, once the
// relay is done with them; what is ordered when ctx ends is delivered all the same.
func Replay(ctx context.Context, b Broker, mainStream, name string, events []uint64) (count int, err error) {
	bucket := b.Bucket(BucketName(mainStream))
	if e, err := bucket.Get(ctx, name); err != nil || e.Value == nil {
		return 0, cmp.Or(err, fmt.Errorf("no watcher has relayed %s yet; start one, or wait for the one that runs to take it up", name))
	}
	is := progress.Of(ctx, "delivering once more", "events", int64(len(events)))
	for some := range slices.Chunk(events, replaysAtOnce) {
		for _, event := range some {
			sequence := strconv.FormatUint(event, 10)
			if err := overwrite(ctx, bucket, replayKey(name, sequence), []byte(sequence)); err != nil {
				return count, err
			}
			count++
		}
		waits := func(left int) { is(int64(count - left)) }
		if err := awaitReplays(ctx, bucket, name, waits); err != nil {
			return count, err
		}
	}
	return count, nil
}

// awaitReplays waits until the relay is done with what was ordered.
func awaitReplays(ctx context.Context, bucket stream.Bucket, name string, waits func(left int)) error {
	for {
		left, err := bucket.Entries(ctx, replayKey(name, ">"))
		waits(len(left))
		if err != nil || len(left) == 0 {
			return err
		}
		pause(ctx, time.Second)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// PublishCheckpoint appends the checkpoint of an audit log to the log of relays: a copy that leaves the machine.
func PublishCheckpoint(ctx context.Context, b Broker, mainStream, prefix, name string, checkpoint []byte) error {
	_, err := newLog(b, mainStream, prefix).Append(ctx, stream.Record{
		Subject: withPrefix(prefix, "relays."+name+".checkpoint"), Data: checkpoint,
	}, false)
	return err
}
