package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"jobwatch/internal/stream"
)

const (
	maxFollowers  = 64
	writeWithin   = 10 * time.Second // else the follower is dropped
	reconnectTime = 2 * time.Second  // that a browser waits before it comes back
)

// events sends the events of the stream as they come (server-sent events): data is the CloudEvent,
// event its kind, id its sequence in the stream. Last-Event-ID goes on behind that one, however long
// ago; ?recent=100 begins with the last ones. ?commcell= and ?kind=, each any number of times, select.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	want, err := parseWanted(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.follow(w, r, pipe{wanted: want}, func(ctx context.Context, out *pipe) error {
		return s.pump(ctx, out, s.Heartbeat, func() error { return out.write(": still here\n\n") })
	})
}

// follow opens a stream of events to one who follows, where there is a place for one more, and lets talk send to it.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, out pipe, talk func(context.Context, *pipe) error) {
	select {
	case s.slots <- struct{}{}:
		s.countFollowers()
		defer func() {
			<-s.slots
			s.countFollowers()
		}()
	default:
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d follow already, which is the most; try again later", maxFollowers))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold events back
	out.w, out.control = w, http.NewResponseController(w)
	_ = out.control.SetReadDeadline(time.Time{}) // or the server takes the silence for a request that does not end
	if r.Method == http.MethodHead || out.write("retry: %d\n\n", reconnectTime.Milliseconds()) != nil {
		return
	}
	_ = talk(r.Context(), &out) // it ends with the follower, or with us
}

func (s *Server) countFollowers() {
	if s.Meters != nil {
		s.Meters.Follows(len(s.slots))
	}
}

// pump sends what is wanted until the follower is gone, or too slow, and now and then what else there is to say.
func (s *Server) pump(ctx context.Context, out *pipe, every time.Duration, say func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	ready := s.live.ready
	var events <-chan streamed
	for {
		select {
		case <-ready:
			ready = nil
			follower, err := s.join(ctx, out)
			if err != nil {
				return err
			}
			defer s.live.leave(follower)
			events = follower.events
		case t, inTime := <-events:
			if !inTime {
				if s.Meters != nil {
					s.Meters.Dropped()
				}
				return errSlow
			}
			if err := out.send(t); err != nil {
				return err
			}
		case <-tick.C:
			if err := say(); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

var (
	errSlow = fmt.Errorf("more than %d events behind", clientQueue)
	errGone = errors.New("what lies behind is too much, or not there any more")
)

// join sends what lies behind, from the stream itself where the ring begins too late.
func (s *Server) join(ctx context.Context, out *pipe) (*follower, error) {
	if info, err := s.Broker.Info(ctx); err == nil && out.from != 0 {
		switch {
		case out.isBehind(info):
			return nil, errGone
		case out.from > info.Last+1:
			out.from = 0 // of another stream than this
		}
	}
	for {
		c, backlog, joined := s.live.join(out.from, out.recent)
		if !joined {
			last, err := s.Broker.Scan(ctx, out.from, func(m stream.Message) error {
				t, ours := read(m)
				if !ours {
					return nil
				}
				return out.send(t)
			})
			if err != nil {
				return nil, err
			}
			out.from = last + 1
			continue
		}
		for _, t := range backlog {
			if err := out.send(t); err != nil {
				s.live.leave(c)
				return nil, err
			}
		}
		return c, nil
	}
}

// wanted says which events, and from where on.
type wanted struct {
	commCells, kinds []string
	from             uint64 // 0: from now on
	recent           int
}

func parseWanted(r *http.Request) (wanted, error) {
	query := r.URL.Query()
	want := wanted{commCells: query["commcell"], kinds: query["kind"]}
	recent, err := number(query, "recent", 0, ringSize)
	if err != nil {
		return want, err
	}
	want.recent = recent
	want.from, err = behindLast(r)
	return want, err
}

// behindLast is the sequence to go on from for one who comes back; 0: it comes for the first time.
func behindLast(r *http.Request) (uint64, error) {
	id := r.Header.Get("Last-Event-ID")
	if id == "" {
		return 0, nil
	}
	last, err := strconv.ParseUint(id, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("Last-Event-ID %.40q is no number of an event here", id)
	}
	return last + 1, nil
}

// number reads a number of a query that may be left out.
func number(query url.Values, name string, without, most int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%s=%.40q: wants a number from 1 to %d", name, text, most)
	}
	return n, nil
}

func (w wanted) has(t streamed) bool {
	return (len(w.commCells) == 0 || slices.Contains(w.commCells, t.commCell)) &&
		(len(w.kinds) == 0 || slices.Contains(w.kinds, t.kind))
}

// pipe writes to one follower.
type pipe struct {
	w       http.ResponseWriter
	control *http.ResponseController
	wanted
	name   string // of each event; "": its kind
	behind uint64 // messages that it may lag behind at most; 0: all that there are
}

// isBehind says whether not all that has come from there on can be sent.
func (p *pipe) isBehind(is stream.Info) bool {
	return p.behind != 0 && (p.from < is.First || p.from > is.Last+1 || is.Last+1-p.from > p.behind)
}

func (p *pipe) send(t streamed) error {
	if !p.has(t) || t.sequence < p.from {
		return nil
	}
	return p.write("id: %d\nevent: %s\ndata: %s\n\n", t.sequence, cmp.Or(p.name, t.kind), t.data)
}

func (p *pipe) write(format string, values ...any) error {
	_ = p.control.SetWriteDeadline(time.Now().Add(writeWithin))
	if _, err := fmt.Fprintf(p.w, format, values...); err != nil {
		return err
	}
	return p.control.Flush()
}
