package metrics

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// What lies around the two loops: the stream and who reads it, the connection to NATS, the store and its disk.
var (
	natsConnected  = describe("nats_connected", "1: there is a connection to NATS.")
	natsReconnects = describe("nats_reconnects_total", "Connections to NATS that were made after one was lost.")

	streamMessages = describe("stream_messages", "Messages that the stream holds; absent while NATS does not say, as the next are.")
	streamBytes    = describe("stream_bytes", "Bytes that they take.")
	streamFirst    = describe("stream_first_timestamp_seconds", "When the first message that the stream still holds was stored, in Unix time; absent where it holds none.")

	consumerPending    = describe("consumer_pending", "Messages that a durable consumer of the stream was not sent yet.", "consumer")
	consumerAckPending = describe("consumer_ack_pending", "Messages that a durable consumer of the stream was sent and has not acknowledged.", "consumer")

	storeSize = describe("store_size_bytes", "Size of the store's file.")
	storeFree = describe("store_free_bytes", "Bytes of the store's file that hold nothing, and are used before it grows.")
	diskFree  = describe("disk_free_bytes", "Bytes that the watcher may still write to the disk that the store lies on; absent where the system does not say.")

	around = []*prometheus.Desc{
		natsConnected, natsReconnects, streamMessages, streamBytes, streamFirst, consumerPending, consumerAckPending,
		storeSize, storeFree, diskFree,
	}
)

func collectNATS(b *stream.Broker, count, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	gauge(natsConnected, oneIf(b.Connected()))
	count(natsReconnects, float64(b.Connection().Again))
}

func collectStream(board *stream.Board, b *stream.Broker, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	said := board.Read(context.Background(), b)
	if is := said.Info; is != nil {
		gauge(streamMessages, float64(is.Messages))
		gauge(streamBytes, float64(is.Bytes))
		if is.Messages > 0 {
			gauge(streamFirst, unixTime(is.Oldest))
		}
	}
	for _, r := range said.Readings {
		if r.Durable { // else each name would be a series that ends soon
			gauge(consumerPending, float64(r.Pending), r.Name)
			gauge(consumerAckPending, float64(r.Unsettled), r.Name)
		}
	}
}

func collectStore(s *store.Store, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	if size, err := s.Size(); err == nil {
		gauge(storeSize, float64(size))
		gauge(storeFree, float64(s.Free()))
	}
	if room, known := s.Room(); known {
		gauge(diskFree, float64(room))
	}
}
