// Package web is the HTTP side: the page, the API, health and readiness, the metrics. It reads, and
// changes nothing; whoever is slow or asks too much is dropped, and slows nobody.
//
//	/                                package page
//	/healthz, /readyz                health.go
//	/metrics                         as it is given
//	/api/v1/jobs[/<commcell>/<id>]   jobs.go
//	/api/v1/jobs/…/events            jobevents.go: of one job, from the stream
//	/api/v1/jobs/…/answer            asknow.go: what the CommServe says of one job now
//	/api/v1/table                    table.go: the jobs in columns, for the page
//	/api/v1/events                   events.go, from the ring of live.go
//	/api/v1/told                     told.go: events before a sequence, from the stream
//	/api/v1/live                     line.go: events, status and progress in one line, for the page
//	/api/v1/config                   about.go: the configuration in force, without secrets
//	/api/v1/build                    about.go: what this program is built of
//	/api/v1/openapi.json             openapi.go: all of these, for programs
//	/api/v1/status                   status.go: what the page's lights show
//
// A process that only runs relays has no store: it serves /healthz, /readyz, /metrics and its status.
//
// guard.go stands before all of them. Answers are compressed (zip.go) but for streams of events.
package web

import (
	"cmp"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"jobwatch/internal/cluster"
	"jobwatch/internal/poller"
	"jobwatch/internal/publish"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
	"jobwatch/internal/tlsfile"
	"jobwatch/internal/web/page"
)

// Config says what is shown, and to whom.
type Config struct {
	Listen string         // host:port
	TLS    tlsfile.Source // nil: plain HTTP
	Token  string         // that a reader must show; "": none

	Store     *store.Store // nil, and Publisher and Pollers with it: relays alone run here
	Broker    *stream.Broker
	Board     *stream.Board // asks it; nil: one of its own
	Publisher *publish.Publisher
	Pollers   func() []*poller.Poller // they change with the configuration
	Relays    func() []Relay          // nil: none run here; they change, too
	Metrics   http.Handler
	Meters    Meters // nil: nothing was counted

	Cluster   func() cluster.Status // as this member sees it; nil, and CommCells with it: this watcher is alone
	Instance  string                // its name there
	CommCells func() []string       // of the configuration

	Configuration func() Configuration // in force; nil: there is none to show

	Version   string
	Heartbeat time.Duration // between two signs of life to a follower of events; default 15 s
	LineEvery time.Duration // between two status of a line; default 3 s
	Log       *slog.Logger  // default slog.Default()
}

// Server serves one process's state.
type Server struct {
	Config
	live    *live
	outline outline
	tables  table
	ahead   progressBoard
	said    statusBoard
	stream  streamBoard
	started time.Time

	storeFault, ownFault lastSaid      // in the log
	slots                chan struct{} // one for each follower of events
	readers              chan struct{} // one for each who reads what was told
	turns                turns         // of those who have a CommServe asked
	handler              http.Handler
}

// lastSaid keeps the log from saying the same at each request.
type lastSaid struct{ text atomic.Value }

func (l *lastSaid) isNews(text string) bool { return l.text.Swap(text) != text }

const defaultHeartbeat = 15 * time.Second

// New returns a Server that does nothing until Run is called.
func New(c Config) *Server {
	c.LineEvery = cmp.Or(c.LineEvery, lineEvery)
	if c.Heartbeat <= 0 {
		c.Heartbeat = defaultHeartbeat
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Board == nil {
		c.Board = new(stream.Board)
	}
	s := &Server{
		Config: c, stream: streamBoard{c.Board}, live: newLive(c.Broker), slots: make(chan struct{}, maxFollowers), readers: make(chan struct{}, jobEventsAtOnce),
		started: time.Now(),
	}
	s.handler = s.guard(s.routes())
	return s
}

// ServeHTTP answers one request, the guard before it included.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.Metrics)
	mux.HandleFunc("GET /api/v1/status", zipped(s.status))
	if s.Store == nil {
		return mux
	}
	mux.HandleFunc("GET /api/v1/table", zipped(s.showTable))
	mux.HandleFunc("GET /api/v1/jobs", zipped(s.jobs))
	mux.HandleFunc("GET /api/v1/jobs/{commcell}/{id}", zipped(s.job))
	mux.HandleFunc("GET /api/v1/jobs/{commcell}/{id}/events", zipped(s.jobEvents))
	mux.HandleFunc("GET /api/v1/jobs/{commcell}/{id}/answer", zipped(s.askNow))
	mux.HandleFunc("GET /api/v1/config", zipped(s.showConfig))
	mux.HandleFunc("GET /api/v1/build", zipped(s.showBuild))
	mux.HandleFunc("GET /api/v1/openapi.json", zipped(func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, s.openAPI()) }))
	mux.HandleFunc("GET /api/v1/events", s.events)
	mux.HandleFunc("GET /api/v1/told", zipped(s.told))
	mux.HandleFunc("GET /api/v1/live", s.line)
	mux.HandleFunc("GET /api/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, "no such address; docs/http.md lists them")
	})
	mux.HandleFunc("GET /", zipped(page.Handler().ServeHTTP))
	return mux
}
