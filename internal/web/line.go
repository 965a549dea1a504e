package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	lineEvery  = 3 * time.Second // status and progress
	lineBehind = 20_000          // messages of the stream that a line goes back; behind more of them the table is sooner loaded
)

// line sends a page all that changes, so that a browser needs one connection (server-sent events): event, an event of the
// stream; status, as GET /api/v1/status; progress, the percents that have changed; gone, where it cannot go on ?from= there,
// or behind Last-Event-ID.
func (s *Server) line(w http.ResponseWriter, r *http.Request) {
	want, err := parseFrom(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.follow(w, r, pipe{wanted: want, name: "event", behind: lineBehind}, func(ctx context.Context, out *pipe) error {
		frame := 0
		say := func() error {
			if err := out.write("event: status\ndata: %s\n\n", s.said.read(s)); err != nil {
				return err
			}
			var changed []byte
			if changed, frame = s.ahead.since(frame, s.Pollers()); len(changed) == 0 {
				return nil
			}
			return out.write("event: progress\ndata: %s\n\n", changed)
		}
		if err := say(); err != nil {
			return err
		}
		err := s.pump(ctx, out, s.LineEvery, say)
		if errors.Is(err, errGone) {
			return out.write("event: gone\ndata: {}\n\n")
		}
		return err
	})
}

// parseFrom reads from which sequence on. A browser that comes back says it in a header, and the address stays as it was.
func parseFrom(r *http.Request) (want wanted, err error) {
	if text := r.URL.Query().Get("from"); text != "" {
		want.from, err = strconv.ParseUint(text, 10, 63)
		if err != nil || want.from == 0 {
			return want, fmt.Errorf("from=%.40q: wants a sequence of the stream, from 1 on", text)
		}
	}
	behind, err := behindLast(r)
	want.from = max(behind, want.from)
	return want, err
}
