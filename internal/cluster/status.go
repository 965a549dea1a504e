package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"jobwatch/internal/stream"
)

// Status is the cluster for people: cluster status -o json, and members of /api/v1/status.
type Status struct {
	Members   []MemberStatus   `json:"members"`
	CommCells []CommCellStatus `json:"commcells"`

	// Trouble is why this member cannot take part now; empty: it does. It is not shown by cluster status, which is no member.
	Trouble string `json:"-"`

	// Newer are the keys of the bucket that a newer version has written: who does not know their layout claims nothing.
	Newer []string `json:"-"`
}

// MemberStatus is one watcher.
type MemberStatus struct {
	Instance  string    `json:"instance"`
	Version   string    `json:"version"`
	Host      string    `json:"host"`
	CommCells []string  `json:"commcells"` // that it owns
	Tracked   int       `json:"tracked"`   // jobs of those
	LastSeen  time.Time `json:"lastSeen"`  // by NATS's clock
	Alive     bool      `json:"alive"`
	CaughtUp  bool      `json:"caughtUp"`
	Leaving   bool      `json:"leaving"`
	Differs   []string  `json:"differs"` // CommCells whose settings are not those of most members
}

// CommCellStatus is who polls a CommCell.
type CommCellStatus struct {
	Name  string     `json:"name"`
	Owner *string    `json:"owner"` // null: nobody
	Since *time.Time `json:"since"`
	Why   Reason     `json:"why"`
}

// Owner is who polls a CommCell; "": nobody.
func (s Status) Owner(commCell string) string {
	for _, c := range s.CommCells {
		if c.Name == commCell && c.Owner != nil {
			return *c.Owner
		}
	}
	return ""
}

// View is the cluster as this member sees it.
func (m *Member) View() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.view
}

func (m *Member) show(trouble error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if trouble != nil {
		m.view.Trouble = trouble.Error()
		return
	}
	m.view = m.board.status((*seen).alive)
}

const (
	silence   = deathTicks * tick // since a member's last sign of life, by the broker's clock: it is dead
	listening = 3 * tick          // somebody who lives says so meanwhile
)

// Read reads who is there. Who lives is judged by a message that comes now: no clock but the broker's counts.
func Read(ctx context.Context, bucket stream.Bucket) (Status, error) {
	b := newBoard("")
	var first uint64
	for end := time.Now().Add(listening); ; {
		all, err := bucket.Since(ctx, b.revision)
		if err != nil && !errors.Is(err, stream.ErrNoStream) {
			return Status{}, err
		}
		b.take(all)
		if first == 0 {
			first = b.revision
		}
		if b.revision > first || first == 0 || time.Now().After(end) {
			break
		}
		select {
		case <-time.After(tick / 10):
		case <-ctx.Done():
			return Status{}, ctx.Err()
		}
	}
	return b.status(func(s *seen) bool { return b.revision > first && b.newest.Sub(s.stored) <= silence }), nil
}

func (b *board) status(alive func(*seen) bool) Status {
	s := Status{Members: []MemberStatus{}, CommCells: []CommCellStatus{}, Newer: slices.Sorted(maps.Keys(b.newer))}
	differs := b.differences(alive)
	for _, name := range slices.Sorted(maps.Keys(b.members)) {
		is := b.members[name]
		row := MemberStatus{
			Instance: name, Version: is.Version, Host: is.Host, CommCells: []string{}, LastSeen: is.stored, Alive: alive(is),
			CaughtUp: is.CaughtUp, Leaving: is.Leaving, Differs: differs[name],
		}
		for cell, o := range b.ownedBy(name) {
			row.CommCells = append(row.CommCells, cell)
			row.Tracked += o.Tracked
		}
		slices.Sort(row.CommCells)
		s.Members = append(s.Members, row)
	}
	for _, cell := range slices.Sorted(maps.Keys(b.owners)) {
		o, row := b.owners[cell], CommCellStatus{Name: cell, Why: b.owners[cell].Why}
		if is := b.members[o.Instance]; is != nil && alive(is) {
			row.Owner, row.Since = new(o.Instance), new(o.Since)
		}
		s.CommCells = append(s.CommCells, row)
	}
	return s
}

// differences are, by member, the CommCells whose settings are others than most living members have, or that it lacks.
func (b *board) differences(alive func(*seen) bool) map[string][]string {
	votes := map[string]map[string]int{} // CommCell => digest => members
	living := map[string]*seen{}
	for name, s := range b.members {
		if alive(s) {
			living[name] = s
			for cell, digest := range s.Settings {
				if votes[cell] == nil {
					votes[cell] = map[string]int{}
				}
				votes[cell][digest]++
			}
		}
	}
	differs := map[string][]string{}
	for name, s := range living {
		differs[name] = []string{}
		for _, cell := range slices.Sorted(maps.Keys(votes)) {
			if s.Settings[cell] != usual(votes[cell]) {
				differs[name] = append(differs[name], cell)
			}
		}
	}
	return differs
}

func usual(votes map[string]int) (digest string) {
	for _, d := range slices.Sorted(maps.Keys(votes)) {
		if votes[d] > votes[digest] {
			digest = d
		}
	}
	return digest
}

const differTicks = 5 * 60 // a reload takes its time on all machines

// warnOfDifferences says once that members are configured differently, when that has lasted.
func (m *Member) warnOfDifferences() {
	if len(m.board.newer) > 0 && !m.saidNews {
		m.Log.Warn("members of a newer version are in the cluster: this one claims nothing more; upgrade it", "keys",
			strings.Join(slices.Sorted(maps.Keys(m.board.newer)), ", "))
	}
	m.saidNews = len(m.board.newer) > 0
	differs := m.board.differences((*seen).alive)
	for name := range m.said {
		if len(differs[name]) == 0 {
			delete(m.said, name)
		}
	}
	for name, cells := range differs {
		if len(cells) == 0 {
			continue
		}
		if m.said[name]++; m.said[name] == differTicks {
			m.Log.Warn("the members of the cluster are configured differently", "instance", name, "commcells", strings.Join(cells, ", "))
		}
	}
}

// ErrNoMember says that there is no such member.
var ErrNoMember = errors.New("no such member of the cluster")

// Leave tells a member to give away all that it owns, and to take nothing more until its next start.
func Leave(ctx context.Context, bucket stream.Bucket, instance string) error {
	for {
		e, err := bucket.Get(ctx, memberPrefix+instance)
		if err != nil {
			return err
		}
		var is member
		if !decode(e, &is, &is.rest) {
			return fmt.Errorf("%w: %s; list them with: watcher cluster status", ErrNoMember, instance)
		}
		is.Leaving = true
		value, err := encode(is, is.rest)
		if err != nil {
			return err
		}
		e.Value = value
		if _, err = bucket.Put(ctx, e); !errors.Is(err, stream.ErrChanged) {
			return err
		}
	}
}
