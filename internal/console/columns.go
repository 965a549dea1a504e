package console

import (
	"strconv"

	"charm.land/lipgloss/v2"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

// JobColumns are those of a table of jobs; wide has more of them.
func JobColumns(s Screen, c Clock, wide bool) []Column[*store.Listed] {
	of := func(name string, most int, text func(*job.Snapshot) job.Text) Column[*store.Listed] {
		return Column[*store.Listed]{Name: name, Most: most, Text: func(l *store.Listed) string { return string(text(&l.Snapshot)) }}
	}
	columns := []Column[*store.Listed]{
		{Name: "JOB", Text: func(l *store.Listed) string { return l.ID().String() }},
		of("CLIENT", 32, func(s *job.Snapshot) job.Text { return s.Client }),
		of("OPERATION", 20, func(s *job.Snapshot) job.Text { return s.Operation }),
		{Name: "STATE", Most: 34, Text: markedState(s), Style: func(l *store.Listed) lipgloss.Style { return lookOf(l.Snapshot.StateClass).style }},
		of("PHASE", 20, func(s *job.Snapshot) job.Text { return s.Phase }),
		{Name: "DONE", Most: 20, Text: doneText},
		{Name: c.Head("SINCE/ENDED"), Text: func(l *store.Listed) string { return c.Cell(TurnOf(l)) }},
		{Name: "TOOK", Text: func(l *store.Listed) string { return Span(TookOf(l, c.Now())) }},
		{Name: "FAILED", Most: 20, Text: func(l *store.Listed) string { return FailedOf(&l.Snapshot) }},
	}
	if wide {
		columns = append(columns,
			Column[*store.Listed]{Name: c.Head("STARTED"), Text: func(l *store.Listed) string { return c.Cell(l.Snapshot.StartTime) }},
			of("LEVEL", 0, func(s *job.Snapshot) job.Text { return s.BackupLevel }),
			of("AGENT", 0, func(s *job.Snapshot) job.Text { return s.Agent }),
			of("SUBCLIENT", 0, func(s *job.Snapshot) job.Text { return s.Subclient }),
			of("POLICY", 0, func(s *job.Snapshot) job.Text { return s.StoragePolicy }),
			of("MEDIA_AGENT", 0, func(s *job.Snapshot) job.Text { return s.MediaAgent }),
			Column[*store.Listed]{Name: "WRITTEN", Text: func(l *store.Listed) string { return Bytes(l.Snapshot.DataWritten) }},
			Column[*store.Listed]{Name: "TRACKED", Text: Followed},
			Column[*store.Listed]{Name: "UNSENT", Text: func(l *store.Listed) string { return strconv.Itoa(l.Unsent) }})
	}
	if wide {
		for i := range columns {
			columns[i].Most = 0
		}
	}
	return append(columns, Column[*store.Listed]{Name: "REASON", Text: func(l *store.Listed) string { return WhyOf(&l.Snapshot) }})
}

// markedState has the mark on a terminal alone.
func markedState(s Screen) func(*store.Listed) string {
	return func(l *store.Listed) string {
		if !s.Terminal() || l.Snapshot.State == "" {
			return StateOf(l)
		}
		return lookOf(l.Snapshot.StateClass).sign(s.Unicode) + " " + StateOf(l)
	}
}
