package poller

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jobwatch/internal/job"
	"jobwatch/internal/store"
)

var job71 = job.ID{CommCell: "prod", Number: 71}

// goes takes a row of words, polls for each but restart and untrack, and gives what was told.
func (b *bench) goes(words string) string {
	b.t.Helper()
	var told []string
	for word := range strings.FieldsSeq(words) {
		switch word {
		case "restart":
			b.Poller = New(b.Config)
			continue
		case "untrack":
			b.mustStore(b.store.Untrack(job71))
			b.mustStore(b.store.Track(store.ByHand, job71))
			continue
		case "seen":
			b.script.is(71, state("Running"), updated(time.Now()))
		case "older":
			b.script.is(71, state("Running"), updated(time.Now().Add(-time.Hour)))
		case "miss":
			b.script.forgets(71)
		case "away":
			b.script.broken[71] = errAway
		case "blank":
			b.script.forgets(1, 71)
		}
		told = append(told, b.cycleEvery(30*time.Second, 1))
		b.script.is(1, state("Running"))
		delete(b.script.broken, 71)
	}
	return strings.Join(told, " ")
}

func (b *bench) mustStore(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestMissesOutliveARestart(t *testing.T) {
	for _, row := range []struct {
		what, goes, want string
	}{
		{"none", "seen miss miss miss", "- - - prod/71 lost"},
		{"before the third", "seen miss miss restart miss", "- - - prod/71 lost"},
		{"before each", "seen restart miss restart miss restart miss restart miss", "- - - prod/71 lost -"},
		{"an error between ends no row", "seen miss miss restart away restart miss", "- - - - prod/71 lost"},
		{"seen before it", "seen miss miss seen restart miss restart miss miss", "- - - - - - prod/71 lost"},
		{"seen after it", "seen miss miss restart seen restart miss miss miss", "- - - - - - prod/71 lost"},
		{"an older answer before it", "seen miss miss older restart miss miss miss", "- - - - - - prod/71 lost"},
		{"an older answer after it", "seen miss miss restart older miss miss miss", "- - - - - - prod/71 lost"},
		{"a blank cycle before it", "seen miss miss blank restart miss miss miss", "- - - - - - prod/71 lost"},
		{"a blank cycle after it", "seen miss miss restart blank miss miss miss", "- - - - - - prod/71 lost"},
		{"seen after it was lost", "seen miss miss miss seen restart miss miss miss", "- - - prod/71 lost - - - prod/71 lost"},
		{"lost before it", "seen miss miss miss restart miss miss miss miss", "- - - prod/71 lost - - - -"},
		{"not polled for a while", "seen miss miss untrack restart miss miss miss", "- - - - - prod/71 lost"},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.LostAfter = time.Minute })
			b.script.is(1, state("Running"))
			b.script.is(71, state("Running"))
			b.cycle()
			b.drain()
			b.wants(row.what, b.goes(row.goes), row.want)
		})
	}
}

func TestMissesOfAJobNeverSeenOutliveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.LostAfter, c.Jobs = time.Minute, []int64{1, 71} })
		b.script.is(1, state("Running"))
		b.cycle() // the first miss
		b.drain()
		b.wants("never seen", b.goes("restart miss restart miss restart miss"), "- prod/71 lost -")
		b.wants("seen at last", b.goes("seen restart miss restart miss"), "prod/71 state:  → Running - -")
	})
}

// What stays missing costs a write for each of the first three misses, and one when it is there again.
func TestMissesCostFewWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.LostAfter, c.Discover, c.Jobs = time.Hour, false, []int64{1, 71} })
		b.script.is(1, state("Running"))
		b.script.is(71, state("Running"))
		b.cycle()
		b.drain()
		for _, row := range []struct {
			goes string
			want int
		}{
			{"seen seen", 0},
			{"miss", 1},
			{"miss miss miss miss", 2},
			{"restart miss miss", 0},
			{"seen", 1},
			{"seen restart seen", 0},
		} {
			b.writes = 0
			if b.goes(row.goes); b.writes != row.want {
				t.Errorf("%s: %d transactions, want %d", row.goes, b.writes, row.want)
			}
		}
	})
}

func TestMissesBeginAnewWithAClockSetBack(t *testing.T) {
	now := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	before := store.Misses{Count: 2, Since: now.Add(24 * time.Hour)}
	if got, want := oneMore(before, now), (store.Misses{Count: 1, Since: now}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}
