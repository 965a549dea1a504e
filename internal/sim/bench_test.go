package sim

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func BenchmarkAnswer(b *testing.B) {
	s := New(Config{Jobs: 5000, NoRecord: true})
	buffer := make([]byte, 0, 8<<10)
	for i := 0; b.Loop(); i++ {
		m, _ := s.jobs.find(firstJob+int64(i%5000), s.config.Clock())
		w := writer{b: buffer[:0]}
		w.answer("", m.details)
		buffer = w.b
	}
}

func BenchmarkJobDetails(b *testing.B) {
	s := New(Config{Jobs: 5000, NoRecord: true})
	server := httptest.NewServer(s)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var asked atomic.Int64
	b.ResetTimer()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := fmt.Sprintf(`{"jobId":%d}`, firstJob+asked.Add(1)%5000)
			r, _ := http.NewRequest("POST", server.URL+"/JobDetails", strings.NewReader(body))
			r.Header.Set("Authtoken", "QSDK sim")
			response, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func BenchmarkList(b *testing.B) {
	s := New(Config{Jobs: 5000})
	for b.Loop() {
		_ = s.list(wanted{active: true, finished: true, within: defaultWithin, types: typeFilter("", true), limit: 1000}, nil)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(Config{Jobs: 5000})
	}
}
