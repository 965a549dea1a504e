package daemon

import (
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// supervisor runs something for each part of the configuration of one kind, a poller for each CommCell, say, and others
// once that changes.
type supervisor[S any, R runner] struct {
	kind[S, R]
	changed chan struct{} // holds a token when there are workers that have not started

	mu      sync.Mutex
	workers []*worker[S, R]          // in the order of the configuration; guarded by mu, as the rest is
	last    map[string]*worker[S, R] // the last that started under a name: two never run at once
}

type runner interface {
	Run(ctx context.Context) error
}

// kind is what differs between kinds of parts.
type kind[S any, R runner] struct {
	name func(S) string
	word string            // before its name, for people: a relay may be called like a CommCell
	same func(a, b S) bool // settings, of one name, between which nothing has to be started again
	make func(S) (R, error)
	gone string // what is said of one that the configuration names no more
}

// worker is what runs for a part of the configuration, or is about to.
type worker[S any, R runner] struct {
	name     string
	settings S
	runs     R
	stop     context.CancelFunc // nil: it has not started
	ended    chan struct{}
}

// newSupervisor prepares what is to run. The error is one of the settings.
func newSupervisor[S any, R runner](all []S, k kind[S, R]) (*supervisor[S, R], error) {
	s := &supervisor[S, R]{kind: k, changed: make(chan struct{}, 1), last: map[string]*worker[S, R]{}}
	_, err := s.Apply(all)
	return s, err
}

// Run runs all until ctx ends, or one of them fails.
func (s *supervisor[S, R]) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for {
		select {
		case <-s.changed:
			s.start(ctx, group)
		case <-ctx.Done():
			return group.Wait()
		}
	}
}

func (s *supervisor[S, R]) start(ctx context.Context, group *errgroup.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.workers {
		if w.stop != nil {
			continue
		}
		own, stop := context.WithCancel(ctx)
		before := s.last[w.name]
		w.stop, s.last[w.name] = stop, w
		group.Go(func() error {
			defer close(w.ended)
			defer stop()
			if before != nil { // two never do the same at once
				<-before.ended
			}
			return w.runs.Run(own)
		})
	}
}

// Apply runs what these settings say from now on, and says in words what that changes; "" is nothing. What keeps its
// settings goes on undisturbed. What has others starts again, as after a restart. With an error nothing changes.
func (s *supervisor[S, R]) Apply(all []S) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := s.next(all)
	if err != nil {
		return "", err
	}
	for _, w := range s.workers {
		if !slices.Contains(next, w) && w.stop != nil {
			w.stop()
		}
	}
	words := s.difference(next)
	s.workers = next
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return words, nil
}

func (s *supervisor[S, R]) next(all []S) ([]*worker[S, R], error) {
	var next []*worker[S, R]
	for _, settings := range all {
		name := s.name(settings)
		old := find(s.workers, name)
		if old != nil && s.same(old.settings, settings) {
			old.settings = settings
			next = append(next, old)
			continue
		}
		runs, err := s.make(settings)
		if err != nil {
			return nil, err
		}
		next = append(next, &worker[S, R]{name: name, settings: settings, runs: runs, ended: make(chan struct{})})
	}
	return next, nil
}

// ending waits for what runs under a name now, once it was replaced.
func (s *supervisor[S, R]) ending(name string) (wait func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := find(s.workers, name)
	if w == nil || w.stop == nil {
		return func() {}
	}
	return func() { <-w.ended }
}

// Runners are what runs for the configuration in force.
func (s *supervisor[S, R]) Runners() []R {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]R, len(s.workers))
	for i, w := range s.workers {
		all[i] = w.runs
	}
	return all
}

func find[S any, R runner](workers []*worker[S, R], name string) *worker[S, R] {
	i := slices.IndexFunc(workers, func(w *worker[S, R]) bool { return w.name == name })
	if i < 0 {
		return nil
	}
	return workers[i]
}

func (s *supervisor[S, R]) difference(after []*worker[S, R]) string {
	var words []string
	for _, w := range after {
		switch old := find(s.workers, w.name); {
		case old == nil:
			words = append(words, s.word+w.name+" is new")
		case old != w:
			words = append(words, s.word+w.name+" has changed")
		}
	}
	for _, w := range s.workers {
		if find(after, w.name) == nil {
			words = append(words, s.word+w.name+" "+s.gone)
		}
	}
	return strings.Join(words, ", ")
}
