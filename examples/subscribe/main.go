// Subscribe is how a service takes jobwatch's events: through a durable JetStream consumer, which gives what was told
// while the service was away, and again what it did not acknowledge.
//
//	go run ./examples/subscribe nats://127.0.0.1:4222 ledger.jsonl
//
// What it does with an event is to write it into a ledger, each once, whatever is killed.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: subscribe nats://127.0.0.1:4222 ledger.jsonl")
		os.Exit(2)
	}
	if err := subscribe(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func subscribe(ctx context.Context, url, file string) error {
	ledger, err := openLedger(file)
	if err != nil {
		return err
	}
	defer ledger.Close()
	nc, err := nats.Connect(url, nats.Name("example"), nats.MaxReconnects(-1))
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
		MaxAckPending:  1,               // one at a time keeps a job's events in order, also when one is given again
		AckWait:        5 * time.Second, // longer than handling one takes; then it is given again
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
		if ctx.Err() != nil {
			return nil // stopped
		}
		if err != nil {
			return err
		}
		if err := ledger.add(msg.Data()); err != nil {
			return err // it is given again
		}
		if err := msg.Ack(); err != nil {
			return err
		}
	}
}
