// Package brokertest holds a broker to what jobwatch builds on: the expected sequence, the duplicate window, lost
// acknowledgements, a stream that forgets, and what durable consumers, buckets and logs do.
//
// One set of rules (rules.go) is run against the real NATS server, alone and as three replicas, and against whatever
// stands in for it. Where one server and three answer differently, a rule says both.
package brokertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"jobwatch/internal/stream"
)

// Broker is a connection to the broker, as stream.Broker has it.
type Broker interface {
	Ready(ctx context.Context) (lost <-chan struct{}, err error)
	Publish(ctx context.Context, m stream.Outgoing) (sequence uint64, err error)
	Trace(ctx context.Context, subject string) error
	CheckRoute(ctx context.Context, subject string) error
	Info(ctx context.Context) (stream.Info, error)
	Last(ctx context.Context, filter string) (stream.Message, error)
	At(ctx context.Context, sequence uint64) (stream.Message, error)
	Each(ctx context.Context, filter string, from uint64, yield func(stream.Message) error) error
	Scan(ctx context.Context, from uint64, yield func(stream.Message) error) (last uint64, err error)
	FollowHeaders(ctx context.Context, from uint64, yield func(stream.Message) error) error
	Claim(ctx context.Context, d stream.Durable) (stream.Consumer, stream.DurableInfo, error)
	Standing(ctx context.Context, name string) (stream.DurableInfo, error)
	Bucket(name string) stream.Bucket
	Log(name string, subjects []string) stream.Log
}

// World is a broker with an empty stream, for subjects jobs.> and commcells.>, and what can befall it. Its methods
// end the test where they cannot do what they say.
type World interface {
	// Replicas of the stream: 1, or more.
	Replicas() int

	// Connect makes a connection, which is made again where it is lost, until the test ends.
	Connect(t *testing.T) Broker

	// PublishUnacknowledged publishes through a connection. The message is stored, its acknowledgement is lost; the
	// error is what the publisher gets to know.
	PublishUnacknowledged(t *testing.T, through Broker, m stream.Outgoing) error

	// Unsent publishes through a connection that is lost before the message has reached the broker.
	Unsent(t *testing.T, through Broker, m stream.Outgoing) error

	// Unsettled settles through a connection that is lost before that has reached the broker.
	Unsettled(t *testing.T, through Broker, settle func())

	DeleteConsumer(t *testing.T, name string)
	PauseConsumer(t *testing.T, name string, until time.Time) // a time that has passed resumes it

	Delete(t *testing.T, sequence uint64) // one message
	Purge(t *testing.T, filter string)    // all messages whose subject matches
	Drop(t *testing.T)                    // the stream
	Keep(t *testing.T)                    // stops all servers, copies what they have stored, and starts them
	Restore(t *testing.T)                 // starts all servers again on that copy
	PassWindow(t *testing.T)              // no id is known any more
}

// Run runs every rule, each in a world of its own.
func Run(t *testing.T, make func(*testing.T) World) {
	RunInside(t, func(t *testing.T, play func(*testing.T)) { play(t) }, make)
}

// RunInside is Run with each rule played inside something: synctest.Test, say.
func RunInside(t *testing.T, inside func(*testing.T, func(*testing.T)), make func(*testing.T) World) {
	for _, r := range slices.Concat(rules, durableRules, besideRules) {
		t.Run(r.name, func(t *testing.T) {
			inside(t, func(t *testing.T) { r.play(newStage(t, make(t))) })
		})
	}
}

type rule struct {
	name  string
	steps []step
}

func (r rule) play(s *stage) {
	s.Helper()
	for _, step := range r.steps {
		step(s)
	}
}

type step func(*stage)

func holds(name string, steps ...step) rule { return rule{name, steps} }
