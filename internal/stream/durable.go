package stream

import (
	"context"
	"errors"
	"time"
)

// ErrConsumerGone says that somebody has deleted the durable consumer, or its stream.
var ErrConsumerGone = errors.New("the consumer was deleted")

// ErrChanged says that a key of a bucket, or the last message of a subject, is not at the revision that was expected.
// The write did not happen.
var ErrChanged = errors.New("it has been written since it was read")

// Durable says what a durable consumer is to be like: it delivers messages of the stream, each until it is settled.
type Durable struct {
	Name     string
	Subjects []string      // filters, with the prefix; intersecting ones are taken, one within another is refused
	Start    Start         // where it begins if it has to be made: Sequence, else Since
	FromEnd  bool          // instead of Start: behind what is there
	Anew     bool          // one that is there is removed first
	AckWait  time.Duration // after that, a message that was neither settled nor extended is delivered once more
	Window   int           // most messages that are delivered and not settled
	Metadata map[string]string
}

// DurableInfo is the state of a durable consumer.
type DurableInfo struct {
	Filters     []string  // subjects
	Made        bool      // by this Claim: there was none
	Delivered   uint64    // deliveries so far; the next one has this number + 1
	Stream      uint64    // stream sequence of the furthest message delivered
	Floor       uint64    // every message up to this stream sequence is settled
	Unsettled   int       // messages delivered and not settled
	Pending     uint64    // messages never delivered yet
	Window      int       // most messages that it delivers unsettled: the stream may allow less than was asked for
	PausedUntil time.Time // zero: it is not paused
}

// Delivery is a message as a durable consumer delivers it.
type Delivery struct {
	Message
	Header map[string][]string // of the message
	Stored time.Time           // when the stream stored it
	Behind uint64              // messages that had not been delivered yet when it was
	Number uint64              // of the delivery, from 1 on: a missing one was made to somebody else, or lost on the way
	Times  uint64              // that this message was delivered so far, this time included
	Token  string              // what settles it
}

// Consumer is a claimed durable consumer. Settle, Extend and Return are sent and not confirmed: the broker may never get
// them, and then delivers the message once more.
type Consumer interface {
	// Next waits for messages, at most so many, and gives those that are there once there is one. Its error is
	// ErrConsumerGone, ErrDisconnected, ctx's, or what NATS said. The numbers of deliveries tell whether one is missing.
	Next(ctx context.Context, most int) ([]Delivery, error)

	Settle(d Delivery) // it is done with
	Extend(d Delivery) // it is worked on: AckWait begins anew
	Return(d Delivery) // it is to be delivered once more, to whoever asks next

	// Written says whether all of that has left this process, so that a kill takes back none of it.
	Written() bool

	Info(ctx context.Context) (DurableInfo, error)
	Close() // the consumer stays, and what it has delivered stays unsettled; what Next has not given yet is returned
}

// Entry is a key of a bucket with its value.
type Entry struct {
	Key      string
	Value    []byte        // nil: there is none
	Revision uint64        // the one to write upon; 0: the key was never written, or long ago
	Keep     time.Duration // written: it is forgotten after that; 0: never
	Stored   time.Time     // where it was read: when it was written, by the broker's clock
}

// Bucket is a key-value bucket, read from its leader. The first write makes it.
type Bucket interface {
	Get(ctx context.Context, key string) (Entry, error) // Value nil, and no error, where there is none

	// Put writes the entry if the key still is at its revision, else the error is ErrChanged. After any other error
	// nobody knows whether it was written.
	Put(ctx context.Context, e Entry) (revision uint64, err error)

	Delete(ctx context.Context, key string, revision uint64) error // as Put
	Entries(ctx context.Context, filter string) ([]Entry, error)   // those whose keys match: ops.redrive.>

	// Since reads on from a revision: what was written since, deletions too, the oldest first. ErrNoStream: there is no
	// bucket, or no more.
	Since(ctx context.Context, revision uint64) ([]Entry, error)

	// Hear calls heard soon after keys that match were written, as far as that is heard, until ctx ends.
	Hear(ctx context.Context, filters []string, heard func())
}

// Record is a message of a Log.
type Record struct {
	Subject  string // with the prefix
	ID       string // Nats-Msg-Id, where it was read; a record that is appended has none: one that was removed could not be appended again
	Header   map[string][]string
	Data     []byte
	Sequence uint64    // where it was read
	Stored   time.Time // where it was read
}

// Log is a second stream, of what is told about the first: dead letters, states, checkpoints. The first Append makes it.
type Log interface {
	// Append adds a record. With once, it is ErrChanged where its subject has a record already.
	Append(ctx context.Context, r Record, once bool) (sequence uint64, err error)

	// Each gives yield the records whose subject matches, in order. No log is none.
	Each(ctx context.Context, filter string, yield func(Record) error) error

	Count(ctx context.Context, filter string) (map[string]uint64, error) // subject => records
	Remove(ctx context.Context, filter string) error                     // all records whose subject matches
}
