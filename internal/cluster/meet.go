package cluster

import (
	"context"
	"errors"

	"jobwatch/internal/stream"
)

// meet beats, where a tick has passed, and reads on.
func (m *Member) meet(ctx context.Context) error {
	if !m.entered {
		if err := m.enter(ctx); err != nil {
			return err
		}
	}
	if m.due {
		err := m.beat(ctx)
		if errors.Is(err, errWritten) {
			err = m.beat(ctx)
		}
		if err != nil {
			return err
		}
		m.due = false
	}
	all, err := m.Bucket.Since(ctx, m.board.revision)
	if errors.Is(err, stream.ErrNoStream) {
		m.anew()
		return err
	}
	if err != nil {
		return err
	}
	m.board.take(all)
	m.noteEpochs()
	return nil
}

var errNameTaken = errors.New("another watcher has this name; whether it lives has to be seen")

// enter finds out whether the name is free: nobody has it, or this store's file had it, or who has it is dead.
func (m *Member) enter(ctx context.Context) error {
	all, err := m.Bucket.Since(ctx, m.board.revision)
	if err != nil && !errors.Is(err, stream.ErrNoStream) {
		return err
	}
	was := m.board.members[m.Instance]
	m.board.take(all)
	is := m.board.members[m.Instance]
	switch {
	case is == nil || is.Store == m.Store:
	case was != nil && is.revision != was.revision:
		return &InUseError{m.Instance, is.Host}
	case m.ticks < deathTicks+deathBeats:
		return errNameTaken
	}
	m.entered, m.ticks, m.due = true, 0, true
	if is != nil {
		m.own = is.revision
	} else if e, err := m.Bucket.Get(ctx, memberPrefix+m.Instance); err == nil {
		m.own = e.Revision // of what was deleted
	}
	return nil
}

// beat writes a sign of life.
func (m *Member) beat(ctx context.Context) error {
	value, err := encode(member{
		Layout: layout, Store: m.Store, Epoch: m.Epoch, Version: m.Version, Host: m.Host, Started: m.started.UTC(),
		Beat: uint64(m.ticks), CaughtUp: m.Work.CaughtUp(), Leaving: m.leaving, Settings: m.Work.Settings(),
	}, m.kept())
	if err != nil {
		return err
	}
	revision, err := m.Bucket.Put(ctx, stream.Entry{Key: memberPrefix + m.Instance, Value: value, Revision: m.own})
	if errors.Is(err, stream.ErrChanged) {
		return m.changed(ctx)
	}
	if err != nil {
		return err
	}
	if revision <= m.board.revision { // it begins at 1 again
		m.anew()
	}
	m.own = revision
	return nil
}

func (m *Member) kept() rest {
	if s := m.board.members[m.Instance]; s != nil {
		return s.rest
	}
	return nil
}

// errWritten says that this member's key was written meanwhile, and not by another watcher.
var errWritten = errors.New("the member's key was written meanwhile")

// changed finds out who has written this member's key: itself, the answer to which was lost; somebody who tells it to
// leave; or another watcher.
func (m *Member) changed(ctx context.Context) error {
	e, err := m.Bucket.Get(ctx, memberPrefix+m.Instance)
	if err != nil {
		return err
	}
	var is member
	if !decode(e, &is, &is.rest) {
		if e.Revision < m.own {
			m.anew()
		}
		m.own = e.Revision
		return errWritten
	}
	if is.Store != m.Store || is.Epoch != m.Epoch && is.Started.After(m.started) {
		return &InUseError{m.Instance, is.Host}
	}
	if is.Epoch == m.Epoch && is.Leaving && !m.leaving {
		m.leaving = true
		m.Log.Info("told to leave the cluster: gives away all that it polls, and takes nothing more until its next start")
	}
	m.own = e.Revision
	return errWritten
}

// anew forgets what was read of a bucket that is no more.
func (m *Member) anew() {
	if len(m.board.owners) > 0 {
		m.Log.Warn("the bucket in which the cluster meets was deleted; it is made anew")
	}
	m.board = newBoard(m.Instance)
	clear(m.applied)
}

// alone polls what was polled here before, where the bucket cannot be read from the start on.
func (m *Member) alone(why error) {
	patience := slowPatience
	if errors.Is(why, stream.ErrDisconnected) {
		patience = alonePatience
	}
	if m.entered || m.ticks < patience || len(m.tenures) > 0 {
		return
	}
	settings := m.Work.Settings()
	for _, cell := range m.owned {
		if _, follows := settings[cell]; follows {
			m.Log.Warn("polls what it polled before: the cluster cannot be reached", "commcell", cell)
			m.tenures[cell] = m.begin(cell, Facts{})
		}
	}
}

func (m *Member) remembered() {
	owned, err := m.Work.Owned()
	if err != nil {
		m.Log.Error("which CommCells were polled here is not known", "err", err)
	}
	m.owned = owned
}
