package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"jobwatch/internal/daemon"
	"jobwatch/internal/stream"
)

// follower reads the stream as any subscriber does, on a connection of its own, and again where that was lost.
type follower struct {
	settings stream.Config
	start    stream.Start
	place    func(context.Context, *stream.Broker) (sequence uint64, err error) // finds start's sequence; nil: it is there
	print    func(stream.Message) error
	log      *slog.Logger // of what happens after the start
}

// Run prints until ctx ends. That NATS or the stream is not there at the start is an error; later it is waited for.
func (f follower) Run(ctx context.Context) error {
	broker := stream.New(f.settings)
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return broker.Run(ctx) })
	group.Go(func() error {
		defer cancel()
		err := f.begin(ctx, broker)
		if err == nil {
			err = f.follow(ctx, broker)
		}
		return ignoreEnd(ctx, err)
	})
	return group.Wait()
}

// begin waits for NATS, and finds the place in the stream.
func (f *follower) begin(ctx context.Context, broker *stream.Broker) error {
	if err := daemon.AwaitStream(ctx, broker); err != nil {
		return err
	}
	if f.place == nil {
		return nil
	}
	sequence, err := f.place(ctx, broker)
	f.start.Sequence = sequence
	return err
}

// behindTheEnd is the place of what comes from now on.
func behindTheEnd(ctx context.Context, broker *stream.Broker) (uint64, error) {
	is, err := broker.Info(ctx)
	return is.Last + 1, err
}

// The pauses between two tries to read on.
const (
	firstPause   = 250 * time.Millisecond
	longestPause = 10 * time.Second
)

func (f *follower) follow(ctx context.Context, broker *stream.Broker) error {
	said, pause := "", firstPause
	for {
		began := time.Now()
		err := broker.FollowFrom(ctx, f.start, func(m stream.Message) error {
			f.start.Since, f.start.Sequence = time.Time{}, m.Sequence+1
			if err := f.print(m); err != nil {
				return &printError{err}
			}
			return nil
		})
		var broken *printError
		var refused *stream.RefusedError
		switch {
		case errors.As(err, &broken):
			return broken.error
		case errors.As(err, &refused):
			return refused
		}
		if time.Since(began) > longestPause { // it did follow, and the next interruption is news
			said, pause = "", firstPause
		}
		if cause := fmt.Sprint(err); ctx.Err() == nil && cause != said {
			f.log.Warn("reading on as soon as NATS answers", "err", err)
			said = cause
		}
		if _, err := broker.Ready(ctx); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		case <-ctx.Done():
		}
	}
}

// printError is one of the output, which ends it: somebody has closed the pipe.
type printError struct{ error }

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
