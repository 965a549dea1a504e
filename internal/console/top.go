package console

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
	"jobwatch/internal/stream"
)

// Source is where a Top reads.
type Source interface {
	// Jobs reads the jobs that are shown, and how many there are of which these are the first.
	Jobs(ctx context.Context) (jobs []store.Listed, all int, err error)
	// Job reads one, and its events.
	Job(ctx context.Context, id job.ID) (store.Listed, []stream.Message, error)
	// Subject is that of a job's events.
	Subject(id job.ID) string
}

const (
	lookEvery = 2 * time.Second
	patience  = 10 * time.Second // with an answer of the watcher

	// A look that takes long is followed by a pause so many times as long: a watcher has other things to do.
	lookPause = 5
)

// Top is a screen of jobs that goes on: a tea.Model.
type Top struct {
	ctx    context.Context //nolint:containedctx // that of the commands that bubbletea runs
	source Source
	screen Screen
	clock  Clock

	jobs  []store.Listed // as read
	all   int
	heard time.Time // when they were read; zero: not yet
	err   error     // of the last look; nil: it was heard

	shown  []*store.Listed // filtered, in order
	cursor job.ID          // zero: the first
	top    int             // the first row on the screen
	filter string
	typing bool
	faults bool
	order  int

	open *openJob // a job's page; nil: the list
	help bool
	note string // what was just done
}

// openJob is a page that is looked at.
type openJob struct {
	id     job.ID
	lines  []string
	scroll int
}

// NewTop is for a screen whose size it learns by itself.
func NewTop(ctx context.Context, source Source, screen Screen, clock Clock) *Top {
	return &Top{ctx: ctx, source: source, screen: screen, clock: clock}
}

// Run shows it until it is left, or the context ends.
func (t *Top) Run(options ...tea.ProgramOption) error {
	_, err := tea.NewProgram(t, append(options, tea.WithContext(t.ctx), tea.WithoutSignalHandler())...).Run()
	if t.ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return err
}

type (
	looked struct { // what a look found
		jobs []store.Listed
		all  int
		err  error
		took time.Duration
	}
	lookAgain struct{}
	opened    struct {
		job    store.Listed
		events []stream.Message
		err    error
	}
)

// Init begins to look.
func (t *Top) Init() tea.Cmd { return t.look }

func (t *Top) look() tea.Msg {
	ctx, cancel := context.WithTimeout(t.ctx, patience)
	defer cancel()
	began := time.Now()
	jobs, all, err := t.source.Jobs(ctx)
	return looked{jobs, all, err, time.Since(began)}
}

func (t *Top) openJob(id job.ID) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(t.ctx, patience)
		defer cancel()
		l, events, err := t.source.Job(ctx, id)
		return opened{l, events, err}
	}
}

// Update takes what happened.
func (t *Top) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		t.screen.Width, t.screen.Height = max(msg.Width, 1), max(msg.Height, 1)
	case tea.KeyPressMsg:
		return t, t.key(msg)
	case looked:
		if t.err = msg.err; msg.err == nil {
			t.jobs, t.all, t.heard = msg.jobs, msg.all, t.clock.Now()
			t.arrange()
		}
		return t, tea.Tick(max(lookEvery, lookPause*msg.took), func(time.Time) tea.Msg { return lookAgain{} })
	case lookAgain:
		cmds := []tea.Cmd{t.look}
		if t.open != nil {
			cmds = append(cmds, t.openJob(t.open.id))
		}
		return t, tea.Batch(cmds...)
	case opened:
		if t.open != nil && (msg.err != nil || msg.job.ID() == t.open.id) {
			t.open.lines = t.page(msg)
		}
	}
	return t, nil
}
