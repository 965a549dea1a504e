package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// Server lets other processes of the same user, or of a group, use an Admin.
//
//	GET    /jobs?after=prod/71&limit=500    => {"jobs": […]}
//	POST   /jobs/select                     Selection => {"names": ["prod/1248", …]}
//	POST   /jobs/show                       {"names": […]} => {"jobs": […]}
//	GET    /jobs/{commcell}/{id}            => one of them
//	PUT    /jobs/{commcell}/{id}            tracks it
//	DELETE /jobs/{commcell}/{id}            untracks it
//	GET    /store                           => store.Stat
//	GET    /store/verify                    => store.Verified
//	POST   /store/backup?file=/var/copy.db  => {"bytes": 65536}
//	GET    /debug/dump                      => Dump
//	GET    /debug/profile/{kind}?for=30s    => {"profile": base64}
//	PUT    /debug/log-level/{level}         => {"before": "info"}
//
// A refusal is {"error": "a sentence"} with the status 409. The two of the store that may take long are also asked with
// ?steps=1: then {"step": progress.Step} may come before the answer, any number of times, and a refusal behind such has
// the status 200.
type Server struct {
	Store string // the store's file; whoever holds that may take the socket's place
	Group string // whose members may use the socket; "": the user alone
	Admin *Admin
	Debug *Debug // nil: nothing of that
}

// Run serves until ctx ends. Its error says why there can be no socket.
func (s *Server) Run(ctx context.Context) error {
	listener, leave, err := listen(s.Store, s.Group)
	if err != nil {
		return err
	}
	defer leave()
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	s.Admin.handle(mux)
	if s.Debug != nil {
		s.Debug.handle(mux)
	}
	return mux
}

func (a *Admin) handle(mux *http.ServeMux) {
	mux.HandleFunc("GET /jobs", func(w http.ResponseWriter, r *http.Request) {
		after, limit, err := page(r)
		if err != nil {
			answer(w, nil, err)
			return
		}
		jobs, err := a.Jobs(r.Context(), after, limit)
		answer(w, jobPage{jobs}, err)
	})
	mux.HandleFunc("POST /jobs/select", asked(func(ctx context.Context, s Selection) (any, error) {
		ids, err := a.Select(ctx, s)
		return namesOf(ids), err
	}))
	mux.HandleFunc("POST /jobs/show", asked(func(ctx context.Context, names jobNames) (any, error) {
		ids, err := names.ids()
		if err != nil {
			return nil, err
		}
		jobs, err := a.Show(ctx, ids)
		return jobPage{jobs}, err
	}))
	mux.HandleFunc("GET /jobs/{commcell}/{id}", named(func(ctx context.Context, id job.ID) (any, error) { return a.Job(ctx, id) }))
	mux.HandleFunc("PUT /jobs/{commcell}/{id}", named(func(ctx context.Context, id job.ID) (any, error) { return nil, a.Track(ctx, id) }))
	mux.HandleFunc("DELETE /jobs/{commcell}/{id}", named(func(ctx context.Context, id job.ID) (any, error) { return nil, a.Untrack(ctx, id) }))
	mux.HandleFunc("GET /store", func(w http.ResponseWriter, r *http.Request) {
		stat, err := a.Stat(r.Context())
		answer(w, stat, err)
	})
	mux.HandleFunc("GET /store/verify", inSteps(func(ctx context.Context, _ *http.Request) (any, error) { return a.Verify(ctx) }))
	mux.HandleFunc("POST /store/backup", inSteps(func(ctx context.Context, r *http.Request) (any, error) {
		bytes, err := a.Backup(ctx, r.FormValue("file"))
		return backup{bytes}, err
	}))
}

type jobPage struct {
	Jobs []store.Listed `json:"jobs"`
}

type jobNames struct {
	Names []string `json:"names"`
}

func namesOf(ids []job.ID) jobNames {
	n := jobNames{make([]string, len(ids))}
	for i, id := range ids {
		n.Names[i] = id.String()
	}
	return n
}

func (n jobNames) ids() (ids []job.ID, err error) {
	ids = make([]job.ID, len(n.Names))
	for i, name := range n.Names {
		if ids[i], err = job.ParseID(name); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

type backup struct {
	Bytes int64 `json:"bytes"`
}

type refusal struct {
	Error string `json:"error"`
}

const largestPage = 1000 // jobs

func page(r *http.Request) (after job.ID, limit int, err error) {
	limit = largestPage
	if text := r.FormValue("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil {
			return job.ID{}, 0, err
		}
	}
	if text := r.FormValue("after"); text != "" {
		after, err = job.ParseID(text)
	}
	return after, min(max(limit, 1), largestPage), err
}

func named(do func(context.Context, job.ID) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, err := job.ParseID(r.PathValue("commcell") + "/" + r.PathValue("id"))
		if err != nil {
			answer(w, nil, err)
			return
		}
		value, err := do(r.Context(), id)
		answer(w, value, err)
	}
}

// asked answers what the body of a request asks.
func asked[T any](do func(context.Context, T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var what T
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestRequest)).Decode(&what); err != nil {
			answer(w, nil, err)
			return
		}
		value, err := do(r.Context(), what)
		answer(w, value, err)
	}
}

const largestRequest = 1 << 20 // bytes

func answer(w http.ResponseWriter, value any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		value = refusal{err.Error()}
	}
	_ = json.NewEncoder(w).Encode(value) // who asked has gone, if this fails
}
