package stream

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Who reads the stream is listed, but for watchers; who may not ask is told so by the right.
func TestWhoReadsTheStream(t *testing.T) {
	const right = "$JS.API.CONSUMER.LIST.JOBS"
	for _, may := range []bool{true, false} {
		t.Run(fmt.Sprint(may), func(t *testing.T) {
			t.Parallel()
			role := documented(t, "A watcher")
			if may {
				role.publish = append(role.publish, right)
			}
			srv, refused := restricted(t, role)
			b := use(t, srv, func(c *Config) { c.User, c.Password = "jobwatch", "x" })
			js, err := jetstream.New(client(t, srv, nats.UserInfo("admin", "x")))
			if err == nil {
				_, err = js.CreateConsumer(t.Context(), "JOBS", jetstream.ConsumerConfig{Durable: "siem", FilterSubject: "jobs.>", AckPolicy: jetstream.AckExplicitPolicy})
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Scan(soon(t), 0, func(Message) error { return nil }); err != nil { // with a consumer of ours
				t.Fatal(err)
			}
			all, err := b.Readings(soon(t))
			if may && (err != nil || len(all) != 1 || all[0].Name != "siem" || fmt.Sprint(all[0].Filters) != "[jobs.>]" || all[0].Delivered != nil) {
				t.Errorf("got %+v, %v", all, err)
			}
			var lacks *RefusedError
			if !may && (!errors.As(err, &lacks) || lacks.Reason != Permission) {
				t.Errorf("without the right: %+v, %v", all, err)
			}
			if n := len(refused.list()); n > 1 {
				t.Errorf("refused: %q", refused.list())
			}
		})
	}
}
