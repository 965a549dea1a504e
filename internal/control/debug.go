package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// Debug is what a running watcher shows of its inside, and lets be changed of it.
type Debug struct {
	State       func() any // of its parts, for the dump; it holds no secret
	SetLogLevel func(level string) (before string, err error)
}

// Dump is a process at one moment.
type Dump struct {
	Time       time.Time `json:"time"`
	Go         string    `json:"go"`
	HeapBytes  uint64    `json:"heapBytes"` // in use
	FromSystem uint64    `json:"fromSystemBytes"`
	State      any       `json:"state"`
	Goroutines []string  `json:"goroutines"` // lines: each stack once, with the number of goroutines that have it
}

// Profiles are the kinds of Profile.
var Profiles = []string{"cpu", "heap", "allocs", "goroutine"}

// LongestProfile is how long the processor's may take.
const LongestProfile = 10 * time.Minute

// statePatience is how long the parts are waited for: a dump is asked for where something hangs.
const statePatience = 2 * time.Second

func (d *Debug) dump() Dump {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var stacks bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&stacks, 1) // functions and lines, no values
	return Dump{
		Time: time.Now().UTC(), Go: runtime.Version(), HeapBytes: memory.HeapAlloc, FromSystem: memory.Sys, State: d.state(),
		Goroutines: strings.Split(strings.TrimSpace(stacks.String()), "\n"),
	}
}

func (d *Debug) state() any {
	is := make(chan any, 1)
	go func() { is <- d.State() }()
	select {
	case s := <-is:
		return s
	case <-time.After(statePatience):
		return fmt.Sprintf("no answer within %v", statePatience)
	}
}

// profile gives what go tool pprof reads. That of the processor takes so long.
func profile(ctx context.Context, kind string, long time.Duration) ([]byte, error) {
	var out bytes.Buffer
	switch {
	case !slices.Contains(Profiles, kind):
		return nil, fmt.Errorf("%s: no profile; there are %s", kind, strings.Join(Profiles, ", "))
	case kind != "cpu":
		err := pprof.Lookup(kind).WriteTo(&out, 0)
		return out.Bytes(), err
	case long <= 0 || long > LongestProfile:
		return nil, fmt.Errorf("a profile of %v: it may take up to %v", long, LongestProfile)
	}
	if err := pprof.StartCPUProfile(&out); err != nil {
		return nil, errors.New("another profile of the processor is being taken; try again when it is done")
	}
	select {
	case <-time.After(long):
	case <-ctx.Done():
	}
	pprof.StopCPUProfile()
	return out.Bytes(), ctx.Err()
}

func (d *Debug) handle(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/dump", func(w http.ResponseWriter, _ *http.Request) { answer(w, d.dump(), nil) })
	mux.HandleFunc("GET /debug/profile/{kind}", func(w http.ResponseWriter, r *http.Request) {
		long, err := time.ParseDuration(r.FormValue("for"))
		var taken []byte
		if err == nil {
			taken, err = profile(r.Context(), r.PathValue("kind"), long)
		}
		answer(w, profiled{taken}, err)
	})
	mux.HandleFunc("PUT /debug/log-level/{level}", func(w http.ResponseWriter, r *http.Request) {
		before, err := d.SetLogLevel(r.PathValue("level"))
		answer(w, logLevel{before}, err)
	})
}

type profiled struct {
	Profile []byte `json:"profile"`
}

type logLevel struct {
	Before string `json:"before"`
}

// Dump is what the running watcher shows of its inside.
func (c *Client) Dump(ctx context.Context) (Dump, error) {
	var d Dump
	err := c.do(ctx, http.MethodGet, "/debug/dump", nil, &d)
	return d, err
}

// Profile is one of Profiles, as go tool pprof reads it; that of the processor takes so long.
func (c *Client) Profile(ctx context.Context, kind string, long time.Duration) ([]byte, error) {
	var p profiled
	err := c.do(ctx, http.MethodGet, "/debug/profile/"+kind+"?for="+long.String(), nil, &p)
	return p.Profile, err
}

// SetLogLevel holds until the watcher ends, or log.level is edited.
func (c *Client) SetLogLevel(ctx context.Context, level string) (before string, err error) {
	var l logLevel
	err = c.do(ctx, http.MethodPut, "/debug/log-level/"+level, nil, &l)
	return l.Before, err
}
