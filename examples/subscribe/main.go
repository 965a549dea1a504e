// Subscribe is how a program takes jobwatch's events: through a durable JetStream consumer, which gives what
// was told while the program was away, and again what it did not acknowledge.
//
//	go run ./examples/subscribe nats://127.0.0.1:4222
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// event is what this program wants of an event; docs/subjects-and-events.md has the rest.
type event struct {
	ID           string `json:"id"`
	PartitionKey string `json:"partitionkey"` // prod/1248: the job
	Sequence     string `json:"sequence"`     // counts its events
	Data         struct {
		Severity string `json:"severity"`
		Change   struct {
			Kind string  `json:"kind"`
			From *string `json:"from"`
			To   string  `json:"to"`
		} `json:"change"`
	} `json:"data"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := subscribe(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func subscribe(ctx context.Context, url string) error {
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	consumer, err := js.CreateOrUpdateConsumer(ctx, "JOBS", jetstream.ConsumerConfig{
		Durable:        "example",
		FilterSubjects: []string{"jobs.*.*.*.state.>", "jobs.*.*.*.failure.>"},
		MaxAckPending:  1, // one at a time keeps a job's events in order, also when one is given again
	})
	if err != nil {
		return err
	}
	messages, err := consumer.Messages()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	for {
		msg, err := messages.Next()
		if err != nil {
			return nil // stopped
		}
		if err := handle(msg.Data()); err != nil {
			return err // it comes again
		}
		if err := msg.Ack(); err != nil {
			return err
		}
	}
}

// handle may be given an event twice, where the acknowledgement got lost: what it does with the id should
// then have no second effect.
func handle(data []byte) error {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return err
	}
	from := "-"
	if e.Data.Change.From != nil {
		from = *e.Data.Change.From
	}
	fmt.Printf("%s #%s %s: %s -> %s (%s)\n", e.PartitionKey, e.Sequence, e.Data.Change.Kind, from, e.Data.Change.To, e.Data.Severity)
	return nil
}
