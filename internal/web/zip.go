package web

import (
	"net/http"
	"sync"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
)

// zipper compresses answers of over 1 kB for who takes them so. Streams of events do not go through it: what is
// compressed waits for more.
var zipper = sync.OnceValue(func() func(http.Handler) http.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(false))
	if err != nil {
		panic(err) // options of ours that do not go together
	}
	return wrap
})

func zipped(handler http.HandlerFunc) http.HandlerFunc { return zipper()(handler) }
