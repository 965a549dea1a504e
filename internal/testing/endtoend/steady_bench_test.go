package endtoend

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	steadyJobs   = 1000
	steadyWindow = 20 * time.Second
)

// BenchmarkSteady lets the watcher poll 1,000 jobs every second, and beside it at the same time a bare
// client send the same requests and read the answers: `times_bare` is the watcher's CPU time in terms of the
// client's, the kernel's work for each included. CommServe and NATS are in a third process.
func BenchmarkSteady(b *testing.B) {
	s := newSurroundings(b, steadyJobs, fmt.Sprintf(
		"    schedule: \"@every 1s\"\n    sweep: details\n    discover: {enabled: false}\n    jobs: [%s]", numbers(steadyJobs)))
	watcher := startProcess(b, "watcher", "run", "-c", s.config)
	waitFor(b, "the jobs' states are told", func() bool { return s.answers.Load() > 5*steadyJobs })
	bare := startProcess(b, "bareclient", s.url, strconv.Itoa(steadyJobs))
	time.Sleep(2 * time.Second)

	var spent, bareSpent time.Duration
	asked := s.answers.Load()
	for b.Loop() {
		before, bareBefore := watcher.cpu(), bare.cpu()
		time.Sleep(steadyWindow)
		spent += watcher.cpu() - before
		bareSpent += bare.cpu() - bareBefore
	}
	seconds := float64(b.N) * steadyWindow.Seconds()
	b.ReportMetric(float64(s.answers.Load()-asked)/2/seconds, "polls/s")
	b.ReportMetric(spent.Seconds()/seconds, "cpu-s/s")
	b.ReportMetric(bareSpent.Seconds()/seconds, "bare-cpu-s/s")
	b.ReportMetric(spent.Seconds()/bareSpent.Seconds(), "times_bare")
	b.ReportMetric(mebibytes(watcher.memory()), "MiB")
	b.ReportMetric(mebibytes(bare.memory()), "bare-MiB")
}

func numbers(jobs int) string {
	var list []string
	for i := range jobs {
		list = append(list, strconv.Itoa(firstOfHerd+i))
	}
	return strings.Join(list, ",")
}

// bareClient asks for so many jobs every second, eight at once, and reads the answers: what any client
// of the API must do. It begins each second's in the middle, while a watcher that ticks with the second rests.
func bareClient(ctx context.Context) error {
	jobs, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	for ctx.Err() == nil {
		now := time.Now()
		select {
		case <-time.After(now.Truncate(time.Second).Add(1500 * time.Millisecond).Sub(now)):
		case <-ctx.Done():
			return nil
		}
		if err := askForAll(client, os.Args[1], jobs); err != nil {
			return err
		}
	}
	return nil
}

func askForAll(client *http.Client, url string, jobs int64) error {
	var next atomic.Int64
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			for {
				i := next.Add(1) - 1
				if i >= jobs {
					return nil
				}
				if err := askFor(client, url, firstOfHerd+i); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

func askFor(client *http.Client, url string, number int64) error {
	request, err := http.NewRequest(http.MethodPost, url+"/JobDetails", bytes.NewReader(fmt.Appendf(nil, `{"jobId":%d}`, number)))
	if err != nil {
		return err
	}
	request.Header.Set("Authtoken", "QSDK")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if n, err := io.Copy(io.Discard, response.Body); err != nil || n < 100 {
		return fmt.Errorf("job %d: %d bytes, %w", number, n, err)
	}
	return nil
}
