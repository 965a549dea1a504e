package publish

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"jobwatch/internal/job"
	"jobwatch/internal/stream"
)

func TestARefusalIsNamedOnce(t *testing.T) {
	var said bytes.Buffer
	r := newRefusals(slog.New(slog.NewTextHandler(&said, nil)))
	full := &stream.RefusedError{Reason: stream.StreamFull, Text: "stream JOBS is full"}
	for range 3 {
		for number := range int64(5) {
			r.stop(job.ID{CommCell: "prod", Number: number}, full)
		}
	}
	r.stop(job.ID{CommCell: "prod", Number: 9}, &stream.RefusedError{Reason: stream.TooLarge, Text: "too large"})
	if lines := strings.Count(said.String(), "\n"); lines != 2 {
		t.Errorf("%d lines, want one a refusal\n%s", lines, said.String())
	}
	if _, stopped := r.counts(); stopped != 6 {
		t.Errorf("%d jobs are stopped, want 6", stopped)
	}
}
