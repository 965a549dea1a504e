package relay

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"
)

// chat is a destination that remembers what was told it together. A delivery takes a while, and counts when it ends.
type chat struct {
	mu     sync.Mutex
	takes  time.Duration
	told   []telling
	refuse func(Batch) error
}

type telling struct {
	group string
	ids   []string
	at    time.Time
}

func (c *chat) Deliver(ctx context.Context, b Batch) (int, error) {
	c.mu.Lock()
	takes, refuse := c.takes, c.refuse
	c.mu.Unlock()
	if !pause(ctx, takes) {
		return 0, ctx.Err()
	}
	if refuse != nil {
		if err := refuse(b); err != nil {
			return 0, err
		}
	}
	t := telling{group: b.Group, at: time.Now()}
	for _, e := range b.Events {
		t.ids = append(t.ids, e.ID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, t)
	return len(b.Events), nil
}

func (c *chat) all() []telling {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

const window = 2 * time.Minute

func groups(c *Config) { c.Group = &Grouping{By: "client", Within: window, Over: 3} }

// ids are those of the first event of each job.
func ids(jobs ...int) (all []string) {
	for _, job := range jobs {
		all = append(all, message(job, 1).ID)
	}
	return all
}

// TestAKillChangesNoWindow: whenever it comes, the same jobs are told as one, when their window has ended; once more only
// where the kill came between that and its acknowledgement.
func TestAKillChangesNoWindow(t *testing.T) {
	for at := time.Duration(0); at < window+20*time.Second; at += 3300 * time.Millisecond {
		inBubble(t, func(m *model) {
			to := &chat{takes: 4 * time.Second}
			_, conn, stop := m.relays("a", to, groups)
			began := time.Now()
			go func() {
				time.Sleep(at)
				conn.Cut()
				stop()
				time.Sleep(time.Second)
				m.relays("b", to, groups)
			}()
			for job := range 5 {
				m.tell(job + 1)
				time.Sleep(20 * time.Second)
			}
			time.Sleep(3 * window)
			told := to.all()
			if len(told) == 0 || len(told) > 2 {
				t.Fatalf("killed after %s: told %d times: %+v", at, len(told), told)
			}
			for _, x := range told {
				if x.group != "fall" || !slices.Equal(x.ids, ids(1, 2, 3, 4, 5)) || x.at.Sub(began) < window {
					t.Errorf("killed after %s: told after %s: %+v", at, x.at.Sub(began), x)
				}
			}
			if len(told) == 2 && (at < window || at > window+5*time.Second) {
				t.Errorf("killed after %s: told twice", at)
			}
		})
	}
}

// TestABacklogIsGroupedByItsWindows, however it is read, and whatever is killed meanwhile.
func TestABacklogIsGroupedByItsWindows(t *testing.T) {
	for at := time.Duration(0); at < 20*time.Second; at += 1700 * time.Millisecond {
		inBubble(t, func(m *model) {
			var jobs []int
			for job := range 90 {
				jobs = append(jobs, job+1)
			}
			for range 10 { // 900 events in a window
				m.tell(jobs...)
				time.Sleep(window / 10)
			}
			time.Sleep(time.Second)
			m.tell(jobs[:2]...) // few in the next one
			time.Sleep(time.Hour)
			to := &chat{takes: 4 * time.Second}
			_, conn, stop := m.relays("a", to, groups)
			time.Sleep(at)
			conn.Cut()
			stop()
			m.relays("b", to, groups)
			time.Sleep(5 * time.Minute)
			var grouped, singly int
			for _, x := range to.all() {
				switch {
				case x.group == "":
					singly++
				case len(x.ids) != 900:
					t.Errorf("killed after %s: %d events are told as one", at, len(x.ids))
				default:
					grouped++
				}
			}
			if grouped < 1 || grouped > 2 || singly < 2 || singly > 4 {
				t.Errorf("killed after %s: %d times told as one, %d singly", at, grouped, singly)
			}
		})
	}
}

// TestAGroupThatIsRefusedIsToldSingly: one event of it is unfit, which becomes a dead letter; nothing else is lost or out
// of order.
func TestAGroupThatIsRefusedIsToldSingly(t *testing.T) {
	inBubble(t, func(m *model) {
		to := &chat{}
		bad := message(2, 1).ID
		to.refuse = func(b Batch) error {
			if slices.ContainsFunc(b.Events, func(e *Event) bool { return e.ID == bad }) {
				return &Refusal{Kind: Unfit, Reason: "HTTP 400", Status: 400}
			}
			return nil
		}
		m.relays("a", to, groups)
		m.tell(1, 2, 3, 4, 1, 2)
		time.Sleep(window + time.Second)
		m.tell(1, 2, 3, 4) // the next window, behind what is told singly
		time.Sleep(3 * window)
		order := map[string]string{}
		var told []string
		for _, x := range to.all() {
			for _, id := range x.ids {
				if job := id[:len(id)-3]; id <= order[job] {
					t.Errorf("%s after %s", id, order[job])
				} else {
					order[job] = id
				}
				told = append(told, id)
			}
		}
		if len(told) != 9 || slices.Contains(told, bad) {
			t.Errorf("told: %s", told)
		}
		if letters := m.letters(); len(letters) != 1 || letters[0].ID != bad {
			t.Errorf("%d dead letters", len(letters))
		}
		if last := to.all()[len(to.all())-1]; last.group != "fall" || len(last.ids) != 4 {
			t.Errorf("the next window: %+v", last)
		}
	})
}

// TestAWindowOfMoreJobsThanAMessageHolds is told in several, and each job in one of them.
func TestAWindowOfMoreJobsThanAMessageHolds(t *testing.T) {
	inBubble(t, func(m *model) {
		to := &chat{takes: time.Second}
		m.relays("a", to, groups)
		var jobs []int
		for job := range 150 {
			jobs = append(jobs, job+1)
		}
		m.tell(jobs...)
		time.Sleep(time.Second)
		m.tell(jobs...)
		time.Sleep(2 * window)
		var sizes []int
		in := map[string]int{}
		for n, x := range to.all() {
			sizes = append(sizes, len(x.ids))
			for _, id := range x.ids {
				job := id[:len(id)-3]
				if was, known := in[job]; known && was != n {
					t.Errorf("%s is told in another message than an earlier event of its job", id)
				}
				in[job] = n
			}
		}
		if slices.Sort(sizes); !slices.Equal(sizes, []int{100, 200}) {
			t.Errorf("events are told in messages of %v", sizes)
		}
	})
}
