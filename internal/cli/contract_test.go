package cli

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The line that the kept contract's test advises must write just what that test wants.
func TestContractPrintsWhatIsKept(t *testing.T) {
	for word, file := range map[string]string{"jsonschema": "event.schema.json", "asyncapi": "asyncapi.json"} {
		kept, err := os.ReadFile("../../contract/" + file)
		if err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		if status := Execute(t.Context(), []string{"contract", word}, nil, &out, &errs); status != done || errs.Len() > 0 {
			t.Errorf("contract %s: status %d, %s", word, status, &errs)
		}
		if !bytes.Equal(out.Bytes(), kept) {
			t.Errorf("contract %s prints something else than contract/%s; go test ./contract says what", word, file)
		}
	}
}

// held is whatever a stream has by now.
func held(t *testing.T, url string) []jetstream.Msg {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.OrderedConsumer(t.Context(), "JOBS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(int(consumer.CachedInfo().NumPending), jetstream.FetchMaxWait(10*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	var all []jetstream.Msg
	for m := range batch.Messages() {
		all = append(all, m)
	}
	if err := batch.Error(); err != nil || len(all) == 0 {
		t.Fatalf("%d messages in the stream (%v)", len(all), err)
	}
	return all
}
