package modelbroker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/stream"
	"jobwatch/internal/testing/brokertest"
	"jobwatch/internal/testing/modelbroker"
)

func TestRulesAlone(t *testing.T)           { runRules(t, modelbroker.Config{}) }
func TestRulesOnThreeReplicas(t *testing.T) { runRules(t, modelbroker.Config{Replicated: true}) }

func runRules(t *testing.T, config modelbroker.Config) {
	brokertest.RunInside(t, synctest.Test, func(*testing.T) brokertest.World {
		return &world{config: config, Stream: modelbroker.New(config)}
	})
}

// world is the model, for brokertest.
type world struct {
	*modelbroker.Stream
	config  modelbroker.Config
	conns   []*modelbroker.Conn
	restore func() // what was kept
}

func (w *world) Replicas() int {
	if w.config.Replicated {
		return 3
	}
	return 1
}

func (w *world) Connect(*testing.T) brokertest.Broker {
	c := w.Stream.Connect()
	w.conns = append(w.conns, c)
	return c
}

func (w *world) PublishUnacknowledged(t *testing.T, through brokertest.Broker, m stream.Outgoing) error {
	return w.lose(t, through, m, true)
}

func (w *world) Unsent(t *testing.T, through brokertest.Broker, m stream.Outgoing) error {
	return w.lose(t, through, m, false)
}

// lose cuts the connection before a message has arrived, or when it has.
func (w *world) lose(t *testing.T, through brokertest.Broker, m stream.Outgoing, stored bool) error {
	c := through.(*modelbroker.Conn)
	c.Gate = func(ctx context.Context, at modelbroker.Call) error {
		if at.End == stored {
			c.Cut()
			<-ctx.Done()
		}
		return nil
	}
	_, err := c.Publish(t.Context(), m)
	c.Gate = nil
	c.Restore()
	return err
}

func (w *world) Drop(*testing.T)                      { w.Stream.Delete() }
func (w *world) Delete(_ *testing.T, sequence uint64) { w.Remove(sequence) }
func (w *world) Purge(_ *testing.T, filter string)    { w.Stream.Purge(filter) }
func (w *world) PassWindow(*testing.T)                { time.Sleep(2 * time.Minute) }

func (w *world) Keep(*testing.T) {
	w.Restart()
	w.reconnect()
	w.restore = w.Stream.Keep()
}

func (w *world) Restore(*testing.T) {
	w.restore()
	w.reconnect()
}

func (w *world) reconnect() {
	for _, c := range w.conns {
		c.Cut()
		c.Restore()
	}
}

func (w *world) Unsettled(_ *testing.T, through brokertest.Broker, settle func()) {
	c := through.(*modelbroker.Conn)
	c.Gate = func(ctx context.Context, at modelbroker.Call) error {
		if at.Operation == "Settle" {
			c.Cut()
		}
		return nil
	}
	settle()
	c.Gate = nil
	c.Restore()
}

func (w *world) DeleteConsumer(_ *testing.T, name string) { w.Stream.DeleteConsumer(name) }

func (w *world) PauseConsumer(_ *testing.T, name string, until time.Time) {
	w.Stream.PauseConsumer(name, until)
}
